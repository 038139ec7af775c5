package certificate

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// maxFile bounds each file, in bytes. A larger one is a mistaken path.
const maxFile = 1 << 20

// Files name what a server shows and asks for, each in PEM.
type Files struct {
	Certificate string // its certificate, then those that lead to a root
	Key         string // the private key of the first
	// ClientCA holds the certificates that those of clients must lead to.
	// Empty: clients are asked for none.
	ClientCA string
}

// Store holds the certificate in use. It is safe for concurrent use.
type Store struct {
	current atomic.Pointer[loaded]

	mu   sync.Mutex // guards what follows
	seen content    // what was last looked at, whether it was taken or not
}

// content is the files as they were read.
type content struct {
	files             Files
	chain, key, roots []byte
}

type loaded struct {
	files   Files
	config  *tls.Config
	expires time.Time
}

// Load reads the files. The error names the file at fault.
func Load(files Files) (*Store, error) {
	s := new(Store)
	err := s.Replace(files)
	return s, err
}

// Replace reads the files, which may be others than before, and uses them for
// every connection from now on. Connections that are open stay. On an error,
// which names the file at fault, everything stays as it was.
func (s *Store) Replace(files Files) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, err := read(files)
	if err != nil {
		return err
	}
	return s.take(now)
}

// Refresh does what Replace does for the files in use, if any of them has
// another content than when it was last read. It reports whether that was so.
func (s *Store) Refresh() (changed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, err := read(s.current.Load().files)
	if err != nil {
		return true, err
	}
	if now.equal(s.seen) {
		return false, nil
	}
	return true, s.take(now)
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
		changed, err := s.Refresh()
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

// Expires returns when the first of the certificates in use expires.
func (s *Store) Expires() time.Time { return s.current.Load().expires }

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

// take puts content in use. The caller holds mu.
func (s *Store) take(now content) error {
	s.seen = now
	pair, err := tls.X509KeyPair(now.chain, now.key)
	if err != nil {
		return fmt.Errorf("certificate: %s and %s: %w", now.files.Certificate, now.files.Key, err)
	}
	l := &loaded{files: now.files, expires: pair.Leaf.NotAfter, config: &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
		Certificates: []tls.Certificate{pair},
	}}
	if now.files.ClientCA != "" {
		l.config.ClientCAs = x509.NewCertPool()
		if !l.config.ClientCAs.AppendCertsFromPEM(now.roots) {
			return fmt.Errorf("certificate: %s: no certificate in it", now.files.ClientCA)
		}
		l.config.ClientAuth = tls.VerifyClientCertIfGiven
		// A resumed session would bring back a client that the certificates of
		// today do not lead to.
		l.config.SessionTicketsDisabled = true
	}
	s.current.Store(l)
	return nil
}

func read(files Files) (content, error) {
	c := content{files: files}
	for _, one := range []struct {
		name string
		into *[]byte
	}{{files.Certificate, &c.chain}, {files.Key, &c.key}, {files.ClientCA, &c.roots}} {
		if one.name == "" {
			continue
		}
		var err error
		if *one.into, err = readFile(one.name); err != nil {
			return c, fmt.Errorf("certificate: %w", err)
		}
	}
	return c, nil
}

func readFile(name string) (data []byte, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err = io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("is too large for a certificate or key")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

func (c *content) equal(d content) bool {
	return c.files == d.files && bytes.Equal(c.chain, d.chain) && bytes.Equal(c.key, d.key) && bytes.Equal(c.roots, d.roots)
}
