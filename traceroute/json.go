package traceroute

import (
	"encoding/json"
	"errors"
	"fmt"
)

// MarshalJSON returns the Document of the result.
func (r *Result) MarshalJSON() ([]byte, error) { return json.Marshal(r.Document()) }

// UnmarshalJSON reads a Document.
func (r *Result) UnmarshalJSON(text []byte) error {
	var d Document
	if err := json.Unmarshal(text, &d); err != nil {
		return fmt.Errorf("traceroute: %w", err)
	}
	parsed, err := d.Result()
	if err != nil {
		return err
	}
	*r = *parsed
	return nil
}

// outcomeDocument is the JSON form of an Outcome.
type outcomeDocument struct {
	TookNS  int64            `json:"took_ns"`
	Failure *FailureDocument `json:"failure"`
	Result  *Result          `json:"trace"`
}

// MarshalJSON returns the JSON form: took_ns, failure and trace.
func (o Outcome) MarshalJSON() ([]byte, error) {
	return json.Marshal(outcomeDocument{TookNS: o.Took.Nanoseconds(), Failure: o.Failure.Document(), Result: o.Result})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (o *Outcome) UnmarshalJSON(text []byte) error {
	var d outcomeDocument
	if err := json.Unmarshal(text, &d); err != nil {
		return fmt.Errorf("traceroute: %w", err)
	}
	failure, err := d.Failure.Failure()
	if err != nil {
		return err
	}
	if (failure == nil) == (d.Result == nil) {
		return errors.New("traceroute: an outcome is either a trace or a failure")
	}
	took, err := elapsed("took_ns", d.TookNS)
	if err != nil {
		return err
	}
	*o = Outcome{Result: d.Result, Failure: failure, Took: took}
	return nil
}

// batchDocument is the JSON form of a Batch.
type batchDocument struct {
	Version int             `json:"version"`
	Targets []string        `json:"targets"`
	Options OptionsDocument `json:"options"`
	Live    bool            `json:"live"`
}

// MarshalJSON returns the JSON form: version, targets, options and live.
func (b Batch) MarshalJSON() ([]byte, error) {
	return json.Marshal(batchDocument{Version: Version, Targets: b.Targets, Options: b.Spec.Document(), Live: b.Live})
}

// UnmarshalJSON reads what MarshalJSON wrote, with defaults for options that
// are absent.
func (b *Batch) UnmarshalJSON(text []byte) error {
	var d batchDocument
	if err := json.Unmarshal(text, &d); err != nil {
		return fmt.Errorf("traceroute: %w", err)
	}
	if d.Version != Version {
		return fmt.Errorf("traceroute: batch of version %d, this is %d", d.Version, Version)
	}
	spec, err := d.Options.Spec()
	if err != nil {
		return err
	}
	*b = Batch{Targets: d.Targets, Spec: spec, Live: d.Live}
	return nil
}

// eventDocument is the JSON form of an Event.
type eventDocument struct {
	Target     int         `json:"target"`
	Responders []Responder `json:"responders,omitempty"`
	Hops       []Hop       `json:"hops,omitempty"`
	Outcome    *Outcome    `json:"outcome,omitempty"`
}

// MarshalJSON returns the JSON form: target, and responders, hops or outcome.
func (e Event) MarshalJSON() ([]byte, error) {
	return json.Marshal(eventDocument(e))
}

// UnmarshalJSON reads what MarshalJSON wrote. The reader has to check that
// Target is one of its Batch.
func (e *Event) UnmarshalJSON(text []byte) error {
	var d eventDocument
	if err := json.Unmarshal(text, &d); err != nil {
		return fmt.Errorf("traceroute: %w", err)
	}
	for _, hop := range d.Hops {
		if _, err := within("ttl", int(hop.TTL), 1, MaxTTLLimit); err != nil {
			return err
		}
		if err := notNegative(map[string]int{"sent": hop.Sent, "lost": hop.Lost, "pending": hop.Pending}); err != nil {
			return err
		}
	}
	*e = Event(d)
	return nil
}
