package prober_test

import (
	"context"
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"

	"probe-agent/internal/netsim"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// TestRefusalAfterCancel: a host may refuse a probe while its trace ends, and
// after the trace has given its identifiers back.
func TestRefusalAfterCancel(t *testing.T) {
	for _, method := range traceroute.Methods() {
		synctest.Test(t, func(t *testing.T) {
			network, err := netsim.New(netsim.Chain(3, 0))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			inSend, goOn := make(chan struct{}), make(chan struct{})
			refusing := true
			host := newTrouble(netsim.NewMemory(network, network.Host()))
			host.refuses = func(netip.Addr, []byte) error {
				if !refusing {
					return nil
				}
				refusing = false
				close(inSend)
				<-goOn
				return syscall.EPERM
			}
			engine := startEngine(t, host)
			spec := traceroute.Spec{Target: netip.MustParseAddr("198.18.255.1"), Method: method}
			ended := make(chan error)
			go func() {
				_, err := engine.Trace(ctx, spec, prober.Feed{})
				ended <- err
			}()
			<-inSend
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("%v: %v", method, err)
			}
			close(goOn)
			synctest.Wait()
			if got := engine.Totals(); got.Refused != 1 || got.Running != 0 {
				t.Errorf("%v: %+v", method, got)
			}
			if _, err := engine.Trace(t.Context(), spec, prober.Feed{}); err != nil {
				t.Errorf("%v: the next trace: %v", method, err)
			}
		})
	}
}
