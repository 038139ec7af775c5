package rawsock

import (
	"sync"
	"time"

	"probe-agent/packet"
)

// ledgerSize is how many packets can wait for their stamps at once. At
// 100,000 packets a second it covers 80 ms. It is a power of two.
const ledgerSize = 8192

// stampLife is how long after its sending a packet's stamp can still come.
// The slowest way out is the queue for an unresolved neighbour, which the
// kernel gives up after three seconds.
const stampLife = 5 * time.Second

// ledger tells which token the kernel meant by a number. The kernel counts
// the packets of a socket from 0; the ledger counts along. When the two may
// have parted, the kernel's counter is set back to 0 and restart called: a
// new series. Stamps of the old series that are still to come carry numbers
// that the new one uses again, so a number is not trusted while an earlier
// bearer of it may be on its way.
type ledger struct {
	mu      sync.Mutex
	next    uint32 // number that the kernel gives to the next packet
	series  uint32
	entries [ledgerSize]ledgerEntry
}

// ledgerEntry stands for all numbers that are the same modulo ledgerSize.
type ledgerEntry struct {
	number  uint32 // the latest one, and its token
	token   uint32
	series  uint32
	waiting bool   // the stamp of number is to come, and will be trusted
	pending uint32 // stamps to come, of any number and series
	// expires is when no stamp can come any more, mixed when none of an
	// earlier series can.
	expires, mixed time.Duration
}

// reserve books the next numbers for packets about to be sent, in order.
// Stamps may be taken from then on. now is a monotonic time.
func (l *ledger) reserve(packets []packet.Outgoing, now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range packets {
		number := l.next + uint32(i)
		e := &l.entries[number%ledgerSize]
		if now >= e.expires {
			e.pending = 0
		}
		if e.series != l.series {
			e.mixed = e.expires
		}
		if e.pending == 0 {
			e.mixed = 0
		}
		e.number, e.token, e.series = number, packets[i].TxID, l.series
		e.waiting = now >= e.mixed
		e.pending++
		e.expires = now + stampLife
	}
}

// commit ends what reserve began: of the reserved packets the first sent
// left, the others did not.
func (l *ledger) commit(reserved, sent int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := sent; i < reserved; i++ {
		e := &l.entries[(l.next+uint32(i))%ledgerSize]
		e.waiting = false
		e.pending -= min(e.pending, 1)
	}
	l.next += uint32(sent)
}

// take returns the token of the packet that the kernel stamped under number.
func (l *ledger) take(number uint32) (token uint32, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &l.entries[number%ledgerSize]
	e.pending -= min(e.pending, 1)
	if !e.waiting || e.number != number || e.series != l.series {
		return 0, false
	}
	e.waiting = false
	return e.token, true
}

// restart begins a new series at number 0.
func (l *ledger) restart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = 0
	l.series++
}
