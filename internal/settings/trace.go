package settings

import (
	"time"

	"probe-agent/traceroute"
)

// Trace has the flags of the trace command.
type Trace struct {
	Targets       []string      `arg:"" name:"target" help:"Host names or addresses, 1 to 10."`
	PacketType    method        `short:"P" default:"icmp" placeholder:"TYPE" help:"What to probe with: ${methods} (${default})."`
	MaxTTL        maxTTL        `short:"m" name:"max-ttl" default:"15" placeholder:"N" help:"Highest TTL, 1 to 64 (${default})."`
	PacketsPerTTL packetsPerTTL `short:"q" name:"packets-per-ttl" placeholder:"N" help:"Packets for each TTL, 1 to 10 (3, with --follow 1)."`
	// Kubernetes sets PROBE_AGENT_PORT to a URL for a service called
	// probe-agent, so this flag's variable has another name.
	Port     port     `short:"p" default:"0" env:"PROBE_AGENT_TRACE_PORT" placeholder:"PORT" help:"Destination port of udp and tcp, first sequence number of icmp. 0 is the best: udp 33434, tcp 80, icmp 1."`
	WaitTime waitTime `short:"w" name:"wait-time" default:"1" placeholder:"SECONDS" help:"How long to wait for each answer, 1 to 5 seconds (${default})."`
	IPv4     bool     `short:"4" name:"ipv4" xor:"family" help:"Trace IPv4 addresses only."`
	IPv6     bool     `short:"6" name:"ipv6" xor:"family" help:"Trace IPv6 addresses only."`
	JSON     bool     `name:"json" xor:"form" help:"Print what the HTTP API would answer, one line a round."`
	CSV      bool     `name:"csv" xor:"form" help:"Print comma-separated values: a row for each node of each hop, under a row of titles."`
	Follow   bool     `help:"Trace again and again, and show all rounds taken together. Each round probes other flows. Ends after --rounds, or by a signal."`
	Rounds   rounds   `default:"0" placeholder:"N" help:"With --follow, how many rounds, up to 1000000. 0 means without end (${default})."`
	Interval interval `default:"1" placeholder:"SECONDS" help:"With --follow, how long from the beginning of one round to that of the next, 1 to 3600 seconds (${default})."`
	NameFlags
	SocketFlags
}

// Spec returns how to trace.
func (t *Trace) Spec() traceroute.Spec {
	spec := traceroute.Spec{
		Method:        traceroute.Method(t.PacketType),
		MaxTTL:        int(t.MaxTTL),
		PacketsPerTTL: t.packetsPerTTL(),
		Port:          int(t.Port),
		Wait:          time.Duration(t.WaitTime) * time.Second,
	}
	switch {
	case t.IPv4:
		spec.Family = traceroute.IPv4Only
	case t.IPv6:
		spec.Family = traceroute.IPv6Only
	}
	return spec
}

// packetsPerTTL returns how many packets a round sends to each TTL. Rounds add
// up, and routers that limit their ICMP errors answer about one a second
// (ADR 46).
func (t *Trace) packetsPerTTL() int {
	switch {
	case t.PacketsPerTTL != 0:
		return int(t.PacketsPerTTL)
	case t.Follow:
		return 1
	}
	return traceroute.DefaultPackets
}

// MaxRounds returns how many rounds to trace; 0: without end.
func (t *Trace) MaxRounds() int {
	if t.Follow {
		return int(t.Rounds)
	}
	return 1
}

type (
	method        traceroute.Method
	maxTTL        int
	packetsPerTTL int
	port          int
	waitTime      int // seconds
	rounds        int // 0: without end
	interval      int // seconds
)

func (v *method) UnmarshalText(text []byte) error {
	m, err := traceroute.ParseMethod(string(text))
	*v = method(m)
	return err
}

// Choices returns all values.
func (*method) Choices() []string {
	var names []string
	for _, m := range traceroute.Methods() {
		names = append(names, m.String())
	}
	return names
}

func (v *maxTTL) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 1, traceroute.MaxTTLLimit)
}

func (v *packetsPerTTL) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 1, traceroute.PacketsPerTTLLimit)
}

func (v *port) UnmarshalText(text []byte) error { return bounded((*int)(v), text, 0, 65535) }

func (v *waitTime) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 1, int(traceroute.MaxWait/time.Second))
}

func (v *rounds) UnmarshalText(text []byte) error { return bounded((*int)(v), text, 0, 1_000_000) }

func (v *interval) UnmarshalText(text []byte) error { return bounded((*int)(v), text, 1, 3600) }
