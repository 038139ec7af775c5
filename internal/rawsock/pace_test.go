package rawsock

import (
	"testing"
	"time"
)

// TestReadPace plays packets that come at a steady rate and counts the reads.
func TestReadPace(t *testing.T) {
	const timer = time.Millisecond // how long a short sleep takes on an idle host
	tests := []struct {
		name    string
		rate    int // packets a second
		longest time.Duration
		atMost  int // reads a second; 0: one for each packet
	}{
		{"a trace now and then", 100, 0, 0},
		{"a few traces", 5_000, 0, 0},
		{"busy", 50_000, timer, 2_500},
		{"full rate", 200_000, timer, 4_500},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p readPace
			start := time.Unix(0, 0)
			now := start
			read, reads := 0, 0
			var longest time.Duration
			for now.Sub(start) < time.Second {
				if p.rest(now) > 0 {
					now = now.Add(timer)
				}
				come := int(now.Sub(start) * time.Duration(tt.rate) / time.Second)
				if come == read { // waits for the next packet
					read++
					now = start.Add(time.Duration(read) * time.Second / time.Duration(tt.rate))
					come = read
					read--
				}
				oldest := start.Add(time.Duration(read+1) * time.Second / time.Duration(tt.rate))
				longest = max(longest, now.Sub(oldest))
				n := min(batch, come-read)
				read += n
				reads++
				p.took(n, n == batch, now)
			}
			limit := tt.atMost
			if limit == 0 {
				limit = tt.rate
			}
			if reads > limit {
				t.Errorf("%d reads for %d packets, want at most %d", reads, read, limit)
			}
			if longest > tt.longest {
				t.Errorf("a packet waited %v, want at most %v", longest, tt.longest)
			}
		})
	}
}
