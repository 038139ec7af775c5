package rawsock

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"probe-agent/packet"
)

func outgoing(tokens ...uint32) []packet.Outgoing {
	packets := make([]packet.Outgoing, len(tokens))
	for i, token := range tokens {
		packets[i].TxID = token
	}
	return packets
}

func TestLedger(t *testing.T) {
	take := func(t *testing.T, l *ledger, number, want uint32) {
		t.Helper()
		if token, ok := l.take(number); !ok || token != want {
			t.Errorf("take(%d) = %d, %v, want %d", number, token, ok, want)
		}
	}
	takeNone := func(t *testing.T, l *ledger, number uint32) {
		t.Helper()
		if token, ok := l.take(number); ok {
			t.Errorf("take(%d) = %d, want none", number, token)
		}
	}
	t.Run("each once", func(t *testing.T) {
		l := new(ledger)
		l.reserve(outgoing(70, 71), 0)
		take(t, l, 1, 71) // a stamp can come before the system call returns
		l.commit(2, 2)
		take(t, l, 0, 70)
		takeNone(t, l, 0)
		takeNone(t, l, 2)
	})
	t.Run("refused packets use no number", func(t *testing.T) {
		l := new(ledger)
		l.reserve(outgoing(70, 71, 72), 0)
		l.commit(3, 1)
		takeNone(t, l, 1)
		l.reserve(outgoing(80), 0)
		l.commit(1, 1)
		take(t, l, 1, 80)
		take(t, l, 0, 70)
	})
	t.Run("stamps older than a restart", func(t *testing.T) {
		l := new(ledger)
		l.reserve(outgoing(70, 71), 0)
		l.commit(2, 2)
		take(t, l, 0, 70)
		l.restart() // 71 still in the device's queue
		l.reserve(outgoing(80, 81), time.Second)
		l.commit(2, 2)
		take(t, l, 0, 80)
		takeNone(t, l, 1) // of 71 or of 81: nobody can tell
		takeNone(t, l, 1)
		l.restart()
		l.reserve(outgoing(90, 91), 2*time.Second)
		l.commit(2, 2)
		take(t, l, 1, 91) // both earlier ones have come
	})
	t.Run("numbers that share an entry", func(t *testing.T) {
		l := new(ledger)
		l.next = ledgerSize
		l.reserve(outgoing(70), 0)
		l.commit(1, 1)
		l.restart()
		l.reserve(outgoing(80), time.Second) // number 0, while that of 70 is to come
		l.commit(1, 1)
		l.restart()
		l.reserve(outgoing(90), stampLife) // 70 can come no more, 80 can
		l.commit(1, 1)
		takeNone(t, l, 0)
	})
	t.Run("a stamp that never comes is forgotten", func(t *testing.T) {
		l := new(ledger)
		l.reserve(outgoing(70), 0)
		l.commit(1, 1)
		l.restart()
		l.reserve(outgoing(80), stampLife)
		l.commit(1, 1)
		take(t, l, 0, 80)
	})
}

// A model of the kernel: it numbers packets, refuses some of them with or
// without using a number up, and gives stamps back late, in any order or
// never. Whatever it does, no token is taken for another packet's stamp.
func TestLedgerNeverWrong(t *testing.T) {
	type flight struct {
		number, token uint32
		sent          time.Duration
	}
	rapid.Check(t, func(t *rapid.T) {
		l := new(ledger)
		start := rapid.SampledFrom([]uint32{0, ledgerSize - 3, 1<<32 - 5}).Draw(t, "start")
		kernel, token := start, uint32(1000)
		l.next = start
		var inFlight []flight
		var now time.Duration
		t.Repeat(map[string]func(*rapid.T){
			"send": func(t *rapid.T) {
				n := rapid.IntRange(1, 6).Draw(t, "packets")
				sent := rapid.IntRange(0, n).Draw(t, "sent")
				packets := make([]packet.Outgoing, n)
				for i := range packets {
					packets[i].TxID = token
					token++
				}
				l.reserve(packets, now)
				for _, p := range packets[:sent] {
					inFlight = append(inFlight, flight{kernel, p.TxID, now})
					kernel++
				}
				l.commit(n, sent)
				if sent < n && rapid.Bool().Draw(t, "refused for good") {
					// Whether the refused packet used up a number no longer matters.
					l.restart()
					kernel = 0
				}
			},
			"stamp": func(t *rapid.T) {
				if len(inFlight) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(inFlight)-1).Draw(t, "which")
				f := inFlight[i]
				inFlight = append(inFlight[:i], inFlight[i+1:]...)
				if got, ok := l.take(f.number); ok {
					if got != f.token {
						t.Fatalf("stamp of %d credited to %d", f.token, got)
					}
				}
			},
			"lose": func(t *rapid.T) {
				if len(inFlight) == 0 {
					t.Skip()
				}
				inFlight = inFlight[1:]
			},
			"wait": func(t *rapid.T) {
				now += time.Duration(rapid.IntRange(1, 3000).Draw(t, "ms")) * time.Millisecond
				kept := inFlight[:0]
				for _, f := range inFlight {
					if now-f.sent < stampLife {
						kept = append(kept, f)
					}
				}
				inFlight = kept
			},
		})
	})
}
