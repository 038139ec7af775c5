package v1

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/service"
)

// kept is a resource that has ended now and takes so many bytes, at least 1 KiB.
func kept(id, account string, bytes int) *resource {
	return &resource{
		id: id, account: account, ended: time.Now(),
		traces: []service.Trace{{}}, outcomes: [][]byte{make([]byte, max(0, bytes-1<<10))},
	}
}

func (s *store) ids() string {
	var ids []string
	for _, t := range s.finished {
		ids = append(ids, t.id)
	}
	slices.Sort(ids)
	return strings.Join(ids, "")
}

func (s *store) put(t *resource) {
	s.add(t)
	s.finish(t)
}

func TestStoreLimits(t *testing.T) {
	tests := []struct {
		name   string
		limits Limits
		put    string // ids; the account is the id's letter case, the size 2 KiB for vowels, else 1 KiB
		want   string
	}{
		{"all", Limits{Traces: 3, Bytes: 1 << 20, Age: time.Hour}, "bcd", "bcd"},
		{"number", Limits{Traces: 2, Bytes: 1 << 20, Age: time.Hour}, "bcdf", "df"},
		{"bytes", Limits{Traces: 9, Bytes: 4 << 10, Age: time.Hour}, "baec", "ec"},
		{"one too large", Limits{Traces: 9, Bytes: 2047, Age: time.Hour}, "a", ""},
		{"none", Limits{}, "b", ""},
		// Who keeps most makes room.
		{"accounts", Limits{Traces: 4, Bytes: 1 << 20, Age: time.Hour}, "Bcdfgh", "Bfgh"},
		{"accounts by bytes", Limits{Traces: 9, Bytes: 4 << 10, Age: time.Hour}, "BCae", "BCe"},
	}
	for _, tt := range tests {
		s := newStore(tt.limits)
		for id := range strings.SplitSeq(tt.put, "") {
			account, size := "lower", 1<<10
			if strings.ToUpper(id) == id {
				account = "upper"
			}
			if id == "a" || id == "e" {
				size = 2 << 10
			}
			s.put(kept(id, account, size))
		}
		if got, want := s.ids(), strings.Join(slices.Sorted(slices.Values(strings.Split(tt.want, ""))), ""); got != want || len(s.byID) != len(want) {
			t.Errorf("%s: %q, want %q", tt.name, got, want)
		}
		s.setLimits(Limits{})
		if n, bytes := s.kept(); n != 0 || bytes != 0 || len(s.taken)+len(s.byID) != 0 {
			t.Errorf("%s: %d bytes, %v, %d ids left", tt.name, s.bytes, s.taken, len(s.byID))
		}
	}
}

func TestStoreAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(Limits{Traces: 9, Bytes: 1 << 20, Age: time.Minute})
		s.put(kept("a", "x", 0))
		time.Sleep(30 * time.Second)
		s.put(kept("b", "x", 0))
		time.Sleep(30*time.Second - 1)
		if s.find("x", "a") == nil || s.find("y", "a") != nil {
			t.Error("a is to be found for a minute, by its account")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if s.find("x", "a") != nil || s.find("x", "b") == nil {
			t.Error("a is to be dropped after a minute, and b not yet")
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if s.find("x", "b") != nil || s.expiry != nil {
			t.Error("nothing is to be left after a minute more")
		}
	})
}
