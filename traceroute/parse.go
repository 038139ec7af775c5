package traceroute

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"
)

// Result returns the result whose JSON form is d. The error names the first
// field that has an impossible value.
func (d *Document) Result() (*Result, error) {
	if d.Version != Version {
		return nil, fmt.Errorf("traceroute: document of version %d, this is %d", d.Version, Version)
	}
	spec, err := d.Options.Spec()
	if err != nil {
		return nil, err
	}
	if d.Target == nil || !d.Target.IsValid() {
		return nil, errors.New("traceroute: target is missing")
	}
	spec.Target = *d.Target
	stop, err := ParseStop(d.Stop)
	if err != nil {
		return nil, err
	}
	if year := d.StartedAt.UTC().Year(); year < 0 || year > 9999 { // RFC 3339 section 1
		return nil, errors.New("traceroute: started_at is not in the years 0 to 9999 of UTC")
	}
	duration, err := elapsed("duration_ns", d.DurationNS)
	if err != nil {
		return nil, err
	}
	counts, err := d.Counts.counts()
	if err != nil {
		return nil, err
	}
	r := &Result{Spec: spec, Source: d.Source, Started: d.StartedAt, Duration: duration, Stop: stop, Counts: counts}
	for _, ttl := range d.LimitedTTLs {
		limited, err := within("limited_ttls", ttl, 1, MaxTTLLimit)
		if err != nil {
			return nil, err
		}
		r.Limited = append(r.Limited, uint8(limited))
	}
	for i := range d.Probes {
		p, err := d.Probes[i].probe()
		if err != nil {
			return nil, err
		}
		r.Probes = append(r.Probes, p)
	}
	return r, nil
}

func (d *CountsDocument) counts() (Counts, error) {
	err := notNegative(map[string]int{
		"beyond": d.Beyond, "retried": d.Retried, "duplicates": d.Duplicates, "late": d.Late, "forged": d.Forged,
	})
	return Counts{Beyond: d.Beyond, Retried: d.Retried, Duplicates: d.Duplicates, Late: d.Late, Forged: d.Forged}, err
}

// Spec returns the spec whose JSON form is d, with defaults for what is absent
// and without Target.
func (d *OptionsDocument) Spec() (Spec, error) {
	method, err := ParseMethod(d.PacketType)
	if err != nil {
		return Spec{}, err
	}
	family, err := ParseFamily(d.Family)
	if err != nil {
		return Spec{}, err
	}
	if _, err := within("wait_ms", d.WaitMS, 0, MaxWait.Milliseconds()); err != nil {
		return Spec{}, err
	}
	return Spec{
		Method: method, MaxTTL: d.MaxTTL, PacketsPerTTL: d.PacketsPerTTL, Port: d.Port,
		Wait: time.Duration(d.WaitMS) * time.Millisecond, Family: family,
	}.WithDefaults()
}

func (d *ProbeDocument) probe() (Probe, error) {
	ttl, err := within("ttl", d.TTL, 1, MaxTTLLimit)
	if err != nil {
		return Probe{}, err
	}
	flow, err := within("flow", d.Flow, 0, math.MaxUint16)
	if err != nil {
		return Probe{}, err
	}
	sent, err := elapsed("sent_ns", d.SentNS)
	if err != nil {
		return Probe{}, err
	}
	answer, err := d.Answer.answer()
	return Probe{TTL: uint8(ttl), Flow: uint16(flow), Encapsulated: d.Encapsulated, Sent: sent, Answer: answer}, err
}

func (d *AnswerDocument) answer() (*Answer, error) {
	if d == nil {
		return nil, nil //nolint:nilnil // a probe without an answer
	}
	a := &Answer{From: d.From, Arrival: d.Arrival}
	var wrong [9]error
	a.Clock, wrong[0] = ParseClock(d.Clock)
	a.Kind, wrong[1] = ParseKind(d.Kind)
	a.Code, wrong[2] = octet("code", d.Code)
	a.TTL, wrong[3] = octet("reply_ttl", d.ReplyTTL)
	a.QuotedTTL, wrong[4] = octet("quoted_ttl", d.QuotedTTL)
	a.QuotedTOS, wrong[5] = octet("quoted_tos", d.QuotedTOS)
	a.MTU, wrong[6] = uint32Of("mtu", d.MTU)
	a.Extensions, wrong[7] = d.Extensions.extensions()
	a.RTT, wrong[8] = elapsed("rtt_ns", d.RTTNS)
	for _, err := range wrong {
		if err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (d *ExtensionsDocument) extensions() (*Extensions, error) {
	if d == nil {
		return nil, nil //nolint:nilnil // an answer without extensions
	}
	e := &Extensions{}
	for _, m := range d.MPLS {
		label, err := within("label", m.Label, 0, 1<<20-1)
		if err != nil {
			return nil, err
		}
		class, err := within("traffic_class", m.TrafficClass, 0, 7)
		if err != nil {
			return nil, err
		}
		ttl, err := octet("ttl", &m.TTL)
		if err != nil {
			return nil, err
		}
		e.MPLS = append(e.MPLS, MPLS{Label: uint32(label), TrafficClass: uint8(class), Bottom: m.Bottom, TTL: ttl})
	}
	for _, i := range d.Interfaces {
		parsed, err := i.parse()
		if err != nil {
			return nil, err
		}
		e.Interfaces = append(e.Interfaces, parsed)
	}
	for _, o := range d.Objects {
		parsed, err := o.parse()
		if err != nil {
			return nil, err
		}
		e.Objects = append(e.Objects, parsed)
	}
	return e, nil
}

func (d *InterfaceDocument) parse() (Interface, error) {
	i := Interface{HasIndex: d.Index != nil}
	var err error
	if i.Role, err = ParseRole(d.Role); err != nil {
		return i, err
	}
	if i.Index, err = uint32Of("index", d.Index); err != nil {
		return i, err
	}
	if i.MTU, err = uint32Of("mtu", d.MTU); err != nil {
		return i, err
	}
	if d.IP != nil {
		i.Addr = *d.IP
	}
	if d.Name != nil {
		i.Name = *d.Name
	}
	return i, nil
}

func (d *ObjectDocument) parse() (Object, error) {
	class, err := octet("class", &d.Class)
	if err != nil {
		return Object{}, err
	}
	cType, err := octet("c_type", &d.CType)
	if err != nil {
		return Object{}, err
	}
	data, err := hex.DecodeString(d.Data)
	if err != nil {
		return Object{}, fmt.Errorf("traceroute: data_hex: %w", err)
	}
	if len(data) == 0 {
		data = nil
	}
	return Object{Class: class, CType: cType, Data: data}, nil
}

// Failure returns the failure whose JSON form is d, nil for nil.
func (d *FailureDocument) Failure() (*Failure, error) {
	if d == nil {
		return nil, nil //nolint:nilnil // no failure
	}
	code, err := within("code", d.Code, int(Unresolved), int(Unsent))
	if err != nil {
		return nil, err
	}
	return &Failure{Code: FailureCode(code), Reason: d.Message}, nil
}

// within returns v, or an error that names the field when v is out of range.
func within[T int | int64](field string, v, low, high T) (T, error) {
	if v < low || v > high {
		return 0, fmt.Errorf("traceroute: %s %d is not in %d to %d", field, v, low, high)
	}
	return v, nil
}

// elapsed returns a time in nanoseconds that is not negative.
func elapsed(field string, ns int64) (time.Duration, error) {
	checked, err := within(field, ns, 0, math.MaxInt64)
	return time.Duration(checked), err
}

// notNegative returns an error that names a field that is negative.
func notNegative(fields map[string]int) error {
	for field, v := range fields {
		if _, err := within(field, v, 0, math.MaxInt); err != nil {
			return err
		}
	}
	return nil
}

// octet returns the value of a field that may be absent: 0 then.
func octet(field string, v *int) (uint8, error) {
	if v == nil {
		return 0, nil
	}
	checked, err := within(field, *v, 0, math.MaxUint8)
	return uint8(checked), err
}

func uint32Of(field string, v *int64) (uint32, error) {
	if v == nil {
		return 0, nil
	}
	checked, err := within(field, *v, 0, math.MaxUint32)
	return uint32(checked), err
}
