package lookup

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// source knows one thing of addresses: what it was told before, from a cache,
// the rest by asking. An address is asked for by one goroutine at a time; up
// to concurrency are under way, up to queue wait for their turn, and what is
// more is dropped. It is safe for concurrent use.
type source[V any] struct {
	ask         func(ctx context.Context, addr netip.Addr) answer[V]
	cache       *otter.Cache[netip.Addr, answer[V]]
	concurrency int
	queue       int

	ctx     context.Context // of every lookup; ends with close
	cancel  context.CancelFunc
	workers sync.WaitGroup

	mu      sync.Mutex
	flights map[netip.Addr]*flight[V] // waiting or under way
	waiting []netip.Addr              // first come, first served
	running int                       // workers
	closed  bool

	hits, misses, late, dropped atomic.Uint64
	ended                       [fates]atomic.Uint64
}

// flight is a lookup that several may wait for.
type flight[V any] struct {
	done   chan struct{} // closed when answer is there
	answer answer[V]
}

// newSource returns a source without a goroutine of its own but the cache's;
// workers come and go with the work. Its owner must close it.
func newSource[V any](c Config, ask func(context.Context, netip.Addr) answer[V]) (*source[V], error) {
	cache, err := otter.New(&otter.Options[netip.Addr, answer[V]]{
		MaximumSize:      c.Entries,
		ExpiryCalculator: otter.ExpiryWritingFunc(untilStale[V]),
		// Upkeep on the caller's goroutine leaves none behind.
		Executor: func(task func()) { task() },
	})
	if err != nil {
		return nil, fmt.Errorf("lookup: cache: %w", err)
	}
	s := &source[V]{
		ask:         ask,
		cache:       cache,
		concurrency: c.Concurrency,
		queue:       c.Queue,
		flights:     make(map[netip.Addr]*flight[V]),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// want returns the answer for addr when it is known. Otherwise it returns a
// flight that will bring it, which is nil when the lookup was dropped.
func (s *source[V]) want(addr netip.Addr) (answer[V], *flight[V], bool) {
	if a, known := s.cache.GetIfPresent(addr); known {
		return a, nil, true
	}
	return s.join(addr)
}

// join is want for an address that was not in the cache a moment ago.
func (s *source[V]) join(addr netip.Addr) (answer[V], *flight[V], bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, under := s.flights[addr]; under {
		return answer[V]{}, f, false
	}
	// A flight that landed since has put its answer there before it left
	// flights.
	if a, known := s.cache.GetIfPresent(addr); known {
		return a, nil, true
	}
	if s.closed || s.running >= s.concurrency && len(s.waiting) >= s.queue {
		s.dropped.Add(1)
		return answer[V]{}, nil, false
	}
	f := &flight[V]{done: make(chan struct{})}
	s.flights[addr] = f
	s.waiting = append(s.waiting, addr)
	if s.running < s.concurrency {
		s.running++
		s.workers.Go(s.work)
	}
	return answer[V]{}, f, false
}

// work asks for addresses as long as any wait.
func (s *source[V]) work() {
	for {
		addr, ok := s.next()
		if !ok {
			return
		}
		s.land(addr, s.ask(s.ctx, addr))
	}
}

func (s *source[V]) next() (netip.Addr, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		s.waiting = nil
		s.running--
		return netip.Addr{}, false
	}
	addr := s.waiting[0]
	s.waiting = s.waiting[1:]
	return addr, true
}

// land hands the answer for addr to whoever waits and to those who will ask.
func (s *source[V]) land(addr netip.Addr, a answer[V]) {
	if s.ctx.Err() == nil && a.ttl > 0 { // else it says nothing of the address
		s.cache.Set(addr, a)
	}
	s.ended[a.fate].Add(1)
	s.mu.Lock()
	f := s.flights[addr]
	delete(s.flights, addr)
	s.mu.Unlock()
	f.answer = a
	close(f.done)
}

// await waits for f until ctx ends. What has not come by then is no answer.
func (s *source[V]) await(ctx context.Context, f *flight[V]) answer[V] {
	select {
	case <-f.done: // also when ctx has ended
		return f.answer
	default:
	}
	select {
	case <-f.done:
		return f.answer
	case <-ctx.Done():
		s.late.Add(1)
		return answer[V]{fate: silent}
	}
}

// close ends all lookups, those that wait too, and returns when the last has
// ended. Cached answers stay.
func (s *source[V]) close() {
	s.cancel()
	s.mu.Lock()
	s.closed = true
	for _, addr := range s.waiting {
		f := s.flights[addr]
		delete(s.flights, addr)
		f.answer = failedAnswer[V](context.Canceled)
		close(f.done)
	}
	s.waiting = nil
	s.mu.Unlock()
	s.workers.Wait()
	s.cache.StopAllGoroutines()
}

func untilStale[V any](e otter.Entry[netip.Addr, answer[V]]) time.Duration {
	return e.Value.ttl
}
