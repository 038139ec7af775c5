package lookup

import (
	"context"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// Annotation is what is known of an address.
type Annotation struct {
	Name string // by reverse DNS, without the trailing dot; empty when unknown
	ASN  uint32 // number of the autonomous system; 0 when unknown, several or none
}

// Service finds names and AS numbers, and addresses of names. It is safe for concurrent use.
type Service struct {
	budget  time.Duration
	dns     *client         // never nil
	names   *source[string] // nil when off
	direct  bool            // names come from name servers, which know nothing of loopback (RFC 6303)
	origins *source[uint32] // nil when off

	mayAskOrigin func(netip.Addr) bool // whose origin; nil when off

	table   atomic.Pointer[table]            // never nil
	servers atomic.Pointer[[]netip.AddrPort] // to ask instead of the host's; never nil
	host    resolvConf
	hosts   string // path of hosts(5)

	sourceOf func(ctx context.Context, addr netip.Addr) netip.Addr // see sortAddrs
}

// New returns a Service with the tables of c loaded, which takes a second or
// two for those of the whole Internet. It returns an error when c is wrong, a
// table is, or ctx ends first. The caller must Close it.
func New(ctx context.Context, c Config) (*Service, error) {
	return newService(ctx, c, overNetwork)
}

func newService(ctx context.Context, c Config, x exchange) (*Service, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	tables, err := LoadTables(ctx, c.Open, c.Tables...)
	if err != nil {
		return nil, err
	}
	s := &Service{budget: c.Budget, direct: c.Names == Direct, host: resolvConf{path: c.ResolvConf}, hosts: c.Hosts, sourceOf: sourceOf}
	s.UseTables(tables)
	s.servers.Store(&c.Servers)
	s.dns = newClient(c.Timeout, s.resolver, x)
	hops := patience{next: c.Timeout, limit: c.Timeout, attempts: c.Attempts}
	switch c.Names {
	case Direct:
		s.names, err = newSource(c, ptrNames{s.dns, hops}.nameOf)
	case System:
		s.names, err = newSource(c, systemNames{systemResolver().LookupAddr}.nameOf)
	case Off:
	}
	if err != nil {
		return nil, err
	}
	if c.OriginZones != (OriginZones{}) {
		o := newOrigins(s.dns, hops, c.OriginZones)
		s.mayAskOrigin = o.mayAsk
		if s.origins, err = newSource(c, o.originOf); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// UseServers asks other name servers from now on, each an address with a port;
// none mean the host's.
func (s *Service) UseServers(servers []netip.AddrPort) {
	servers = slices.Clone(servers)
	s.servers.Store(&servers)
}

// resolver returns what resolv.conf says, as it changes, with the name servers
// replaced by those configured, if any.
func (s *Service) resolver() resolverConfig {
	conf := s.host.load()
	if configured := *s.servers.Load(); len(configured) > 0 {
		conf.servers = configured
	}
	return conf
}

// Close ends every lookup and every goroutine. A closed Service goes on to
// answer from what it knows.
func (s *Service) Close() {
	if s.names != nil {
		s.names.close()
	}
	if s.origins != nil {
		s.origins.close()
	}
	s.dns.close() // behind those that ask
}

// Prefetch starts what lookups addr needs and returns at once: an Annotate
// that comes later waits the less. Calling it again costs next to nothing.
func (s *Service) Prefetch(addr netip.Addr) {
	if addr.IsValid() {
		s.begin(addr)
	}
}

// Annotate returns what is known of addrs, which is nothing for those that are
// not in the map. It waits for lookups under way until the budget is used up,
// or ctx ends; they go on without it. It cannot fail.
func (s *Service) Annotate(ctx context.Context, addrs []netip.Addr) map[netip.Addr]Annotation {
	ctx, cancel := context.WithTimeout(ctx, s.budget)
	defer cancel()
	begun := make([]pending, len(addrs))
	for i, addr := range addrs { // all before the first wait
		if addr.IsValid() {
			begun[i] = s.begin(addr)
			begun[i].count(s)
		}
	}
	notes := make(map[netip.Addr]Annotation, len(addrs))
	for i, addr := range addrs {
		if note := begun[i].wait(ctx, s); note != (Annotation{}) {
			notes[addr] = note
		}
	}
	return notes
}

// pending is what is known of an address and what is still to come.
type pending struct {
	note                  Annotation
	name                  *flight[string] // nil: nothing will come
	origin                *flight[uint32]
	askedName, askedASN   bool // of a source
	cachedName, cachedASN bool // and it knew
}

func (s *Service) begin(addr netip.Addr) pending {
	addr = addr.Unmap().WithZone("")
	p := pending{note: Annotation{ASN: s.table.Load().lookup(addr)}}
	if s.names != nil && (!s.direct || !addr.IsLoopback()) {
		var a answer[string]
		a, p.name, p.cachedName = s.names.want(addr)
		p.note.Name, p.askedName = a.value, true
	}
	if s.origins != nil && p.note.ASN == 0 && s.mayAskOrigin(addr) {
		var a answer[uint32]
		a, p.origin, p.cachedASN = s.origins.want(addr)
		p.note.ASN, p.askedASN = a.value, true
	}
	return p
}

func (p *pending) count(s *Service) {
	if p.askedName {
		s.names.count(p.cachedName)
	}
	if p.askedASN {
		s.origins.count(p.cachedASN)
	}
}

// wait completes the note as far as ctx allows.
func (p *pending) wait(ctx context.Context, s *Service) Annotation {
	if p.name != nil {
		p.note.Name = s.names.await(ctx, p.name).value
	}
	if p.origin != nil {
		p.note.ASN = s.origins.await(ctx, p.origin).value
	}
	return p.note
}
