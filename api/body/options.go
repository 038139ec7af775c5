package body

import (
	"errors"
	"fmt"
	"math"
	"time"

	"probe-agent/api/envelope"
	"probe-agent/service"
	"probe-agent/traceroute"
)

// Lists reads the targets and colos of a request.
func Lists(top Object, problems *envelope.Problems) service.Request {
	return service.Request{
		Targets: top.Strings("targets", service.MaxTargets, problems),
		Colos:   top.Strings("colos", math.MaxInt, problems),
	}
}

// Options are how to trace, as clients write it. Zero options stand for their
// defaults.
type Options struct {
	MaxTTL        int    // 0 to 64, default 15
	PacketType    string // default icmp
	PacketsPerTTL int    // 0 to 10, default 3
	Port          int    // 0 to 65535: UDP and TCP port, first ICMP echo sequence number
	WaitTime      int    // seconds, 0 to 5, default 1
	WaitMS        int    // instead of WaitTime: milliseconds, 0 to 5000
	Family        string // any, ipv4, ipv6; default any
}

// ReadOptions reads the options of the compatible endpoint.
func ReadOptions(o Object, problems *envelope.Problems) Options {
	return Options{
		MaxTTL:        o.Integer("max_ttl", problems),
		PacketType:    o.String("packet_type", problems),
		PacketsPerTTL: o.Integer("packets_per_ttl", problems),
		Port:          o.Integer("port", problems),
		WaitTime:      o.Integer("wait_time", problems),
	}
}

// Spec returns the options as a Spec without target, and adds a problem for each
// that is out of range.
func (o Options) Spec(problems *envelope.Problems) traceroute.Spec {
	bounds := []struct {
		name      string
		value, to int
		zero      string
	}{
		{"max_ttl", o.MaxTTL, traceroute.MaxTTLLimit, fmt.Sprintf("the default, %d", traceroute.DefaultMaxTTL)},
		{"packets_per_ttl", o.PacketsPerTTL, traceroute.PacketsPerTTLLimit, fmt.Sprintf("the default, %d", traceroute.DefaultPackets)},
		{"port", o.Port, math.MaxUint16, "the best port of the packet type"},
		{"wait_time", o.WaitTime, int(traceroute.MaxWait / time.Second), "the default, 1"},
		{"wait_ms", o.WaitMS, int(traceroute.MaxWait / time.Millisecond), "that options.wait_time counts"},
	}
	for _, b := range bounds {
		if b.value < 0 || b.value > b.to {
			problems.Add(envelope.CodeOption, "/options/"+b.name, "options.%s must be an integer from 0 to %d; 0 means %s", b.name, b.to, b.zero)
		}
	}
	spec := traceroute.Spec{MaxTTL: o.MaxTTL, PacketsPerTTL: o.PacketsPerTTL, Port: o.Port, Wait: time.Duration(o.WaitTime) * time.Second}
	var err error
	if spec.Method, err = traceroute.ParseMethod(o.PacketType); err != nil {
		problems.Add(envelope.CodePacketType, "/options/packet_type", "options.packet_type must be %s", traceroute.MethodsInWords())
	}
	if spec.Family, err = traceroute.ParseFamily(o.Family); err != nil {
		problems.Add(envelope.CodeOption, "/options/family", "options.family must be any, ipv4 or ipv6")
	}
	if o.WaitMS != 0 {
		if o.WaitTime != 0 {
			problems.Add(envelope.CodeOption, "/options/wait_ms", "options.wait_ms must not be set together with options.wait_time")
		}
		spec.Wait = time.Duration(o.WaitMS) * time.Millisecond
	}
	if spec.Method == traceroute.GRE {
		spec.Port = 0
	}
	return spec
}

// Job checks the request and returns it as a job for s. Problems holds those
// found so far. The error is an *envelope.Error with all of them: those, then
// the ones of targets and colos, then of options.
func Job(s *service.Service, request service.Request, options Options, problems *envelope.Problems) (*service.Job, error) {
	var outOfRange envelope.Problems
	spec := options.Spec(&outOfRange)
	if len(outOfRange) == 0 {
		request.Spec = spec
	}
	job, err := s.Check(request)
	if invalid, ok := errors.AsType[*service.InvalidError](err); ok {
		for _, p := range invalid.Problems {
			problems.Add(codeOf(p.Kind), p.Pointer, "%s", p.Message)
		}
	} else if err != nil {
		return nil, err
	}
	for _, p := range outOfRange {
		problems.Add(p.Code, p.Source.Pointer, "%s", p.Message)
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return job, nil
}

func codeOf(kind service.ProblemKind) int {
	switch kind {
	case service.InvalidTarget:
		return envelope.CodeTargets
	case service.InvalidColo:
		return envelope.CodeColo
	default:
		return envelope.CodeOption
	}
}
