package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// decodeRequest reads a body and adds a fault for every field of the wrong
// type, leaving that field at its zero value. Values are not judged here. It
// returns false when the body is no JSON object, so that there is nothing more
// to say about fields.
//
// Names are matched exactly, the last of two fields with one name wins, and
// null stands for an absent field. A number is an integer when its value is
// one: 3.0 and 3e0 are what some JSON writers make of 3, and JSON itself knows
// no difference (RFC 8259 section 6). Integers beyond 32 bits are cut down to
// 32; no field allows them, so they fail their range as they should.
func decodeRequest(body []byte, wrong *faults) (Request, bool) {
	top := decodeBody(body, wrong)
	if top == nil {
		return Request{}, false
	}
	req := decodeLists(top, wrong)
	req.Options = decodeOptions(decodeOptionFields(top["options"], wrong), wrong)
	return req, true
}

// decodeBody returns the fields of the body, nil when it is no JSON object. A
// byte order mark in front is skipped (RFC 8259 section 8.1).
func decodeBody(body []byte, wrong *faults) map[string]json.RawMessage {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	var top map[string]json.RawMessage
	err := json.Unmarshal(body, &top)
	_, other := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case other:
		wrong.add(codeBody, "", "the body must be a JSON object")
		return nil
	case err != nil:
		wrong.add(codeBody, "", "the body is not JSON: %s", err)
		return nil
	case top == nil:
		wrong.add(codeBody, "", "the body must be a JSON object, not null")
	}
	return top
}

// decodeLists reads all but the options.
func decodeLists(top map[string]json.RawMessage, wrong *faults) Request {
	return Request{
		Targets: decodeStrings(top["targets"], "targets", maxTargets, wrong),
		Colos:   decodeStrings(top["colos"], "colos", math.MaxInt, wrong),
	}
}

// decodeStrings reads an array of strings. The items of an array of more than
// most are left empty: their number alone decides.
func decodeStrings(raw json.RawMessage, name string, most int, wrong *faults) []string {
	if raw == nil {
		return nil
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		wrong.add(codeBody, "/"+name, "%s must be an array of strings", name)
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
			wrong.add(codeBody, fmt.Sprintf("/%s/%d", name, i), "%s[%d] must be a string", name, i)
			continue
		}
		texts[i] = *text
	}
	return texts
}

// decodeOptionFields returns the fields of the options.
func decodeOptionFields(raw json.RawMessage, wrong *faults) map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	if raw != nil && json.Unmarshal(raw, &fields) != nil {
		wrong.add(codeBody, "/options", "options must be an object")
		return nil
	}
	return fields
}

// decodeOptions reads the options of the contract.
func decodeOptions(fields map[string]json.RawMessage, wrong *faults) Options {
	return Options{
		MaxTTL:        decodeInteger(fields, "max_ttl", wrong),
		PacketType:    decodeString(fields, "packet_type", wrong),
		PacketsPerTTL: decodeInteger(fields, "packets_per_ttl", wrong),
		Port:          decodeInteger(fields, "port", wrong),
		WaitTime:      decodeInteger(fields, "wait_time", wrong),
	}
}

func decodeString(fields map[string]json.RawMessage, name string, wrong *faults) string {
	var text string
	if raw := fields[name]; raw != nil && json.Unmarshal(raw, &text) != nil {
		wrong.add(codeBody, "/options/"+name, "options.%s must be a string", name)
	}
	return text
}

func decodeInteger(fields map[string]json.RawMessage, name string, wrong *faults) int {
	raw := fields[name]
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
	wrong.add(codeBody, "/options/"+name, "options.%s must be an integer", name)
	return 0
}
