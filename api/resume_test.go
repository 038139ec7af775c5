package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/traceroute"
)

// shortened finds two hops, learns after a second that the second is beyond the end
// of the path, and ends after another.
func shortened(end func(target string) (*traceroute.Result, error)) *fakeColo {
	return &fakeColo{name: "den01", live: func(ctx context.Context, target string, report func(...traceroute.Hop)) (*traceroute.Result, error) {
		report(router(1, 3), router(2, 3))
		if err := after(ctx, time.Second); err != nil {
			return nil, err
		}
		report(traceroute.Hop{TTL: 2})
		if err := after(ctx, time.Second); err != nil {
			return nil, err
		}
		return end(target)
	}}
}

// Every id that a stream has had is one that it can be resumed after: also that
// of a hop beyond the end, which a new reader does not get, and that of the end of
// a run that panicked.
func TestResumeAfterAnyEvent(t *testing.T) {
	for name, end := range map[string]func(string) (*traceroute.Result, error){
		"ends":   reached,
		"panics": func(string) (*traceroute.Result, error) { panic("out of cheese") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, l := newHandler(t, shortened(end)), loadLaw(t)
				_, result := l.request(t, h, http.MethodPost, nativePath, goodBody, "Prefer: respond-async")
				path := nativePath + "/" + result.TraceID + "/events"
				whole := httptest.NewRecorder()
				followed := make(chan struct{})
				go func() {
					defer close(followed)
					h.ServeHTTP(whole, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
				}()
				time.Sleep(1500 * time.Millisecond)
				if got, _ := l.request(t, h, http.MethodGet, path+"?after=4", ""); got.status != http.StatusOK { // the removed hop
					t.Errorf("while it runs: %d %s", got.status, got.body)
				}
				<-followed
				synctest.Wait()
				var ids []int
				for _, e := range newEventReader(l, strings.NewReader(whole.Body.String()), asNDJSON).all(t) {
					ids = append(ids, e.ID)
				}
				last := ids[len(ids)-1]
				for _, id := range ids {
					want := http.StatusOK
					if id == last {
						want = http.StatusNoContent
					}
					got, _ := l.request(t, h, http.MethodGet, fmt.Sprintf("%s?after=%d", path, id), "")
					if got.status != want || want == http.StatusOK && !strings.Contains(string(got.body), fmt.Sprintf(`"id":%d,`, last)) {
						t.Errorf("after %d of %v: %d %s", id, ids, got.status, got.body)
					}
				}
			})
		})
	}
}

// A panic is logged also when the client of the run has left before it.
func TestPanicAfterItsClient(t *testing.T) {
	for _, accept := range []string{"application/json", asNDJSON} {
		t.Run(accept, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log lines
				bad := &fakeColo{name: "den01", trace: func(ctx context.Context, _ string, _ traceroute.Spec) (*traceroute.Result, error) {
					<-ctx.Done()
					panic("out of cheese")
				}}
				h := New(Config{Service: newService(t, bad), Log: slog.New(slog.NewTextHandler(&log, nil)), Kept: keptLimits()})
				ctx, leave := context.WithTimeout(t.Context(), time.Second)
				defer leave()
				r := httptest.NewRequestWithContext(ctx, http.MethodPost, nativePath, strings.NewReader(goodBody))
				r.Header.Set("Accept", accept)
				func() {
					defer func() { _ = recover() }() // the connection may be dropped
					h.ServeHTTP(httptest.NewRecorder(), r)
				}()
				if n := strings.Count(log.text.String(), "msg=panic"); n != 1 {
					t.Errorf("%d panics in the log: %s", n, log.text.String())
				}
			})
		})
	}
}

// panicking panics when it is asked for what it knows at once.
type panicking struct{ fakeAnnotator }

func (p panicking) Annotate(ctx context.Context, addrs []netip.Addr) traceroute.Notes {
	if ctx.Err() != nil {
		panic("out of cheese")
	}
	return p.fakeAnnotator.Annotate(ctx, addrs)
}

// A panic that is one reader's alone is logged, and ends its stream at once and
// nothing else.
func TestPanicOfAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		colo := &fakeColo{name: "den01", live: func(ctx context.Context, target string, report func(...traceroute.Hop)) (*traceroute.Result, error) {
			if err := after(ctx, time.Second); err != nil { // the POST is answered without hops
				return nil, err
			}
			report(router(1, 3))
			if err := after(ctx, time.Second); err != nil {
				return nil, err
			}
			return reached(target)
		}}
		h := New(Config{
			Service: newNamedService(t, panicking{}, colo), Kept: keptLimits(),
			Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
		l := loadLaw(t)
		_, result := l.request(t, h, http.MethodPost, nativePath, goodBody, "Prefer: respond-async")
		time.Sleep(time.Second)
		synctest.Wait()
		started := time.Now()
		events, _ := l.request(t, h, http.MethodGet, nativePath+"/"+result.TraceID+"/events", "")
		if took := time.Since(started); took != 0 || !strings.Contains(string(events.body), `"event":"aborted"`) {
			t.Errorf("after %v: %s", took, events.body)
		}
		if n := strings.Count(log.text.String(), "msg=panic"); n != 1 {
			t.Errorf("%d panics in the log: %s", n, log.text.String())
		}
		time.Sleep(3 * time.Second)
		if _, result := l.request(t, h, http.MethodGet, nativePath+"/"+result.TraceID, ""); result.states() != "done reached" {
			t.Errorf("the trace: %s", result.states())
		}
	})
}
