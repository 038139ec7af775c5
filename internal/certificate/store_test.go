package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"probe-agent/internal/certificate/certificatetest"
	"probe-agent/internal/inputfile"
)

// shown returns the name in the certificate that s shows.
func shown(t *testing.T, s *Store) string {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- tls.Server(server, s.Config()).HandshakeContext(t.Context())
		_ = server.Close()
	}()
	c := tls.Client(client, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	defer c.Close()
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	state := c.ConnectionState()
	if state.NegotiatedProtocol != "h2" || state.Version < tls.VersionTLS12 {
		t.Errorf("protocol %q, version %#x", state.NegotiatedProtocol, state.Version)
	}
	return state.PeerCertificates[0].Subject.CommonName
}

func filesOf(certificate, key string) Files { return Files{Certificate: certificate, Key: key} }

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// use reads files and uses what is in them, as a reload does.
func (s *Store) use(t *testing.T, files Files) error {
	t.Helper()
	c, err := Read(t.Context(), s.opener, files)
	if err == nil {
		err = s.Check(c)
	}
	if err == nil {
		s.Use(c)
	}
	return err
}

// load returns a Store that uses files.
func load(t *testing.T, files Files) *Store {
	t.Helper()
	s := NewStore(new(inputfile.Opener))
	if err := s.use(t, files); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestUse(t *testing.T) {
	dir := t.TempDir()
	ca := certificatetest.New(t, "ca")
	first, second := filesOf(ca.Write(t, dir, "first")), filesOf(ca.Write(t, dir, "second"))
	caFile := filepath.Join(dir, "ca.pem")
	write(t, caFile, ca.PEM)
	empty := filepath.Join(dir, "empty.pem")
	write(t, empty, []byte("no certificate\n"))
	large := filepath.Join(dir, "large.pem")
	write(t, large, make([]byte, maxFile+1))
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	expired := filesOf(ca.WriteFor(t, dir, "expired", now.Add(-2*time.Hour), now.Add(-time.Hour)))
	future := filesOf(ca.WriteFor(t, dir, "future", now.Add(time.Hour), now.Add(2*time.Hour)))

	s := load(t, first)
	faults := []struct {
		name  string
		files Files
		want  string
	}{
		{"no file", Files{Certificate: filepath.Join(dir, "none.pem"), Key: first.Key}, "none.pem"},
		{"no key", Files{Certificate: first.Certificate, Key: filepath.Join(dir, "none.key")}, "none.key"},
		{"key of another", Files{Certificate: first.Certificate, Key: second.Key}, "private key does not match"},
		{"not PEM", Files{Certificate: empty, Key: first.Key}, "empty.pem"},
		{"too large", Files{Certificate: large, Key: first.Key}, "large.pem: is larger than"},
		{"pipe", Files{Certificate: fifo, Key: first.Key}, "fifo: is a pipe"},
		{"no authority", Files{Certificate: first.Certificate, Key: first.Key, ClientCA: empty}, "empty.pem: no certificate in it"},
		{"expired", expired, "expired.pem: expired at " + now.Add(-time.Hour).UTC().Format(time.RFC3339)},
		{"not valid yet", future, "future.pem: not valid before " + now.Add(time.Hour).UTC().Format(time.RFC3339)},
	}
	for _, tt := range faults {
		t.Run(tt.name, func(t *testing.T) {
			if err := s.use(t, tt.files); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
			if got := shown(t, s); got != "first" || s.AsksClients() {
				t.Errorf("now shows %q, asks clients: %t", got, s.AsksClients())
			}
		})
	}
	second.ClientCA = caFile
	if err := s.use(t, second); err != nil {
		t.Fatal(err)
	}
	if got := shown(t, s); got != "second" || !s.AsksClients() {
		t.Errorf("shows %q, asks clients: %t", got, s.AsksClients())
	}
	if expires := s.Current().Expires(); expires.Before(time.Now()) {
		t.Errorf("expires %v", expires)
	}
	// One that is not valid is better than none, and no worse than another.
	s = load(t, expired)
	if err := s.use(t, future); err != nil || shown(t, s) != "future" {
		t.Errorf("expired to future: %v", err)
	}
}

// What a reload has read is used as it was read, whatever the files hold by then.
func TestUseReadsNothing(t *testing.T) {
	dir := t.TempDir()
	ca := certificatetest.New(t, "ca")
	files, next := filesOf(ca.Write(t, dir, "first")), filesOf(ca.Write(t, dir, "next"))
	s := load(t, files)
	c, err := Read(t.Context(), s.opener, next)
	if err != nil {
		t.Fatal(err)
	}
	write(t, next.Certificate, []byte("broken"))
	if !s.Use(c) || shown(t, s) != "next" {
		t.Errorf("shows %q, want next", shown(t, s))
	}
}

// A renewed certificate that is not valid yet, or has expired, does not replace
// one that is. It is used as soon as it is valid, and its fault told once.
func TestWatchValidity(t *testing.T) {
	dir := t.TempDir()
	ca := certificatetest.New(t, "ca")
	// In a bubble the time starts at midnight UTC 2000-01-01.
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	live := filesOf(ca.WriteFor(t, dir, "live", start, start.Add(time.Hour)))
	future := filesOf(ca.WriteFor(t, dir, "future", start.Add(time.Minute), start.Add(time.Hour)))
	read := func(path string) []byte {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	certificate, key := read(future.Certificate), read(future.Key)
	synctest.Test(t, func(t *testing.T) {
		s := load(t, live)
		var told []error // of one goroutine
		ctx, cancel := context.WithCancel(t.Context())
		go s.Watch(ctx, time.Second, func(err error) { told = append(told, err) })
		write(t, live.Key, key)
		write(t, live.Certificate, certificate)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if len(told) != 1 || told[0] == nil || shown(t, s) != "live" {
			t.Errorf("told %v, shows %q; want one error and live", told, shown(t, s))
		}
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if len(told) != 2 || told[1] != nil || shown(t, s) != "future" {
			t.Errorf("told %v, shows %q; want nil and future", told, shown(t, s))
		}
		cancel()
		synctest.Wait()
	})
}

// Watch takes over what is good, keeps what it had where that is bad, and says
// each once.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	ca := certificatetest.New(t, "ca")
	live := filesOf(ca.Write(t, dir, "live"))
	next, err := os.ReadFile(filesOf(ca.Write(t, dir, "next")).Certificate)
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "next.key"))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := load(t, live)
		var (
			mu   sync.Mutex // guards told
			told []error
		)
		ctx, cancel := context.WithCancel(t.Context())
		go s.Watch(ctx, time.Second, func(err error) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, err)
		})
		later := func() {
			time.Sleep(5 * time.Second)
			synctest.Wait()
		}
		expect := func(name string, reports int, bad bool) {
			t.Helper()
			later()
			if got := shown(t, s); got != name {
				t.Errorf("shows %q, want %q", got, name)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(told) != reports || reports > 0 && (told[reports-1] != nil) != bad {
				t.Errorf("told %v, want %d reports, the last one bad: %t", told, reports, bad)
			}
		}
		expect("live", 0, false)
		write(t, live.Certificate, next) // halfway: the key is still the old one
		expect("live", 1, true)
		write(t, live.Key, key)
		expect("next", 2, false)
		if err := os.Remove(live.Key); err != nil {
			t.Fatal(err)
		}
		expect("next", 3, true)
		write(t, live.Key, key)
		later()
		mu.Lock()
		defer mu.Unlock()
		if len(told) != 3 {
			t.Errorf("told %v", told)
		}
		cancel()
		synctest.Wait()
	})
}

// A client's certificate is verified when it is shown, and no session survives
// the authority that it was begun under.
func TestClientCertificates(t *testing.T) {
	dir := t.TempDir()
	ours, theirs := certificatetest.New(t, "ours"), certificatetest.New(t, "theirs")
	files := filesOf(ours.Write(t, dir, "server"))
	files.ClientCA = filepath.Join(dir, "ca.pem")
	write(t, files.ClientCA, ours.PEM)
	s := load(t, files)
	roots := x509.NewCertPool()
	roots.AddCert(ours.Certificate)
	pairOf := func(f Files) []tls.Certificate {
		pair, err := tls.LoadX509KeyPair(f.Certificate, f.Key)
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{pair}
	}
	tests := []struct {
		name     string
		shows    []tls.Certificate
		verified bool
		refused  bool
	}{
		{"none", nil, false, false},
		{"ours", pairOf(filesOf(ours.Write(t, dir, "client"))), true, false},
		{"of another authority", pairOf(filesOf(theirs.Write(t, dir, "stranger"))), false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clientEnd, serverEnd := net.Pipe()
			defer clientEnd.Close()
			server := tls.Server(serverEnd, s.Config())
			done := make(chan error, 1)
			go func() {
				done <- server.HandshakeContext(t.Context())
				_ = serverEnd.Close()
			}()
			client := tls.Client(clientEnd, &tls.Config{
				RootCAs: roots, ServerName: "localhost",
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					if tt.shows == nil {
						return new(tls.Certificate), nil
					}
					return &tt.shows[0], nil // also when the server does not ask for its authority
				},
			})
			clientErr := client.HandshakeContext(t.Context())
			if clientErr == nil && tt.refused {
				_, _ = client.Read(make([]byte, 1)) // takes the server's alert off the pipe
			}
			err := <-done
			if (err != nil) != tt.refused {
				t.Fatalf("the server says %v, the client %v", err, clientErr)
			}
			if got := len(server.ConnectionState().VerifiedChains) > 0; got != tt.verified {
				t.Errorf("verified: %t, want %t", got, tt.verified)
			}
		})
	}
}
