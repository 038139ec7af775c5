//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

// setting is a kernel parameter under /proc/sys/net and its value.
type setting struct{ name, value string }

// plainSettings make a namespace behave the same on every host: no address
// check (rp_filter), no redirects, no duplicate address detection, no
// link-local addresses and so no router solicitations.
var plainSettings = [...]setting{
	{"ipv4/conf/all/rp_filter", "0"},
	{"ipv4/conf/default/rp_filter", "0"},
	{"ipv4/conf/all/send_redirects", "0"},
	{"ipv4/conf/default/send_redirects", "0"},
	{"ipv6/conf/all/disable_ipv6", "0"},
	{"ipv6/conf/default/disable_ipv6", "0"},
	{"ipv6/conf/all/accept_dad", "0"},
	{"ipv6/conf/default/accept_dad", "0"},
	{"ipv6/conf/default/addr_gen_mode", "1"},
}

// forwardSettings come first, since turning ip_forward on resets others.
var forwardSettings = [...]setting{
	{"ipv4/ip_forward", "1"},
	{"ipv6/conf/all/forwarding", "1"},
}

// unlimited lifts the rate limits on ICMP errors: per peer, and for the
// namespace. An IPv6 rate mask of "255" holds no type that is ever limited.
var unlimited = [...]setting{
	{"ipv4/icmp_ratelimit", "0"},
	{"ipv4/icmp_ratemask", "0"},
	{"ipv6/icmp/ratelimit", "0"},
	{"ipv6/icmp/ratemask", "255"},
}

// unlimitedIfThere belong to a namespace in newer kernels only.
var unlimitedIfThere = [...]setting{
	{"ipv4/icmp_msgs_per_sec", "1000000"},
	{"ipv4/icmp_msgs_burst", "1000000"},
}

// settings choose what a multipath route hashes: policy 3 with a mask of
// source 1, destination 2, protocol 4, flow label 8 and ports 0x30. Policy 1
// hashes the same without the flow label, but first believes a hash that the
// sender's socket left with the packet. Such a hash differs from socket to
// socket and survives a veth, though no real wire, so flows would not keep to
// their paths.
func (s Spread) settings() []setting {
	fields := "0x37"
	if s == SpreadFlowLabel {
		fields = "0x3f"
	}
	return []setting{
		{"ipv4/fib_multipath_hash_policy", "3"},
		{"ipv4/fib_multipath_hash_fields", "0x37"},
		{"ipv6/fib_multipath_hash_policy", "3"},
		{"ipv6/fib_multipath_hash_fields", fields},
	}
}

// configure writes the parameters of the namespace that the thread is in.
func (p *plan) configure(place int) error {
	var all []setting
	stock := p.StockLimits
	if place >= 0 && place < len(p.Routers) {
		r := p.Routers[place]
		stock = stock || r.StockLimits
		all = append(all, forwardSettings[:]...)
		all = append(all, r.Spread.settings()...)
		if r.ReplyTTL > 0 {
			ttl := strconv.Itoa(int(r.ReplyTTL))
			all = append(all, setting{"ipv4/ip_default_ttl", ttl}, setting{"ipv6/conf/default/hop_limit", ttl})
		}
	}
	if place == len(p.Routers) && p.Target.Addresses > maxSingleAddresses {
		// Or services could not answer from an address that no interface has.
		all = append(all, setting{"ipv6/ip_nonlocal_bind", "1"})
	}
	all = append(all, plainSettings[:]...)
	if !stock {
		all = append(all, unlimited[:]...)
	}
	for _, s := range all {
		if err := s.write(); err != nil {
			return err
		}
	}
	if stock {
		return nil
	}
	for _, s := range unlimitedIfThere {
		if err := s.write(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// write sets the parameter. /proc/sys/net shows the namespace of the thread
// that opens it.
func (s setting) write() error {
	f, err := os.OpenFile("/proc/sys/net/"+s.name, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("kernel: parameter: %w", err)
	}
	_, err = f.WriteString(s.value)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("kernel: parameter %s to %s: %w", s.name, s.value, err)
	}
	return nil
}
