package service

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"sync"
	"time"

	"probe-agent/colo"
	"probe-agent/internal/netsim"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// childVariable, set in the environment, makes the test binary a colo in a
// process of its own, which speaks JSON lines on its standard input and output.
const childVariable = "PROBE_AGENT_TEST_COLO"

// wireVersion is the version of the lines.
const wireVersion = 1

// line is what passes between the processes.
type line struct {
	Version  int               `json:"v"`
	Ready    bool              `json:"ready,omitempty"` // from the colo, first
	Call     int               `json:"call"`
	Batch    *traceroute.Batch `json:"batch,omitempty"`    // to the colo: trace it
	Cancel   bool              `json:"cancel,omitempty"`   // to the colo
	Accepted bool              `json:"accepted,omitempty"` // from the colo, at once
	Event    *traceroute.Event `json:"event,omitempty"`
	End      bool              `json:"end,omitempty"` // Trace has returned
	Error    string            `json:"error,omitempty"`
	Status   *prober.Totals    `json:"status,omitempty"` // with End
}

// The targets of the simulated networks.
var (
	quick = netsim.N(99)  // answers at TTL 4, as do all routers before it
	mixed = netsim.N(199) // likewise, but for the silent router at TTL 2
	slow  = netsim.N(299) // behind one router is nothing but silence
)

// newLocal returns a colo in a simulated network, always the same, and its
// engine, which is to be closed.
func newLocal(name string) (*colo.Local, *prober.Engine, error) {
	var networks []*netsim.Network
	for i, target := range []netsim.Address{quick, mixed, slow} {
		s := netsim.Chain(3, 12*time.Millisecond)
		for h := range s.Hops {
			s.Hops[h].Addresses = []netsim.Address{netsim.N(100*i + h + 1)}
			s.Hops[h].Silent = i == 1 && h == 1 || i == 2 && h > 0
		}
		s.Target.Addresses, s.Target.Silent = []netsim.Address{target}, i == 2
		network, err := netsim.New(s)
		if err != nil {
			return nil, nil, err
		}
		networks = append(networks, network)
	}
	engine, err := prober.New(netsim.NewMemory(netsim.Join(networks...), networks[0].Host()), prober.Options{})
	if err != nil {
		return nil, nil, err
	}
	local := colo.New(colo.Config{Info: traceroute.Colo{Name: name, City: "Simulated"}, Tracer: engine, Resolver: noNames{}})
	return local, engine, nil
}

// noNames resolves nothing.
type noNames struct{}

func (noNames) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return nil, errors.New("no names here")
}

// serveChild is the other process. It returns when its input ends.
func serveChild() error {
	local, engine, err := newLocal("child01")
	if err != nil {
		return err
	}
	c := &childServer{local: local, engine: engine, encoder: json.NewEncoder(os.Stdout), calls: make(map[int]context.CancelFunc)}
	err = c.serve(os.Stdin)
	return errors.Join(err, engine.Close())
}

type childServer struct {
	local  *colo.Local
	engine *prober.Engine

	running sync.WaitGroup
	mu      sync.Mutex // guards what follows
	encoder *json.Encoder
	calls   map[int]context.CancelFunc
}

func (c *childServer) send(l line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.Version = wireVersion
	if err := c.encoder.Encode(l); err != nil {
		panic(err) // a process whose parent has gone ends
	}
}

func (c *childServer) serve(input io.Reader) error {
	c.send(line{Ready: true})
	defer c.running.Wait()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, cancel := range c.calls {
			cancel()
		}
	}()
	lines := bufio.NewScanner(input)
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return err
		}
		switch {
		case l.Version != wireVersion:
			return errors.New("a line of another version")
		case l.Batch != nil:
			ctx, cancel := context.WithCancel(context.Background())
			c.mu.Lock()
			c.calls[l.Call] = cancel
			c.mu.Unlock()
			c.running.Go(func() { c.trace(ctx, l) })
		case l.Cancel:
			c.mu.Lock()
			if cancel := c.calls[l.Call]; cancel != nil {
				cancel()
			}
			c.mu.Unlock()
		}
	}
	return lines.Err()
}

func (c *childServer) trace(ctx context.Context, l line) {
	c.send(line{Call: l.Call, Accepted: true})
	events := make(chan traceroute.Event)
	var err error
	go func() {
		defer close(events)
		err = c.local.Trace(ctx, *l.Batch, events)
	}()
	for e := range events {
		c.send(line{Call: l.Call, Event: &e})
	}
	totals := c.engine.Totals()
	end := line{Call: l.Call, End: true, Status: &totals}
	if err != nil {
		end.Error = err.Error()
	}
	c.send(end)
}
