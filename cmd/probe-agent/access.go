package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"probe-agent/access"
	"probe-agent/api"
	"probe-agent/internal/certificate"
	"probe-agent/internal/daemon"
	"probe-agent/internal/inputfile"
)

// certificateInterval is how often the files of the certificate are looked at.
const certificateInterval = 10 * time.Second

// expiresSoon is the remaining validity below which a certificate is warned of;
// deploy/prometheus/rules.yaml has the same.
const expiresSoon = 7 * 24 * time.Hour

// accessFlags say who may ask, and how the agent is reached.
type accessFlags struct {
	Tokens         []credential  `reload:"" name:"token" type:"nonempty" placeholder:"CREDENTIAL" sep:"," help:"Who may ask: a line as token new prints it. May be repeated. Without any, everybody on this host may, and nobody else."`
	TrustedProxies []proxyPrefix `reload:"" name:"trusted-proxy" placeholder:"PREFIX" sep:"," help:"Addresses of proxies whose X-Forwarded-For says who the client is. Without any, it is whoever connects."`
	TLSCert        string        `name:"tls-cert" placeholder:"FILE" help:"Certificate to serve HTTPS with, in PEM, along with those that lead to its root. Read again when it changes."`
	TLSKey         string        `name:"tls-key" placeholder:"FILE" help:"Private key of the certificate, in PEM."`
	TLSClientCA    string        `name:"tls-client-ca" type:"nonempty" placeholder:"FILE" help:"Certificates, in PEM, that one of each client must lead to. Health checks need none."`
}

type credential access.Credential

func (v *credential) UnmarshalText(text []byte) error {
	c, err := access.Parse(string(text))
	*v = credential(c)
	return err
}

type proxyPrefix netip.Prefix

func (v *proxyPrefix) UnmarshalText(text []byte) error {
	prefix, err := netip.ParsePrefix(string(text))
	if addr, addrErr := netip.ParseAddr(string(text)); addrErr == nil && addr.Zone() == "" {
		prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if err != nil || prefix.Addr().Is4In6() || prefix != prefix.Masked() {
		return fmt.Errorf("%q is not an address, or a prefix such as 192.0.2.0/24 without bits behind its length", text)
	}
	*v = proxyPrefix(prefix)
	return nil
}

func (f *accessFlags) credentials() []access.Credential {
	all := make([]access.Credential, len(f.Tokens))
	for i, c := range f.Tokens {
		all[i] = access.Credential(c)
	}
	return all
}

// certificateFiles returns the files of the certificate, with no names when
// HTTPS is not asked for.
func (f *accessFlags) certificateFiles() certificate.Files {
	return certificate.Files{Certificate: f.TLSCert, Key: f.TLSKey, ClientCA: f.TLSClientCA}
}

// readCertificate reads the certificate; nil when HTTPS is not asked for.
func (f *accessFlags) readCertificate(ctx context.Context, opener *inputfile.Opener) (*certificate.Certificate, error) {
	switch {
	case (f.TLSCert == "") != (f.TLSKey == ""):
		return nil, errors.New("--tls-cert and --tls-key must be given together")
	case f.TLSCert == "" && f.TLSClientCA != "":
		return nil, errors.New("--tls-client-ca needs --tls-cert and --tls-key")
	case f.TLSCert == "":
		return nil, nil //nolint:nilnil // plain HTTP is no fault
	}
	return certificate.Read(ctx, opener, f.certificateFiles())
}

// accessParts put credentials, trusted proxies and the certificate in use.
func (a *agent) accessParts() []daemon.Part[*settings] {
	return []daemon.Part[*settings]{
		{Prepare: func(_ context.Context, s *settings) (func(), error) {
			all := s.credentials()
			if err := access.Check(all); err != nil {
				return nil, fmt.Errorf("--token: %w", err)
			}
			// The address listened on is that of the start.
			if err := api.CheckListen(string(a.settings.Listen), len(all) > 0); err != nil {
				return nil, err
			}
			prefixes := make([]netip.Prefix, len(s.TrustedProxies))
			for i, p := range s.TrustedProxies {
				prefixes[i] = netip.Prefix(p)
			}
			return func() {
				if err := a.credentials.Replace(all); err != nil {
					a.log.Error("credentials not replaced", "error", err)
				}
				a.proxies.Set(prefixes)
				a.logExpired(time.Now())
			}, nil
		}},
		{Prepare: a.prepareCertificate},
	}
}

// prepareCertificate reads the certificate. One that is not valid now is no
// reason not to start, since the files are watched; it is for --check-config, and
// it does not replace one that is.
func (a *agent) prepareCertificate(ctx context.Context, s *settings) (commit func(), err error) {
	c, err := s.readCertificate(ctx, a.files)
	if err != nil {
		return nil, err
	}
	switch {
	case c == nil:
	case s.CheckConfig:
		err = c.Valid(time.Now())
	case a.certificate != nil:
		err = a.certificate.Check(c)
	}
	if err != nil {
		return nil, err
	}
	return func() {
		// Other files, or whether there are any, take a restart.
		if c == nil || a.certificate == nil || c.Files() != a.settings.certificateFiles() {
			return
		}
		if a.certificate.Use(c) {
			a.logCertificate(nil)
		}
	}, nil
}

// logExpired names the credentials that are no longer good.
func (a *agent) logExpired(now time.Time) {
	for _, c := range a.credentials.Credentials() {
		if c.Expired(now) {
			a.log.Warn("credential expired", "token", c.Name, "expired", access.FormatExpiry(c.Expires))
		}
	}
}

// asksForCertificates reports whether clients must have a certificate.
func (a *agent) asksForCertificates() bool {
	return a.certificate != nil && a.certificate.AsksClients()
}

// watchCertificate takes over what changes in the files of the certificate.
func (a *agent) watchCertificate(ctx context.Context) {
	if a.certificate != nil {
		a.certificate.Watch(ctx, certificateInterval, a.logCertificate)
	}
}

func (a *agent) logCertificate(err error) {
	if err != nil {
		a.log.Error("certificate refused, the old one stays in use", "error", err)
		return
	}
	c, now := a.certificate.Current(), time.Now()
	switch invalid := c.Valid(now); {
	case invalid != nil:
		a.log.Error("certificate in use is not valid", "error", invalid)
	case c.Expires().Sub(now) < expiresSoon:
		a.log.Warn("certificate in use expires soon", "expires", c.Expires())
	default:
		a.log.Info("certificate in use", "expires", c.Expires())
	}
}

// warnOfPlainHTTP says when secrets can be read on their way here.
func (a *agent) warnOfPlainHTTP() {
	listen := string(a.settings.Listen)
	if a.certificate == nil && len(a.settings.TrustedProxies) == 0 && api.CheckListen(listen, false) != nil {
		a.log.Warn("credentials are sent in the clear: there is neither a certificate nor a trusted proxy", "address", listen)
	}
}
