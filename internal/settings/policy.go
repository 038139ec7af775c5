package settings

import (
	"fmt"
	"net/netip"

	"probe-agent/policy"
	"probe-agent/traceroute"
)

// PolicyFlags say which targets may be traced, and what is told of the way
// there.
type PolicyFlags struct {
	Policy     policyPreset   `protects:"value=public" reload:"" default:"internal" placeholder:"PRESET" help:"Which targets may be traced that no list names (${default}): internal allows all, public refuses special-purpose ranges such as private ones, and this host's own addresses."`
	Allow      []targetPrefix `protects:"no" reload:"" placeholder:"PREFIX" sep:"," example:"192.0.2.0/24" help:"Prefixes or addresses that may be traced, also if the policy refuses them. Of these and the denied ones the longest counts." more:"Among equals the denied one counts."`
	Deny       []targetPrefix `protects:"items" reload:"" placeholder:"PREFIX" sep:"," example:"198.51.100.0/24" help:"Prefixes or addresses that may not be traced."`
	DoNotProbe []string       `protects:"items" reload:"" name:"do-not-probe" placeholder:"FILE" sep:"," example:"/etc/probe-agent/do-not-probe" help:"Files with prefixes and addresses of those who do not want to be probed, one a line. Nothing overrides them." more:"Comments start with #. They are read again at every reload."`
	RedactHops hopCount       `protects:"minimum" reload:"" name:"redact-hops" default:"0" placeholder:"N" help:"Show the first N hops without address, name and AS number (${default}), 0 to 64."`
}

// Rules returns the rules that the flags give, without the do-not-probe lists.
func (f *PolicyFlags) Rules() policy.Rules {
	return policy.Rules{Preset: policy.Preset(f.Policy), Allow: prefixesOf(f.Allow), Deny: prefixesOf(f.Deny)}
}

func prefixesOf(flags []targetPrefix) []netip.Prefix {
	prefixes := make([]netip.Prefix, len(flags))
	for i, f := range flags {
		prefixes[i] = netip.Prefix(f)
	}
	return prefixes
}

type (
	policyPreset policy.Preset
	targetPrefix netip.Prefix
	hopCount     int
)

func (v *policyPreset) UnmarshalText(text []byte) error {
	for p := policy.Internal; p <= policy.Public; p++ {
		if p.String() == string(text) {
			*v = policyPreset(p)
			return nil
		}
	}
	return fmt.Errorf("%q is not one of internal, public", text)
}

// Choices returns all values.
func (*policyPreset) Choices() []string { return named(policy.Internal, policy.Public) }

func (v *targetPrefix) UnmarshalText(text []byte) error {
	prefix, err := policy.ParsePrefix(string(text))
	*v = targetPrefix(prefix)
	return err
}

func (v *hopCount) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 0, traceroute.MaxTTLLimit)
}
