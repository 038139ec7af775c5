//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"probe-agent/internal/netsim/kernel"
)

// load is what was asked of the agent, and what came of it.
type load struct {
	mu                                          sync.Mutex
	asked, answered, refused, cancelled, traces int
	wrong                                       []string
}

// maxWrong bounds what is told of wrong answers.
const maxWrong = 20

func (l *load) note(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func (l *load) complain(format string, args ...any) {
	l.note(func() {
		if len(l.wrong) < maxWrong {
			l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
		}
	})
}

// clients ask at once, each its next question when the last is answered.
const clients = 12

// burst is how many requests come at one moment, again and again. They want
// more traces than there is room for.
const burst = 100

// run keeps the load up for a while. The configuration is reloaded all the
// while.
func (l *load) run(ctx context.Context, a *agent, length time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			for ctx.Err() == nil {
				l.ask(a)
			}
		})
	}
	running.Go(func() {
		every(ctx, 5*time.Second, func() {
			if err := a.reload(); err != nil {
				l.complain("reload: %v", err)
			}
		})
	})
	running.Go(func() {
		every(ctx, 3*time.Second, func() {
			var asking sync.WaitGroup
			for range burst {
				asking.Go(func() { l.ask(a) })
			}
			asking.Wait()
		})
	})
	running.Wait()
}

// every calls f at once and then in intervals until the context is done.
func every(ctx context.Context, interval time.Duration, f func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for ctx.Err() == nil {
		f()
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// question is the body of a request.
type question struct {
	Targets []string       `json:"targets"`
	Options map[string]any `json:"options"`
	expects []expectation
}

// expectation is what a trace must come to.
type expectation struct {
	untraced bool
	silent   bool
	ipv6     bool
}

// hopeless targets come to an error: a name that is not, one of whom does not
// want to be probed, one that the policy denies.
var hopeless = [...]string{"no-such-host.invalid", "203.0.113.9", "198.51.100.9"}

// ask draws a request and holds the answer against what it must be.
func (l *load) ask(a *agent) {
	l.note(func() { l.asked++ })
	switch rand.IntN(20) {
	case 0:
		l.malformed(a)
		return
	case 1:
		l.leave(a)
		return
	}
	q := draw(a.lab)
	status, body, err := a.post(context.Background(), q)
	if err != nil || status != http.StatusOK {
		l.complain("%v: status %d, %v: %.200s", q, status, err, body)
		return
	}
	l.note(func() { l.answered++; l.traces += len(q.Targets) })
	if err := q.holds(a.lab, body); err != nil {
		l.complain("%v: %v", q, err)
	}
}

// malformed sends what is no request.
func (l *load) malformed(a *agent) {
	status, body, err := a.post(context.Background(), []string{"targets"})
	if err != nil || status != http.StatusBadRequest {
		l.complain("malformed: status %d, %v: %.200s", status, err, body)
		return
	}
	l.note(func() { l.refused++ })
}

// leave is a client that is gone before its answer comes.
func (l *load) leave(a *agent) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+rand.IntN(400))*time.Millisecond)
	defer cancel()
	if _, _, err := a.post(ctx, draw(a.lab)); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		l.complain("cancelled: %v", err)
	}
	l.note(func() { l.cancelled++ })
}

// draw is a request of any type, to targets of both families, some to a port
// that says nothing and some to what cannot or must not be traced.
func draw(lab *kernel.Lab) question {
	types := []string{"icmp", "udp", "tcp", "gre", "gre+icmp"}
	kind := types[rand.IntN(len(types))]
	packets := 1 + rand.IntN(3)
	q := question{Options: map[string]any{"packet_type": kind, "packets_per_ttl": packets, "max_ttl": 8, "wait_time": 1}}
	silent := (kind == "udp" || kind == "tcp") && rand.IntN(6) == 0
	if silent {
		q.Options["port"] = 82
	}
	for range 1 + rand.IntN(4) {
		if n := rand.IntN(30); n < len(hopeless) {
			q.Targets, q.expects = append(q.Targets, hopeless[n]), append(q.expects, expectation{untraced: true})
			continue
		}
		ipv6 := rand.IntN(2) == 0
		all := lab.Targets(ipv6)
		q.Targets = append(q.Targets, all[rand.IntN(len(all))].String())
		q.expects = append(q.expects, expectation{silent: silent, ipv6: ipv6})
	}
	return q
}

func (a *agent) post(ctx context.Context, q any) (status int, body []byte, err error) {
	sent, err := json.Marshal(q)
	if err != nil {
		return 0, nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/accounts/"+account+"/diagnostics/traceroute", bytes.NewReader(sent))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+a.secret)
	response, err := a.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

func (l *load) report() {
	fmt.Printf("%d requests: %d answered with %d traces, %d malformed and refused, %d left by their client, %d wrong\n",
		l.asked, l.answered, l.traces, l.refused, l.cancelled, len(l.wrong))
}

// verdict is an error when a request was not answered, or wrongly.
func (l *load) verdict() error {
	var errs []error
	for _, w := range l.wrong {
		errs = append(errs, errors.New(w))
	}
	if open := l.asked - l.answered - l.refused - l.cancelled; open > 0 {
		errs = append(errs, fmt.Errorf("%d requests without their answer", open))
	}
	return errors.Join(errs...)
}
