package v1

import (
	"probe-agent/prober"
)

// Probe is one packet sent and what came of it.
type Probe struct {
	TTL          int     `json:"ttl"`
	Flow         int     `json:"flow"`
	Encapsulated bool    `json:"encapsulated"`
	SentNS       int64   `json:"sent_ns"` // since the trace's start
	Answer       *Answer `json:"answer"`  // null: none in time
}

// Answer is the first valid reply to a probe.
type Answer struct {
	From       Address     `json:"from"`
	RTTNS      int64       `json:"rtt_ns"`
	Clock      string      `json:"clock"`
	Kind       string      `json:"kind"`
	Code       *int        `json:"code"` // of ICMP errors
	Arrival    bool        `json:"arrival"`
	ReplyTTL   *int        `json:"reply_ttl"`
	QuotedTTL  *int        `json:"quoted_ttl"` // of ICMP errors, as the next two
	QuotedTOS  *int        `json:"quoted_tos"`
	MTU        *int64      `json:"mtu"`
	Extensions *Extensions `json:"extensions"`
}

func newProbe(p *prober.Probe) Probe {
	return Probe{
		TTL:          int(p.TTL),
		Flow:         int(p.Flow),
		Encapsulated: p.Encapsulated,
		SentNS:       p.Sent.Nanoseconds(),
		Answer:       newAnswer(p.Answer),
	}
}

func newAnswer(a *prober.Answer) *Answer {
	if a == nil {
		return nil
	}
	answer := &Answer{
		From:       a.From,
		RTTNS:      a.RTT.Nanoseconds(),
		Clock:      a.Clock.String(),
		Kind:       a.Kind.String(),
		Arrival:    a.Arrival,
		Extensions: newExtensions(a.Extensions),
	}
	if a.TTL != 0 {
		answer.ReplyTTL = new(int(a.TTL))
	}
	if a.Kind.IsError() {
		answer.Code = new(int(a.Code))
		answer.QuotedTTL, answer.QuotedTOS = new(int(a.QuotedTTL)), new(int(a.QuotedTOS))
	}
	if a.MTU != 0 {
		answer.MTU = new(int64(a.MTU))
	}
	return answer
}
