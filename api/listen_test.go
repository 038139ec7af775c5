package api

import (
	"strings"
	"testing"
)

func TestCheckListen(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:8080", "127.9.9.9:0", "[::1]:8080", "[::ffff:127.0.0.1]:80", "localhost:8080", "LOCALHOST:http"} {
		for _, credentials := range []bool{false, true} {
			if err := CheckListen(addr, credentials); err != nil {
				t.Errorf("%s, credentials %t: %v", addr, credentials, err)
			}
		}
	}
	for _, addr := range []string{":8080", "0.0.0.0:8080", "[::]:8080", "192.0.2.1:80", "[fe80::1%eth0]:80", "localhost.example:80", "127.0.0.1.example:80", "128.0.0.1:80", "127.1:80"} {
		err := CheckListen(addr, false)
		if err == nil {
			t.Errorf("%s: no error without credentials", addr)
			continue
		}
		for _, word := range []string{addr, "no credentials", "127.0.0.1"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q does not say %q", addr, err, word)
			}
		}
		if err := CheckListen(addr, true); err != nil {
			t.Errorf("%s with credentials: %v", addr, err)
		}
	}
	for _, addr := range []string{"", "127.0.0.1", "8080", "::1:8080"} {
		if err := CheckListen(addr, true); err == nil {
			t.Errorf("%q: no error", addr)
		}
	}
}
