package certificate

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"probe-agent/internal/inputfile"
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

// Certificate is what was read from Files, ready for use. It is not changed any
// more.
type Certificate struct {
	content content
	config  *tls.Config
	leaf    *x509.Certificate
}

// content is the files as they were read.
type content struct {
	files             Files
	chain, key, roots []byte
}

// Read reads the files. The error names the file at fault. Whether the
// certificate is valid now is for Valid to say.
func Read(ctx context.Context, opener *inputfile.Opener, files Files) (*Certificate, error) {
	c, err := readContent(ctx, opener, files)
	if err != nil {
		return nil, err
	}
	return parse(c)
}

// Files returns the files that the certificate was read from.
func (c *Certificate) Files() Files { return c.content.files }

// Expires returns the end of the validity of the server's certificate. Those
// that lead to the root do not count: which of them a client uses is its own
// choice.
func (c *Certificate) Expires() time.Time { return c.leaf.NotAfter }

// Valid returns an error that names the file and the date if the server's
// certificate has expired or is not valid yet.
func (c *Certificate) Valid(now time.Time) error {
	switch {
	case now.After(c.leaf.NotAfter):
		return fmt.Errorf("certificate: %s: expired at %s", c.content.files.Certificate, c.leaf.NotAfter.Format(time.RFC3339))
	case now.Before(c.leaf.NotBefore):
		return fmt.Errorf("certificate: %s: not valid before %s", c.content.files.Certificate, c.leaf.NotBefore.Format(time.RFC3339))
	}
	return nil
}

func parse(from content) (*Certificate, error) {
	pair, err := tls.X509KeyPair(from.chain, from.key)
	if err != nil {
		return nil, fmt.Errorf("certificate: %s and %s: %w", from.files.Certificate, from.files.Key, err)
	}
	c := &Certificate{content: from, leaf: pair.Leaf, config: &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
		Certificates: []tls.Certificate{pair},
	}}
	if from.files.ClientCA != "" {
		c.config.ClientCAs = x509.NewCertPool()
		if !c.config.ClientCAs.AppendCertsFromPEM(from.roots) {
			return nil, fmt.Errorf("certificate: %s: no certificate in it", from.files.ClientCA)
		}
		c.config.ClientAuth = tls.VerifyClientCertIfGiven
		// A resumed session would bring back a client that the certificates of
		// today do not lead to.
		c.config.SessionTicketsDisabled = true
	}
	return c, nil
}

func readContent(ctx context.Context, opener *inputfile.Opener, files Files) (content, error) {
	c := content{files: files}
	for _, one := range []struct {
		name string
		into *[]byte
	}{{files.Certificate, &c.chain}, {files.Key, &c.key}, {files.ClientCA, &c.roots}} {
		if one.name == "" {
			continue
		}
		var err error
		if *one.into, err = opener.ReadAll(ctx, one.name, maxFile); err != nil {
			return c, fmt.Errorf("certificate: %w", err)
		}
	}
	return c, nil
}

func (c *content) equal(d content) bool {
	return c.files == d.files && bytes.Equal(c.chain, d.chain) && bytes.Equal(c.key, d.key) && bytes.Equal(c.roots, d.roots)
}
