package rawsock

import "testing"

func TestPortCandidates(t *testing.T) {
	for _, c := range []struct {
		name             string
		low, high, count int
	}{
		{"Linux's own", 32768, 60999, 64},
		{"nothing above", 1024, 65535, 64},
		{"nothing but ephemeral", 1, 65535, 256},
		{"top of the range", 16384, 65500, 10},
		{"odd count", 32768, 60999, 37},
	} {
		t.Run(c.name, func(t *testing.T) {
			candidates := portCandidates(c.low, c.high, c.count)
			if len(candidates) == 0 {
				t.Fatal("no candidates")
			}
			zone := 0
			for _, first := range candidates {
				last := int(first) + c.count - 1
				if first < lowestPort || last > highestPort || int(first)%c.count != 0 {
					t.Errorf("range %d to %d is out of bounds or not aligned", first, last)
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
