package prober_test

import (
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/internal/netsim"
	"probe-agent/prober"
)

// A callback runs on the goroutine that called Trace, without the engine's lock.
// When it panics, or ends its goroutine, the trace ends and its flow identifiers
// become free.
func TestCallbacks(t *testing.T) {
	leave := map[string]func(){
		"panic": func() { panic("of a callback") },
		"exit":  runtime.Goexit,
	}
	for _, callback := range []string{"Heard", "Progress"} {
		for how, leave := range leave {
			for _, method := range []prober.Method{prober.ICMP, prober.UDP, prober.TCP, prober.GRE, prober.GREICMP} {
				t.Run(callback+"/"+how+"/"+method.String(), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { leaveByCallback(t, method, callback, leave) })
				})
			}
		}
	}
}

func leaveByCallback(t *testing.T, method prober.Method, callback string, leave func()) {
	network, err := netsim.New(netsim.Chain(5, 100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	engine := startEngine(t, netsim.NewMemory(network, network.Host()))
	spec := prober.Spec{Method: method, Target: netip.MustParseAddr("198.18.255.1")}
	running := 0
	call := func() {
		running = engine.Totals().Running // takes the engine's lock
		leave()
	}
	if callback == "Heard" {
		spec.Heard = func(netip.Addr, uint8) { call() }
	} else {
		spec.Progress = func(*prober.Result) { call() }
	}
	for range 5 {
		left := make(chan struct{})
		go func() {
			defer close(left)
			defer func() { _ = recover() }()
			_, err := engine.Trace(t.Context(), spec)
			t.Errorf("Trace returned, error %v", err)
		}()
		<-left
		if running == 0 {
			t.Fatal("the callback was not called during the trace")
		}
	}
	time.Sleep(2 * prober.DefaultWait) // virtual: the quarantine passes
	if now := engine.Totals(); now.Running != 0 || now.NamesHeld != 0 {
		t.Errorf("%d traces under way, %d flow identifiers held", now.Running, now.NamesHeld)
	}
}
