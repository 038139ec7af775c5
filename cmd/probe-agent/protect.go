package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/alecthomas/kong"

	"probe-agent/internal/daemon"
	"probe-agent/lookup"
	"probe-agent/policy"
)

// protection is a setting that restricts who may use the agent, what it probes,
// how much, or to whom it reveals what. A reload does not lift one just because
// the configuration no longer mentions it: an emptied or incomplete file looks
// like that (ADR 39).
type protection struct {
	setting string
	// weaker reports whether fresh protects less than before.
	weaker func(before, fresh *settings) bool
}

// protections lists every setting that protects.
func protections() []protection {
	return []protection{
		{"token", emptied(func(s *settings) int { return len(s.Tokens) })},
		{"trusted-proxy", emptied(func(s *settings) int { return len(s.TrustedProxies) })},
		{"tls-cert", emptied(func(s *settings) int { return len(s.TLSCert) })},
		{"tls-key", emptied(func(s *settings) int { return len(s.TLSKey) })},
		{"tls-client-ca", emptied(func(s *settings) int { return len(s.TLSClientCA) })},
		{"policy", func(before, fresh *settings) bool {
			return policy.Preset(before.Policy) == policy.Public && fresh.Policy != before.Policy
		}},
		{"deny", shortened(func(s *settings) []targetPrefix { return s.Deny })},
		{"do-not-probe", shortened(func(s *settings) []string { return s.DoNotProbe })},
		{"redact-hops", func(before, fresh *settings) bool { return fresh.RedactHops < before.RedactHops }},
		{"rate", raised(func(s *settings) packetRate { return s.Rate })},
		{"near-hop-rate", raised(func(s *settings) packetRate { return s.NearHopRate })},
		{"prefix-rate", raised(func(s *settings) packetRate { return s.PrefixRate })},
		{"request-rate", func(before, fresh *settings) bool {
			old, now := before.RequestRate, fresh.RequestRate
			return old.requests != 0 && (now.requests == 0 ||
				float64(now.requests)/now.window.Seconds() > float64(old.requests)/old.window.Seconds())
		}},
		{"max-traces", raised(func(s *settings) traceLimit { return s.MaxTraces })},
		{"max-traces-per-token", raised(func(s *settings) traceLimit { return s.MaxTracesPerToken })},
		{"queue", raised(func(s *settings) queueLimit { return s.Queue })},
		{"queue-per-account", raised(func(s *settings) queueLimit { return s.QueuePerAccount })},
		{"max-connections", raised(func(s *settings) connectionLimit { return s.MaxConnections })},
		{"names", func(before, fresh *settings) bool {
			return lookup.Mode(before.Names) == lookup.Off && fresh.Names != before.Names
		}},
		{"name-server", emptied(func(s *settings) int { return len(s.NameServers) })},
	}
}

// emptied is for settings that protect as long as there are any.
func emptied(count func(*settings) int) func(before, fresh *settings) bool {
	return func(before, fresh *settings) bool { return count(before) > 0 && count(fresh) == 0 }
}

// shortened is for lists of which every item protects.
func shortened[T comparable](list func(*settings) []T) func(before, fresh *settings) bool {
	return func(before, fresh *settings) bool {
		kept := make(map[T]bool)
		for _, item := range list(fresh) {
			kept[item] = true
		}
		return slices.ContainsFunc(list(before), func(item T) bool { return !kept[item] })
	}
}

// raised is for upper limits, where 0 is none.
func raised[T ~int](limit func(*settings) T) func(before, fresh *settings) bool {
	return func(before, fresh *settings) bool {
		old, now := limit(before), limit(fresh)
		return old != 0 && (now == 0 || now > old)
	}
}

// protectionsPart refuses a reload that would lift a protection without saying
// so, and logs what one lifts by saying so.
func (a *agent) protectionsPart() daemon.Part[*settings] {
	return daemon.Part[*settings]{Prepare: func(_ context.Context, fresh *settings) (func(), error) {
		var lifted []string
		if a.inUse != nil {
			var err error
			if lifted, err = liftedProtections(a.inUse, fresh); err != nil {
				return nil, err
			}
		}
		return func() {
			for _, setting := range lifted {
				a.log.Warn("setting protects less than before", "setting", setting)
			}
			a.inUse = fresh
		}, nil
	}}
}

// liftedProtections returns the settings that the fresh configuration weakens
// by giving them another value. That one is weakened because it is no longer
// mentioned, or because the file was cut off, is an error.
func liftedProtections(before, fresh *settings) (lifted []string, err error) {
	var wrong []error
	for _, p := range protections() {
		if !p.weaker(before, fresh) {
			continue
		}
		switch {
		case !fresh.Config.has(p.setting):
			wrong = append(wrong, fmt.Errorf("config: %s no longer has %s, and a reload does not lift what protects: %s", fresh.Config.path, p.setting, liftedBy(fresh.flag(p.setting))))
		case fresh.Config.truncates(&before.Config):
			wrong = append(wrong, fmt.Errorf("config: %s is the beginning of the file in use, with a shorter %s: if it was not cut off, put a comment at its end", fresh.Config.path, p.setting))
		default:
			lifted = append(lifted, p.setting)
		}
	}
	return lifted, errors.Join(wrong...)
}

// liftedBy says how to set a flag to its default on purpose.
func liftedBy(flag *kong.Flag) string {
	switch {
	case flag.IsSlice():
		return fmt.Sprintf("write %q if that is intended, or restart", flag.Name+": []")
	case flag.Default != "":
		return fmt.Sprintf("write %q if that is intended, or restart", flag.Name+": "+flag.Default)
	}
	return "restart if that is intended"
}

// flag returns the flag of a setting.
func (s *settings) flag(name string) *kong.Flag {
	return s.flags[slices.IndexFunc(s.flags, func(f *kong.Flag) bool { return f.Name == name })]
}
