package body

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"probe-agent/api/envelope"
)

// Object is a JSON object whose fields are read one by one. A field of the wrong
// type is added to the problems and read as the zero value; values are not
// judged. Names are matched exactly, the last of two fields with one name wins,
// and null stands for an absent field. The zero Object has no fields.
type Object struct {
	fields  map[string]json.RawMessage
	pointer string // where it is in the body, RFC 6901
	name    string // in error messages: "options"; empty for the body itself
}

// Parse returns the body as an object; ok is false, with a problem added, when
// it is not a JSON object. A byte order mark in front is skipped (RFC 8259
// section 8.1).
func Parse(body []byte, problems *envelope.Problems) (o Object, ok bool) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	err := json.Unmarshal(body, &o.fields)
	_, other := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case other:
		problems.Add(envelope.CodeBody, "", "the body must be a JSON object")
	case err != nil:
		problems.Add(envelope.CodeBody, "", "the body is not JSON: %s", err)
	case o.fields == nil:
		problems.Add(envelope.CodeBody, "", "the body must be a JSON object, not null")
	default:
		return o, true
	}
	return Object{}, false
}

// Object returns the field of that name.
func (o Object) Object(name string, problems *envelope.Problems) Object {
	inner := Object{pointer: o.at(name), name: o.called(name)}
	if raw := o.fields[name]; raw != nil && json.Unmarshal(raw, &inner.fields) != nil {
		problems.Add(envelope.CodeBody, inner.pointer, "%s must be an object", inner.name)
		inner.fields = nil
	}
	return inner
}

// Strings returns a field that is an array of strings, nil when it is absent.
// The items of an array of more than most are left empty: their number alone
// decides.
func (o Object) Strings(name string, most int, problems *envelope.Problems) []string {
	raw := o.fields[name]
	if raw == nil {
		return nil
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		problems.Add(envelope.CodeBody, o.at(name), "%s must be an array of strings", o.called(name))
		return nil
	}
	if items == nil {
		return nil
	}
	texts := make([]string, len(items))
	if len(items) > most {
		return texts
	}
	for i, item := range items {
		var text *string
		if json.Unmarshal(item, &text) != nil || text == nil {
			problems.Add(envelope.CodeBody, fmt.Sprintf("%s/%d", o.at(name), i), "%s[%d] must be a string", o.called(name), i)
			continue
		}
		texts[i] = *text
	}
	return texts
}

// String returns a field that is a string.
func (o Object) String(name string, problems *envelope.Problems) string {
	var text string
	if raw := o.fields[name]; raw != nil && json.Unmarshal(raw, &text) != nil {
		problems.Add(envelope.CodeBody, o.at(name), "%s must be a string", o.called(name))
	}
	return text
}

// Integer returns a field that is an integer. A number is one when its value
// is: 3.0 and 3e0 are what some JSON writers make of 3, and JSON itself knows no
// difference (RFC 8259 section 6). Integers beyond 32 bits are cut down to 32:
// no field permits them, so they fail their range as they should.
func (o Object) Integer(name string, problems *envelope.Problems) int {
	raw := o.fields[name]
	if raw == nil || string(raw) == "null" {
		return 0
	}
	// Valid JSON that starts like a number is one, so ParseFloat's wider
	// grammar (hexadecimal, Inf) is out of reach. What overflows a float is
	// an integer, and comes back as infinity.
	if c := raw[0]; c == '-' || c >= '0' && c <= '9' {
		if v, _ := strconv.ParseFloat(string(raw), 64); v == math.Trunc(v) {
			return int(max(math.MinInt32, min(math.MaxInt32, v)))
		}
	}
	problems.Add(envelope.CodeBody, o.at(name), "%s must be an integer", o.called(name))
	return 0
}

// at is the pointer to a field.
func (o Object) at(name string) string { return o.pointer + "/" + name }

// called is the name of a field in error messages.
func (o Object) called(name string) string {
	if o.name == "" {
		return name
	}
	return o.name + "." + name
}
