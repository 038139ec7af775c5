package traceroute

import (
	"encoding/hex"
	"net/netip"
	"time"
)

// Version is the version of the JSON form. It rises when a reader of the form
// before could misunderstand it; a field that is added does not raise it.
const Version = 1

// Document is the JSON form of a Result.
type Document struct {
	Version int `json:"version"`
	Header
	Probes []ProbeDocument `json:"probes"`
}

// Header is what a Document has of the trace as a whole.
type Header struct {
	Options     OptionsDocument `json:"options"`
	Target      *netip.Addr     `json:"target,omitempty"` // the address probed
	Source      netip.Addr      `json:"source"`           // "" when hidden
	StartedAt   time.Time       `json:"started_at"`       // UTC
	DurationNS  int64           `json:"duration_ns"`
	Stop        string          `json:"stop"`
	Counts      CountsDocument  `json:"counts"`
	LimitedTTLs []int           `json:"limited_ttls"`
}

// OptionsDocument is the JSON form of a Spec with its defaults filled in, but
// for the Target.
type OptionsDocument struct {
	PacketType    string `json:"packet_type"`
	MaxTTL        int    `json:"max_ttl"`
	PacketsPerTTL int    `json:"packets_per_ttl"`
	Port          int    `json:"port"`
	WaitMS        int64  `json:"wait_ms"` // whole milliseconds
	Family        string `json:"family"`
}

// CountsDocument is the JSON form of Counts, with Sent and Answered, which the
// probes show as well.
type CountsDocument struct {
	Sent       int `json:"sent"`
	Answered   int `json:"answered"`
	Beyond     int `json:"beyond"`
	Retried    int `json:"retried"`
	Duplicates int `json:"duplicates"`
	Late       int `json:"late"`
	Forged     int `json:"forged"`
}

// ProbeDocument is the JSON form of a Probe.
type ProbeDocument struct {
	TTL          int             `json:"ttl"`
	Flow         int             `json:"flow"`
	Encapsulated bool            `json:"encapsulated"`
	SentNS       int64           `json:"sent_ns"` // since the trace's start
	Answer       *AnswerDocument `json:"answer"`  // null: none in time
}

// AnswerDocument is the JSON form of an Answer.
type AnswerDocument struct {
	From       netip.Addr          `json:"from"` // "" when hidden
	RTTNS      int64               `json:"rtt_ns"`
	Clock      string              `json:"clock"`
	Kind       string              `json:"kind"`
	Code       *int                `json:"code"` // of ICMP errors
	Arrival    bool                `json:"arrival"`
	ReplyTTL   *int                `json:"reply_ttl"`
	QuotedTTL  *int                `json:"quoted_ttl"` // of ICMP errors, as the next two
	QuotedTOS  *int                `json:"quoted_tos"`
	MTU        *int64              `json:"mtu"`
	Extensions *ExtensionsDocument `json:"extensions"`
}

// ExtensionsDocument is the JSON form of Extensions.
type ExtensionsDocument struct {
	MPLS       []MPLSDocument      `json:"mpls"`
	Interfaces []InterfaceDocument `json:"interfaces"`
	Objects    []ObjectDocument    `json:"objects"`
}

// MPLSDocument is the JSON form of an MPLS label stack entry.
type MPLSDocument struct {
	Label        int  `json:"label"`
	TrafficClass int  `json:"traffic_class"`
	Bottom       bool `json:"bottom_of_stack"`
	TTL          int  `json:"ttl"`
}

// InterfaceDocument is the JSON form of an Interface.
type InterfaceDocument struct {
	Role  string      `json:"role"`
	Index *int64      `json:"index"`
	IP    *netip.Addr `json:"ip"`
	Name  *string     `json:"name"`
	MTU   *int64      `json:"mtu"`
}

// ObjectDocument is the JSON form of an Object.
type ObjectDocument struct {
	Class int    `json:"class"`
	CType int    `json:"c_type"`
	Data  string `json:"data_hex"`
}

// FailureDocument is the JSON form of a Failure.
type FailureDocument struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`  // one word for the code, for programs
	Message string `json:"message"` // for people
}

// Document returns the JSON form of the result. It shares nothing with it.
func (r *Result) Document() Document {
	d := Document{Version: Version, Header: r.Header(), Probes: make([]ProbeDocument, len(r.Probes))}
	d.Target = &r.Spec.Target
	for i := range r.Probes {
		d.Probes[i] = r.Probes[i].Document()
	}
	return d
}

// Header returns the JSON form of the trace as a whole, without its Target.
func (r *Result) Header() Header {
	h := Header{
		Options: r.Spec.Document(), Source: r.Source,
		StartedAt: r.Started.UTC().Round(0), DurationNS: r.Duration.Nanoseconds(), Stop: r.Stop.String(),
		Counts: CountsDocument{
			Sent: len(r.Probes) + r.Counts.Beyond + r.Counts.Retried, Beyond: r.Counts.Beyond, Retried: r.Counts.Retried,
			Duplicates: r.Counts.Duplicates, Late: r.Counts.Late, Forged: r.Counts.Forged,
		},
		LimitedTTLs: make([]int, len(r.Limited)),
	}
	for i, ttl := range r.Limited {
		h.LimitedTTLs[i] = int(ttl)
	}
	for i := range r.Probes {
		if r.Probes[i].Answer != nil {
			h.Counts.Answered++
		}
	}
	return h
}

// Document returns the JSON form of the spec.
func (s *Spec) Document() OptionsDocument {
	return OptionsDocument{
		PacketType: s.Method.String(), MaxTTL: s.MaxTTL, PacketsPerTTL: s.PacketsPerTTL,
		Port: s.Port, WaitMS: s.Wait.Milliseconds(), Family: s.Family.String(),
	}
}

// Document returns the JSON form of the probe.
func (p *Probe) Document() ProbeDocument {
	return ProbeDocument{
		TTL: int(p.TTL), Flow: int(p.Flow), Encapsulated: p.Encapsulated, SentNS: p.Sent.Nanoseconds(),
		Answer: p.Answer.document(),
	}
}

func (a *Answer) document() *AnswerDocument {
	if a == nil {
		return nil
	}
	d := &AnswerDocument{
		From: a.From, RTTNS: a.RTT.Nanoseconds(), Clock: a.Clock.String(), Kind: a.Kind.String(),
		Arrival: a.Arrival, Extensions: a.Extensions.document(),
	}
	if a.TTL != 0 {
		d.ReplyTTL = new(int(a.TTL))
	}
	if a.Kind.IsError() {
		d.Code, d.QuotedTTL, d.QuotedTOS = new(int(a.Code)), new(int(a.QuotedTTL)), new(int(a.QuotedTOS))
	}
	if a.MTU != 0 {
		d.MTU = new(int64(a.MTU))
	}
	return d
}

func (e *Extensions) document() *ExtensionsDocument {
	if e == nil {
		return nil
	}
	d := &ExtensionsDocument{MPLS: []MPLSDocument{}, Interfaces: []InterfaceDocument{}, Objects: []ObjectDocument{}}
	for _, m := range e.MPLS {
		d.MPLS = append(d.MPLS, MPLSDocument{Label: int(m.Label), TrafficClass: int(m.TrafficClass), Bottom: m.Bottom, TTL: int(m.TTL)})
	}
	for _, i := range e.Interfaces {
		d.Interfaces = append(d.Interfaces, i.document())
	}
	for _, o := range e.Objects {
		d.Objects = append(d.Objects, ObjectDocument{Class: int(o.Class), CType: int(o.CType), Data: hex.EncodeToString(o.Data)})
	}
	return d
}

func (i *Interface) document() InterfaceDocument {
	d := InterfaceDocument{Role: i.Role.String()}
	if i.HasIndex {
		d.Index = new(int64(i.Index))
	}
	if i.Addr.IsValid() {
		d.IP = new(i.Addr)
	}
	if i.Name != "" {
		d.Name = new(i.Name)
	}
	if i.MTU != 0 {
		d.MTU = new(int64(i.MTU))
	}
	return d
}

// Document returns the JSON form of the failure.
func (f *Failure) Document() *FailureDocument {
	if f == nil {
		return nil
	}
	return &FailureDocument{Code: int(f.Code), Reason: f.Code.String(), Message: f.Reason}
}
