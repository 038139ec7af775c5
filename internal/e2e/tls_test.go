//go:build linux

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"probe-agent/internal/certificate/certificatetest"
	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

// account is that of endpointPath.
const account = "0123456789abcdef0123456789abcdef"

// trusting returns a client's TLS settings that believe the authority, and
// show a certificate whether or not the server asks for its authority.
func trusting(authority *certificatetest.Authority, shown ...tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(authority.Certificate)
	config := &tls.Config{RootCAs: roots, ServerName: "localhost"}
	if len(shown) > 0 {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown[0], nil }
	}
	return config
}

// over returns the daemon as a client meets it that speaks TLS, and HTTP/2
// where the server does, over one connection that lasts.
func (d *daemon) over(t testing.TB, config *tls.Config) *daemon {
	t.Helper()
	client := *d
	client.secure = config
	transport := &http.Transport{
		DialContext:     d.client.Transport.(*http.Transport).DialContext,
		TLSClientConfig: config, ForceAttemptHTTP2: true,
	}
	client.client = &http.Client{Timeout: patience, Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	return &client
}

// hangUp sends SIGHUP and returns what the log says of it.
func (d *daemon) hangUp(t testing.TB, message string) entry {
	t.Helper()
	if err := d.process.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	return d.awaitLog(t, message)
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// traces demands that the client is answered with a trace.
func (d *daemon) traces(t testing.TB) {
	t.Helper()
	a := d.ask(t, http.MethodPost, endpointPath, body(d.Target.IPv4, ""))
	if a.status != http.StatusOK || len(a.Result) != 1 || len(a.Result[0].Colos[0].Hops) != 2 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// stays demands that the client is turned away as one that nobody knows.
func (d *daemon) stays(t testing.TB) {
	t.Helper()
	a := d.ask(t, http.MethodPost, endpointPath, body(d.Target.IPv4, ""))
	if a.status != http.StatusForbidden {
		t.Errorf("%d %s", a.status, a.body)
	}
	equal(t, []fault{{10000, ""}}, faults(a.Errors))
}

// refuses demands that the client and the daemon do not come to terms; what it
// means when they do is otherwise.
func (d *daemon) refuses(t testing.TB, otherwise string) {
	t.Helper()
	response, err := d.client.Get(d.url("/healthz"))
	if err == nil {
		response.Body.Close()
		t.Error(otherwise)
	}
}

// The daemon serves HTTPS to who has a token. Tokens and the certificate change
// by SIGHUP, all of a configuration or nothing of it, and connections that are
// open stay.
func TestTLS(t *testing.T) {
	t.Parallel()
	lab := kerneltest.Build(t, kernel.Chain(1))
	folder := t.TempDir()
	first, second := certificatetest.New(t, "first"), certificatetest.New(t, "second")
	certificate, key := first.Write(t, folder, "agent")
	path := filepath.Join(folder, "agent.yaml")
	one, other := newToken(t, "one", account), newToken(t, "other", account)
	config := func(tokens ...made) string {
		text := fmt.Sprintf("tls-cert: %s\ntls-key: %s\ntoken:\n", certificate, key)
		for _, token := range tokens {
			text += "  - " + token.Credential + "\n"
		}
		return text
	}
	writeFile(t, path, config(one))
	d := newDaemon(t, lab, "--config", path)
	early := d.over(t, trusting(first))
	early.stays(t)
	early.as(one).traces(t)
	early.as(other).stays(t)

	d.reload(t, path, config(one, other))
	early.as(one).traces(t)
	early.as(other).traces(t)
	d.reload(t, path, config(other))
	early.as(one).stays(t)
	early.as(other).traces(t)

	// Another authority's, in the same files. The client that is connected goes
	// on with a connection that it could not make any more.
	second.Write(t, folder, "agent")
	d.hangUp(t, "configuration reloaded")
	early.as(other).traces(t)
	late := d.over(t, trusting(second))
	late.as(other).traces(t)
	d.over(t, trusting(first)).refuses(t, "the first certificate is still shown")

	const refused = "configuration refused, the old one stays in use"
	good, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, config(one))
	writeFile(t, certificate, "no certificate\n")
	if e := d.hangUp(t, refused); !strings.Contains(fmt.Sprint(e["error"]), certificate) {
		t.Errorf("the log says %v, and not which file is wrong", e)
	}
	writeFile(t, certificate, string(good))
	writeFile(t, path, config(one)+"tls-sert: x\n")
	if e := d.hangUp(t, refused); !strings.Contains(fmt.Sprint(e["error"]), path+":5: ") || !strings.Contains(fmt.Sprint(e["error"]), "tls-sert") {
		t.Errorf("the log says %v, and not what is wrong where", e)
	}
	late.client.CloseIdleConnections() // the next ones are made under what is in use now
	late.as(one).stays(t)
	late.as(other).traces(t)

	for _, args := range [][]string{{}, {"--ready"}} {
		d.checkHealth(t, 0, append(args, "--tls-cert", certificate, "--tls-key", key)...)
	}
	d.checkHealth(t, 1) // that is HTTP
	early.client.CloseIdleConnections()
	late.healthy(t)
}

// checkHealth runs `probe-agent health` on the daemon's host.
func (d *daemon) checkHealth(t testing.TB, want int, args ...string) {
	t.Helper()
	program := d.Command(t.Context(), "probe-agent", append([]string{"health", "--listen", d.address}, args...)...)
	program.Env = environment()
	out, err := program.CombinedOutput()
	if code := exitCode(t, err); code != want {
		t.Errorf("health %v: exit code %d, want %d: %s", args, code, want, out)
	}
}

// Where clients must have certificates, those without are told so, those with
// another authority's do not even get that far, and health checks need none.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	lab := kerneltest.Build(t, kernel.Chain(1))
	folder := t.TempDir()
	ours, theirs := certificatetest.New(t, "ours"), certificatetest.New(t, "theirs")
	certificate, key := ours.Write(t, folder, "agent")
	roots := filepath.Join(folder, "ca.pem")
	writeFile(t, roots, string(ours.PEM))
	token := newToken(t, "one", account)
	options := []string{"--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", roots}
	d := newDaemon(t, lab, append(options, "--token", token.Credential)...).as(token)
	pair := func(certificate, key string) tls.Certificate {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	known := d.over(t, trusting(ours, pair(ours.Write(t, folder, "client"))))
	known.traces(t)

	without := d.over(t, trusting(ours))
	without.stays(t)
	a := without.ask(t, http.MethodPost, endpointPath, body(lab.Target.IPv4, ""))
	if len(a.Errors) != 1 || a.Errors[0].Message != "Authentication error: a client certificate is required" {
		t.Errorf("errors %+v", a.Errors)
	}
	d.checkHealth(t, 0, options...)

	d.over(t, trusting(ours, pair(theirs.Write(t, folder, "stranger")))).refuses(t, "a stranger's certificate is good enough")
	without.client.CloseIdleConnections()
	known.healthy(t)
}
