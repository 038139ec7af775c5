package quota

import "time"

// window remembers when the requests of a token came that still count, so that
// a limit holds for every window and not for those that begin on the minute.
type window struct {
	times []time.Duration // a ring: from head, count entries
	head  int
	count int
}

// forget drops what came at that time or earlier.
func (w *window) forget(until time.Duration) {
	for w.count > 0 && w.times[w.head] <= until {
		w.head = (w.head + 1) % len(w.times)
		w.count--
	}
	if w.count == 0 {
		*w = window{} // a token that rests holds no memory
	}
}

// add remembers a request that came now.
func (w *window) add(now time.Duration) {
	if w.count == len(w.times) {
		bigger := make([]time.Duration, max(4, 2*len(w.times)))
		for i := range w.count {
			bigger[i] = w.times[(w.head+i)%len(w.times)]
		}
		w.times, w.head = bigger, 0
	}
	w.times[(w.head+w.count)%len(w.times)] = now
	w.count++
}

// at returns when request i of those that still count came.
func (w *window) at(i int) time.Duration { return w.times[(w.head+i)%len(w.times)] }

// Allowance is how a token stands with its rate of requests. The zero value
// stands for no limit.
type Allowance struct {
	Requests  int           // within any Window
	Window    time.Duration // whole seconds
	Remaining int           // requests that may come at once
	// Reset is when Remaining rises next; 0 when it is all of Requests.
	Reset time.Duration
}

// allowance returns how a token stands now.
func (l Limits) allowance(w *window, now time.Duration) Allowance {
	if l.Requests == 0 {
		return Allowance{}
	}
	w.forget(now - l.Window)
	a := Allowance{Requests: l.Requests, Window: l.Window, Remaining: max(0, l.Requests-w.count)}
	if w.count > 0 {
		a.Reset = w.at(max(0, w.count-l.Requests)) + l.Window - now
	}
	return a
}
