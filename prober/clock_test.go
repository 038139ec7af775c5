package prober

import (
	"testing"
	"time"

	"probe-agent/prober/mono"
	"probe-agent/traceroute"
)

const (
	ms = int64(time.Millisecond)
	us = int64(time.Microsecond)
)

// wall0 is when the tests' wall clock starts; nothing may depend on it.
const wall0 = int64(1_700_000_000_000_000_000)

func at(now, step int64) moment { return moment{mono: mono.Instant(now), wall: wall0 + now + step} }

func TestRoundTrip(t *testing.T) {
	sentAt := sending{user: mono.Instant(5 * ms), kernel: wall0 + 5*ms + 40*us}
	tests := []struct {
		name  string
		s     sending
		r     receipt
		want  time.Duration
		clock traceroute.Clock
		now   uint16 // epoch when the result is made
	}{
		{"both kernel stamps", sentAt, receipt{user: at(25*ms, 0), kernel: wall0 + 25*ms - 60*us}, 20*time.Millisecond - 100*time.Microsecond, traceroute.KernelClock, 0},
		{"no transmit stamp", sending{user: mono.Instant(5 * ms)}, receipt{user: at(25*ms, 0), kernel: wall0 + 25*ms - 60*us}, 20*time.Millisecond - 60*time.Microsecond, traceroute.KernelReceiveClock, 0},
		{"no receive stamp", sentAt, receipt{user: at(25*ms, 0)}, 20 * time.Millisecond, traceroute.UserClock, 0},
		{"no stamp", sending{user: mono.Instant(5 * ms)}, receipt{user: at(25*ms, 0)}, 20 * time.Millisecond, traceroute.UserClock, 0},
		{"step noticed: another epoch", sentAt, receipt{user: at(25*ms, 3600*1000*ms), kernel: wall0 + 25*ms + 3600*1000*ms, epoch: 1}, 20 * time.Millisecond, traceroute.UserClock, 1},
		{"stamps of two epochs that look right", sentAt, receipt{user: at(25*ms, -3*ms), kernel: wall0 + 22*ms - 60*us, epoch: 1}, 20 * time.Millisecond, traceroute.UserClock, 0},
		{"stepped forward between stamp and reading", sentAt, receipt{user: at(25*ms, 0), kernel: wall0 + 3600*1000*ms}, 20 * time.Millisecond, traceroute.UserClock, 0},
		{"stepped back between stamp and reading", sentAt, receipt{user: at(25*ms, 0), kernel: wall0 - 3600*1000*ms}, 20 * time.Millisecond, traceroute.UserClock, 0},
		{"transmit stamp after the receipt", sending{user: mono.Instant(5 * ms), kernel: wall0 + 30*ms}, receipt{user: at(25*ms, 0), kernel: wall0 + 25*ms - 60*us}, 20*time.Millisecond - 60*time.Microsecond, traceroute.KernelReceiveClock, 0},
		{"step shows only afterwards", sentAt, receipt{user: at(25*ms, 0), kernel: wall0 + 15*ms}, 20 * time.Millisecond, traceroute.UserClock, 1},
		{"step after a prompt answer", sentAt, receipt{user: at(25*ms, 0), kernel: wall0 + 25*ms - 60*us}, 20*time.Millisecond - 100*time.Microsecond, traceroute.KernelClock, 1},
		{"answer read late", sentAt, receipt{user: at(25*ms, 0), kernel: wall0 + 15*ms}, 10*time.Millisecond - 40*time.Microsecond, traceroute.KernelClock, 0},
		{"readings out of order", sending{user: mono.Instant(25 * ms)}, receipt{user: at(5*ms, 0)}, 0, traceroute.UserClock, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, clock := roundTrip(tt.s, tt.r, tt.now); got != tt.want || clock != tt.clock {
				t.Errorf("got %v by %v, want %v by %v", got, clock, tt.want, tt.clock)
			}
		})
	}
}

func TestClockWatch(t *testing.T) {
	tests := []struct {
		name     string
		readings []moment
		want     uint16 // epoch after them
	}{
		{"steady", []moment{at(0, 0), at(ms, 0), at(5000*ms, 0)}, 0},
		{"noise of reading two clocks", []moment{at(0, 0), at(ms, 15*us), at(2*ms, -3*us)}, 0},
		{"half a millisecond forward, unnoticed for a second", []moment{at(0, 0), at(1000*ms, 500*us), at(2000*ms, 500*us)}, 1},
		{"a millisecond back in a minute", []moment{at(0, 0), at(60_000*ms, -ms)}, 1},
		{"an hour forward", []moment{at(0, 0), at(ms, 3600*1000*ms), at(2*ms, 3600*1000*ms)}, 1},
		{"a millisecond back", []moment{at(0, 0), at(ms, -ms), at(2*ms, -ms)}, 1},
		{"there and back", []moment{at(0, 0), at(ms, 9*ms), at(2*ms, 0)}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c clockWatch
			var got uint16
			for _, m := range tt.readings {
				got = c.observe(m)
			}
			if got != tt.want {
				t.Errorf("epoch %d, want %d", got, tt.want)
			}
		})
	}
}

// A reading interrupted in the middle looks like a step and is made again.
func TestClockWatchReadsAgain(t *testing.T) {
	interrupted := func(mono int64) moment { return at(mono, -3*ms) }
	tests := []struct {
		name     string
		readings []moment // the last of them is the one to be believed
		want     uint16   // epoch after it
	}{
		{"at peace", []moment{at(ms, 0)}, 0},
		{"interrupted once", []moment{interrupted(ms), at(2*ms, 0)}, 0},
		{"four times in a row", []moment{interrupted(ms), interrupted(5 * ms), interrupted(9 * ms), interrupted(13 * ms), at(14*ms, 0)}, 0},
		{"a real step", []moment{at(ms, -3*ms), at(ms+us, -3*ms), at(ms+2*us, -3*ms), at(ms+3*us, -3*ms), at(ms+4*us, -3*ms)}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c clockWatch
			c.observe(at(0, 0))
			made := 0
			got := c.read(func() moment { made++; return tt.readings[made-1] })
			if last := tt.readings[len(tt.readings)-1]; made != len(tt.readings) || got != last {
				t.Errorf("%d readings gave %+v, want %d and %+v", made, got, len(tt.readings), last)
			}
			if c.epoch != tt.want {
				t.Errorf("epoch %d, want %d", c.epoch, tt.want)
			}
		})
	}
}

func TestClockWatchReadsStamps(t *testing.T) {
	var c clockWatch
	c.observe(at(10*ms, 0))
	c.transmitted(sending{user: mono.Instant(8 * ms), kernel: wall0 + 8*ms + 30*us})
	c.received(at(10*ms, 0), wall0+10*ms-30*us)
	if c.epoch != 0 {
		t.Fatal("a step was seen where there was none")
	}
	c.transmitted(sending{user: mono.Instant(9 * ms), kernel: wall0 + 9*ms - 40*ms})
	if c.epoch != 1 {
		t.Fatal("a stamp from before its sending went unnoticed")
	}
	c.transmitted(sending{user: mono.Instant(9 * ms), kernel: wall0 + 9*ms - 40*ms + 50*us})
	c.received(at(10*ms, 0), wall0+10*ms-40*ms-50*us)
	if c.epoch != 1 {
		t.Fatal("one step was seen twice")
	}
	c.received(at(10*ms, 0), wall0+10*ms)
	if c.epoch != 2 {
		t.Fatal("a stamp from the future went unnoticed")
	}
	c.observe(at(11*ms, 40*ms))
	c.transmitted(sending{user: mono.Instant(10 * ms), kernel: wall0 + 10*ms, epoch: 2})
	if c.epoch != 3 {
		t.Fatal("a stamp from before a step that has shown was taken for another step")
	}
}

func TestClockWatchCorrectsTheDeparture(t *testing.T) {
	var c clockWatch
	c.observe(at(4000*ms, 0))
	for _, tt := range []struct {
		name   string
		kernel int64
		epoch  uint16
		want   int64
	}{
		{"at once", 5*ms + 40*us, 0, 5 * ms},
		{"stopped before the system call", 3000 * ms, 0, 3000*ms - 20*us},
		{"of another epoch", 3000 * ms, 1, 5 * ms},
		{"after the latest reading", 4500 * ms, 0, 5 * ms},
	} {
		s := sending{user: mono.Instant(5 * ms), kernel: wall0 + tt.kernel, epoch: tt.epoch}
		if got := c.departed(s); got != mono.Instant(tt.want) {
			t.Errorf("%s: left at %v, want %v", tt.name, time.Duration(got), time.Duration(tt.want))
		}
	}
}
