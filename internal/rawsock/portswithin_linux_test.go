package rawsock

import "testing"

func TestPortsWithin(t *testing.T) {
	for descriptors, want := range map[uint64]int{
		0: MinPorts, 64: MinPorts, 96: 10, 128: 21, 256: 64, 512: 129, 1023: DefaultPorts, 1024: DefaultPorts, 1 << 63: DefaultPorts,
	} {
		if got := portsWithin(descriptors, 2); got != want {
			t.Errorf("%d descriptors: %d ports, want %d", descriptors, got, want)
		}
	}
}
