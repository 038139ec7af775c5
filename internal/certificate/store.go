package certificate

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"probe-agent/internal/inputfile"
)

// Store holds the certificate in use. It is safe for concurrent use.
type Store struct {
	current atomic.Pointer[Certificate]
	opener  *inputfile.Opener

	mu     sync.Mutex // guards what follows, and the replacing of current
	faulty content    // what was last found unusable, so as not to parse it again
}

// NewStore returns a Store that reads files by opener. Everything but Check, Use
// and Config needs a certificate in use.
func NewStore(opener *inputfile.Opener) *Store { return &Store{opener: opener} }

// Check returns an error if c must not replace the certificate in use: it is not
// valid now, and the one in use is.
func (s *Store) Check(c *Certificate) error {
	now, before := time.Now(), s.current.Load()
	if err := c.Valid(now); err != nil && before != nil && before.Valid(now) == nil {
		return fmt.Errorf("%w; the certificate in use is valid", err)
	}
	return nil
}

// Use uses c for every connection from now on. Connections that are open stay.
// It reports whether another certificate was in use.
func (s *Store) Use(c *Certificate) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.current.Swap(c)
	return before == nil || !c.content.equal(before.content)
}

// Refresh reads the files of the certificate in use again, and uses what they
// hold if that has changed. It reports whether there was a change, also one that
// is refused. On an error, which names the file at fault, everything stays as it
// was. A certificate that is not valid yet is used as soon as it is.
func (s *Store) Refresh(ctx context.Context) (changed bool, err error) {
	before := s.current.Load()
	now, err := readContent(ctx, s.opener, before.Files())
	if err != nil {
		return true, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.Load() != before || now.equal(before.content) || now.equal(s.faulty) {
		return false, nil
	}
	c, err := parse(now)
	if err != nil {
		s.faulty = now
		return true, err
	}
	if err := s.Check(c); err != nil {
		return true, err
	}
	s.current.Store(c)
	return true, nil
}

// Watch calls Refresh every so often until ctx ends, and tells report of each
// change, with nil, and of each new error. Content is compared, not times:
// secrets of Kubernetes change by a symbolic link.
func (s *Store) Watch(ctx context.Context, every time.Duration, report func(error)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		changed, err := s.Refresh(ctx)
		if ctx.Err() != nil {
			return
		}
		words := ""
		if err != nil {
			words = err.Error()
		}
		if changed && (err == nil || words != told) {
			report(err)
		}
		if changed {
			told = words
		}
	}
}

// Current returns the certificate in use.
func (s *Store) Current() *Certificate { return s.current.Load() }

// AsksClients reports whether clients must have a certificate. The TLS
// handshake only verifies one that is shown: to refuse a client without is for
// the server, which can say why, and can spare health checks.
func (s *Store) AsksClients() bool { return s.current.Load().config.ClientCAs != nil }

// Config returns the configuration of a server that uses the Store.
func (s *Store) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return s.current.Load().config, nil
		},
	}
}
