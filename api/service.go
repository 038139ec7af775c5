package api

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"probe-agent/api/envelope"
	"probe-agent/lookup"
	"probe-agent/traceroute"
)

const (
	// Deadline is how long the traces of one request may take together; a
	// colo that is not done by then has failed with TimedOut. The slowest
	// legal trace needs some seconds, while Cloudflare's SDKs give up after
	// 60 s and send the request again. What is between covers the reading of
	// the body before, and annotation and writing behind.
	Deadline = 45 * time.Second

	// annotateTimeout is how long a finished request waits for names and AS
	// numbers.
	annotateTimeout = 2 * time.Second
)

// Annotator finds what is known of addresses: names and AS numbers.
type Annotator interface {
	// Annotate returns what it knows of addrs by the end of ctx, and nothing
	// for the rest. It cannot fail.
	Annotate(ctx context.Context, addrs []netip.Addr) map[netip.Addr]Annotation
	// Prefetch says that addr will be asked for soon. It returns at once.
	Prefetch(addr netip.Addr)
}

// Annotation is what is known of an address.
type Annotation = lookup.Annotation

// Config is what a Service works with.
type Config struct {
	Colos     []Colo    // at least one; the first is the agent's own
	Annotator Annotator // nil: names are addresses, AS numbers unknown
}

// Service answers requests. It is safe for concurrent use.
type Service struct {
	colos     []Colo
	annotator Annotator
}

// New returns a Service, or an error when a colo's name is invalid or taken.
func New(c Config) (*Service, error) {
	if len(c.Colos) == 0 {
		return nil, errors.New("api: no colo configured")
	}
	taken := make(map[string]bool, len(c.Colos))
	for _, colo := range c.Colos {
		if err := CheckColoName(colo.Name()); err != nil {
			return nil, err
		}
		name := strings.ToLower(colo.Name())
		if taken[name] {
			return nil, fmt.Errorf("api: two colos are named %s", name)
		}
		taken[name] = true
	}
	return &Service{colos: c.Colos, annotator: c.Annotator}, nil
}

// Decode reads the JSON body of a request in Cloudflare's form and checks all
// of it. The error is a *envelope.Error that names every wrong field.
func (s *Service) Decode(body []byte) (Request, error) { return s.decode(body, decodeRequest) }

// DecodeNative is Decode for requests in the agent's own form.
func (s *Service) DecodeNative(body []byte) (Request, error) { return s.decode(body, decodeNative) }

func (s *Service) decode(body []byte, read func([]byte, *envelope.Problems) (Request, bool)) (Request, error) {
	var wrong envelope.Problems
	req, ok := read(body, &wrong)
	if !ok {
		return Request{}, wrong.Err()
	}
	s.check(req, &wrong)
	return req, wrong.Err()
}

// check adds everything that is wrong with req and returns what it asks for.
func (s *Service) check(req Request, wrong *envelope.Problems) (traceroute.Spec, []Colo) {
	checkTargets(req.Targets, wrong)
	colos := selectColos(s.colos, req.Colos, wrong)
	return req.Options.spec(wrong), colos
}

// Run traces all targets from all selected colos at once and returns the
// answer, targets and colos in the order asked. It takes at most Deadline and
// a few seconds. The error is a *envelope.Error, or matches ctx's when ctx ended
// first; probing has stopped when Run returns. A request that was cut off, see
// Handler.Cut, is answered with the traces that were done. A panic of a Colo or of a
// Progress function comes out of Run, once all other traces have ended.
func (s *Service) Run(ctx context.Context, req Request) (*Response, error) {
	r, err := s.run(ctx, req, nil)
	if err != nil {
		return nil, err
	}
	return render(r, s.annotate(ctx, r.traces...)), nil
}
