package lookup

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func addrPorts(t *testing.T, texts ...string) []netip.AddrPort {
	t.Helper()
	var list []netip.AddrPort
	for _, text := range texts {
		addr, err := netip.ParseAddrPort(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, addr)
	}
	return list
}

var compareAddrPorts = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

func TestParseResolvConf(t *testing.T) {
	host := []string{"127.0.0.1:53", "[::1]:53"}
	for _, tt := range []struct {
		name, content string
		want          []string
	}{
		{"usual", "search example.net\nnameserver 192.0.2.53\noptions edns0 trust-ad\n", []string{"192.0.2.53:53"}},
		{"order kept", "nameserver 198.51.100.1\nnameserver 192.0.2.1", []string{"198.51.100.1:53", "192.0.2.1:53"}},
		{"more than three", "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n", []string{"192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53"}},
		{"IPv6 with zone", "nameserver fe80::1%eth0\nnameserver 2001:db8::53\n", []string{"[fe80::1%eth0]:53", "[2001:db8::53]:53"}},
		{"space and comment", "\t nameserver\t192.0.2.1  # home\n;nameserver 192.0.2.2\n#nameserver 192.0.2.3\n", []string{"192.0.2.1:53"}},
		{"no sense", "nameserver\ndomain\nnameserver ns.example\nnameserver 192.0.2.256\nNAMESERVER 192.0.2.1\n", host},
		{"empty", "", host},
		{"one long line", "# " + strings.Repeat("x", maxResolvConf), host},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(addrPorts(t, tt.want...), parseResolvConf([]byte(tt.content), "").servers, compareAddrPorts); diff != "" {
				t.Errorf("servers (-want +got):\n%s", diff)
			}
		})
	}
}

// The file is followed as it changes, is replaced, and goes away.
func TestResolvConfChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &resolvConf{path: filepath.Join(t.TempDir(), "resolv.conf")}
		check := func(when string, want ...string) {
			t.Helper()
			if diff := cmp.Diff(addrPorts(t, want...), f.load().servers, compareAddrPorts); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		write := func(path, content string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		check("before there is a file", "127.0.0.1:53", "[::1]:53")
		write(f.path, "nameserver 192.0.2.1\n")
		time.Sleep(resolvConfAge)
		check("when it came", "192.0.2.1:53")
		write(f.path, "nameserver 192.0.2.22\n")
		check("while it is trusted", "192.0.2.1:53")
		time.Sleep(resolvConfAge)
		check("when it grew", "192.0.2.22:53")
		write(f.path+".new", "nameserver 192.0.2.33\n")
		if err := os.Rename(f.path+".new", f.path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(resolvConfAge)
		check("when it was replaced", "192.0.2.33:53")
		if err := os.Remove(f.path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(resolvConfAge)
		check("when it went", "192.0.2.33:53")
	})
}
