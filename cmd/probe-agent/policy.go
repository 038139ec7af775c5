package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"probe-agent/internal/inputfile"
	"probe-agent/policy"
	"probe-agent/prober"
)

// policyFlags say whom one may probe, and what is told of the way there.
type policyFlags struct {
	Policy     policyPreset   `reload:"" default:"internal" placeholder:"PRESET" help:"Which targets may be traced that no list names (${default}): internal allows all, public refuses special-purpose ranges such as private ones, and this host's own addresses."`
	Allow      []targetPrefix `reload:"" placeholder:"PREFIX" sep:"," help:"Prefixes or addresses that may be traced, also if the policy refuses them. Of these and the denied ones the longest counts."`
	Deny       []targetPrefix `reload:"" placeholder:"PREFIX" sep:"," help:"Prefixes or addresses that may not be traced."`
	DoNotProbe []string       `reload:"" name:"do-not-probe" placeholder:"FILE" sep:"," help:"Files with prefixes and addresses of those who do not want to be probed, one a line. Nothing overrides them."`
	RedactHops hopCount       `reload:"" name:"redact-hops" default:"0" placeholder:"N" help:"Show the first N hops without address, name and AS number (${default}), 0 to 64."`
}

// rules reads the files and returns what the flags say. The lists share memory
// with those that the files held before.
func (f *policyFlags) rules(ctx context.Context, files *inputfile.Opener, before doNotProbe) (policy.Rules, doNotProbe, error) {
	rules := policy.Rules{Preset: policy.Preset(f.Policy), Allow: prefixesOf(f.Allow), Deny: prefixesOf(f.Deny)}
	lists := make(doNotProbe)
	var wrong []error
	for _, path := range f.DoNotProbe {
		list, err := readDoNotProbe(ctx, files, path, before[path].set)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		lists[path] = list
		rules.DoNotProbe = append(rules.DoNotProbe, list.set)
	}
	return rules, lists, errors.Join(wrong...)
}

func prefixesOf(flags []targetPrefix) []netip.Prefix {
	prefixes := make([]netip.Prefix, len(flags))
	for i, f := range flags {
		prefixes[i] = netip.Prefix(f)
	}
	return prefixes
}

// watchHost keeps the host's addresses in the policy current until ctx ends.
func (a *agent) watchHost(ctx context.Context) {
	a.host.Watch(ctx, func(addrs []netip.Prefix, err error) {
		if err != nil {
			a.log.Warn("the host's addresses cannot be read, the policy goes by those known", "error", err)
			return
		}
		a.policy.SetHost(addrs)
	})
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

func (*policyPreset) choices() []string { return named(policy.Internal, policy.Public) }

func (v *targetPrefix) UnmarshalText(text []byte) error {
	prefix, err := policy.ParsePrefix(string(text))
	*v = targetPrefix(prefix)
	return err
}

func (v *hopCount) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 0, prober.MaxTTLLimit)
}
