package settings

import (
	"fmt"
	"net/netip"

	"probe-agent/access"
	"probe-agent/internal/certificate"
)

// AccessFlags say who may ask, and how the agent is reached.
type AccessFlags struct {
	Tokens         []credential  `protects:"present" reload:"" name:"token" type:"nonempty" placeholder:"CREDENTIAL" sep:"," example:"account=acme name=ops hash=sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 expires=2099-12-31" help:"Who may ask: a line as token new prints it. May be repeated. Without any, everybody on this host may, and nobody else."`
	TrustedProxies []proxyPrefix `protects:"present" reload:"" name:"trusted-proxy" placeholder:"PREFIX" sep:"," example:"192.0.2.80/32" help:"Addresses of proxies whose X-Forwarded-For says who the client is. Without any, it is whoever connects."`
	TLSCert        string        `protects:"present" name:"tls-cert" placeholder:"FILE" example:"/etc/probe-agent/tls.crt" help:"Certificate to serve HTTPS with, in PEM, along with those that lead to its root. Read again when it changes."`
	TLSKey         string        `protects:"present" name:"tls-key" placeholder:"FILE" example:"/etc/probe-agent/tls.key" help:"Private key of the certificate, in PEM."`
	TLSClientCA    string        `protects:"present" name:"tls-client-ca" type:"nonempty" placeholder:"FILE" example:"/etc/probe-agent/clients.crt" help:"PEM CA bundle for verifying client certificates (mTLS). Health checks need none."`
}

// Credentials returns those who may ask.
func (f *AccessFlags) Credentials() []access.Credential {
	all := make([]access.Credential, len(f.Tokens))
	for i, c := range f.Tokens {
		all[i] = access.Credential(c)
	}
	return all
}

// Proxies returns the addresses of the trusted proxies.
func (f *AccessFlags) Proxies() []netip.Prefix {
	prefixes := make([]netip.Prefix, len(f.TrustedProxies))
	for i, p := range f.TrustedProxies {
		prefixes[i] = netip.Prefix(p)
	}
	return prefixes
}

// CertificateFiles returns the files of the certificate, with no names when
// HTTPS is not asked for.
func (f *AccessFlags) CertificateFiles() certificate.Files {
	return certificate.Files{Certificate: f.TLSCert, Key: f.TLSKey, ClientCA: f.TLSClientCA}
}

type (
	credential  access.Credential
	proxyPrefix netip.Prefix
)

func (v *credential) UnmarshalText(text []byte) error {
	c, err := access.Parse(string(text))
	*v = credential(c)
	return err
}

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
