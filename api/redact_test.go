package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"probe-agent/traceroute"

	"github.com/google/go-cmp/cmp"
)

// askedFor is an Annotator that knows everybody and remembers who was asked
// for.
type askedFor struct {
	mu    sync.Mutex
	addrs []netip.Addr
}

func (a *askedFor) Prefetch(addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.addrs = append(a.addrs, addr)
}

func (a *askedFor) Annotate(_ context.Context, addrs []netip.Addr) map[netip.Addr]Annotation {
	notes := make(map[netip.Addr]Annotation)
	for _, addr := range addrs {
		a.Prefetch(addr)
		notes[addr] = Annotation{Name: "host.example", ASN: 64500}
	}
	return notes
}

// pathTracer finds two routers before the target, which answers at once. The first router shows itself again at TTL 3.
func pathTracer(_ context.Context, spec traceroute.Spec, targets []netip.Addr) (*traceroute.Result, error) {
	spec.Target = targets[0]
	inside := exceeded("10.0.0.1", time.Millisecond)
	inside.Extensions = &traceroute.Extensions{}
	r := &traceroute.Result{
		Spec:   spec,
		Source: netip.MustParseAddr("10.0.0.200"),
		Stop:   traceroute.Running,
		Probes: []traceroute.Probe{
			{TTL: 1, Answer: inside},
			{TTL: 1, Flow: 1},
			{TTL: 2, Answer: exceeded("10.0.0.2", 2*time.Millisecond)},
			{TTL: 2, Flow: 1, Answer: exceeded("10.0.0.3", 2*time.Millisecond)},
			{TTL: 3, Answer: exceeded("192.0.2.3", 3*time.Millisecond)},
			{TTL: 3, Flow: 1, Answer: exceeded("10.0.0.1", 3*time.Millisecond)},
			{TTL: 4, Answer: echo(spec.Target, 4*time.Millisecond)},
		},
	}
	r.Stop = traceroute.Reached
	return r, nil
}

// With redaction the hops are shown without whoever answered there, nobody is
// asked for them, and the target is itself.
func TestRedactedHops(t *testing.T) {
	names := &askedFor{}
	local := &Local{ColoName: "den01", CityName: "Denver", Tracer: fakeTracer(pathTracer)}
	local.RedactHops(2)
	service, err := New(Config{Colos: []Colo{local}, Annotator: names})
	if err != nil {
		t.Fatal(err)
	}
	got := loadLaw(t).ask(t, NewHandler(HandlerConfig{Service: service, Log: quiet()}), http.MethodPost, endpoint, `{"targets":["192.0.2.100"]}`)
	hops, err := json.Marshal(got.Result[0].Colos[0].Hops)
	if err != nil {
		t.Fatal(err)
	}
	hidden := func(count int, rtt string) string {
		return strings.Replace(node("REDACTED", count, rtt, ""), `"ip":"REDACTED"`, `"ip":""`, 1)
	}
	known := func(ip, rtt string) string {
		return strings.NewReplacer(`"asn":""`, `"asn":"AS64500"`, `"name":"`+ip+`"`, `"name":"host.example"`).Replace(node(ip, 1, rtt, ""))
	}
	want := `[{"packets_ttl":1,"packets_sent":2,"packets_lost":1,"nodes":[` + hidden(1, "1") + `]},` +
		`{"packets_ttl":2,"packets_sent":2,"packets_lost":0,"nodes":[` + hidden(2, "2") + `]},` +
		`{"packets_ttl":3,"packets_sent":2,"packets_lost":0,"nodes":[` + hidden(1, "3") + `,` + known("192.0.2.3", "3") + `]},` +
		`{"packets_ttl":4,"packets_sent":1,"packets_lost":0,"nodes":[` + known("192.0.2.100", "4") + `]}]`
	if diff := cmp.Diff(want, string(hops)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, addr := range names.addrs {
		if addr.IsPrivate() {
			t.Errorf("%v was looked up", addr)
		}
	}
	if strings.Contains(string(got.body), "10.0.0.") {
		t.Errorf("the answer tells what is inside: %s", got.body)
	}
}
