package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"probe-agent/access"
	"probe-agent/api"
	"probe-agent/internal/certificate"
	"probe-agent/internal/daemon"
	"probe-agent/internal/inputfile"
	"probe-agent/internal/settings"
)

// certificateInterval is how often the files of the certificate are looked at.
const certificateInterval = 10 * time.Second

// expiresSoon is the remaining validity below which a certificate is warned of;
// deploy/prometheus/rules.yaml has the same.
const expiresSoon = 7 * 24 * time.Hour

// readCertificate reads the certificate; nil when HTTPS is not asked for.
func readCertificate(ctx context.Context, opener *inputfile.Opener, files certificate.Files) (*certificate.Certificate, error) {
	switch {
	case (files.Certificate == "") != (files.Key == ""):
		return nil, errors.New("--tls-cert and --tls-key must be given together")
	case files.Certificate == "" && files.ClientCA != "":
		return nil, errors.New("--tls-client-ca needs --tls-cert and --tls-key")
	case files.Certificate == "":
		return nil, nil //nolint:nilnil // plain HTTP is no fault
	}
	return certificate.Read(ctx, opener, files)
}

// accessParts put credentials, trusted proxies and the certificate in use.
func (a *agent) accessParts() []daemon.Part[*settings.Values] {
	return []daemon.Part[*settings.Values]{
		{Prepare: func(_ context.Context, s *settings.Values) (func(), error) {
			all := s.Credentials()
			if err := access.Check(all); err != nil {
				return nil, fmt.Errorf("--token: %w", err)
			}
			// The address listened on is that of the start.
			if err := api.CheckListen(string(a.settings.Listen), len(all) > 0); err != nil {
				return nil, err
			}
			proxies := s.Proxies()
			return func() {
				if err := a.credentials.Replace(all); err != nil {
					a.log.Error("credentials not replaced", "error", err)
				}
				a.proxies.Set(proxies)
				a.logExpired(time.Now())
			}, nil
		}},
		{Prepare: a.prepareCertificate},
	}
}

// prepareCertificate reads the certificate. One that is not valid now is no
// reason not to start, since the files are watched; it is for --check-config, and
// it does not replace one that is.
func (a *agent) prepareCertificate(ctx context.Context, s *settings.Values) (commit func(), err error) {
	c, err := readCertificate(ctx, a.files, s.CertificateFiles())
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
		if c == nil || a.certificate == nil || c.Files() != a.settings.CertificateFiles() {
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
