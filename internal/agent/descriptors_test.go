package agent

import "testing"

func TestConnectionsWithin(t *testing.T) {
	for _, tt := range []struct{ limit, open, want int }{
		{524288, 550, 524288 - 550 - maxReserve},
		{8192, 550, 8192 - 550 - maxReserve},
		{1024, 544, 360},
		{128, 64, 32},
		{64, 44, 10},
		{64, 63, 1},
		{64, 64, 0},
		{64, 70, -6},
	} {
		if got := connectionsWithin(tt.limit, tt.open); got != tt.want {
			t.Errorf("%d of %d open: %d connections, want %d", tt.open, tt.limit, got, tt.want)
		}
	}
}
