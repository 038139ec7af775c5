package rawsock

import "testing"

func TestPortCandidates(t *testing.T) {
	for _, c := range []struct {
		name             string
		low, high, count int
		reserved         string
	}{
		{"Linux's own", 32768, 60999, 64, ""},
		{"nothing above", 1024, 65535, 64, "8080\n"},
		{"nothing but ephemeral", 1, 65535, 256, ""},
		{"top of the range", 16384, 65500, 10, ""},
		{"odd count", 32768, 60999, 37, ""},
		{"reserved", 32768, 60999, 64, "8080,16384-60000,61001-64999,65535"},
	} {
		t.Run(c.name, func(t *testing.T) {
			reserved, err := parseReserved(c.reserved)
			if err != nil {
				t.Fatal(err)
			}
			candidates := portCandidates(c.low, c.high, c.count, reserved)
			if len(candidates) == 0 {
				t.Fatal("no candidates")
			}
			zone := 0
			for _, first := range candidates {
				last := int(first) + c.count - 1
				if first < lowestPort || last > highestPort || int(first)%c.count != 0 {
					t.Errorf("range %d to %d is out of bounds or not aligned", first, last)
				}
				for _, span := range reserved {
					if int(first) <= span.last && span.first <= last {
						t.Errorf("range %d to %d has reserved ports", first, last)
					}
				}
				z := 2
				switch {
				case int(first) > c.high:
					z = 0
				case last < c.low && last < firstNodePort:
					z = 1
				case int(first) < c.low || last > c.high:
					t.Errorf("range %d to %d is partly ephemeral, or for Kubernetes", first, last)
				}
				if z < zone {
					t.Errorf("range %d of zone %d after zone %d", first, z, zone)
				}
				zone = z
			}
		})
	}
}

// What the kernel does not write is not taken for something else.
func TestParseReserved(t *testing.T) {
	for _, text := range []string{"x", "1-", "-1", "9-8", "65536", "1,,x"} {
		if spans, err := parseReserved(text); err == nil {
			t.Errorf("%q read as %v", text, spans)
		}
	}
}
