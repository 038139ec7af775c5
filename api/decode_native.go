package api

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// maxPointed bounds the names of unknown fields that a refusal points at, in
// bytes. A longer one is told by the object that it is in, so that the answer
// to a hostile body stays small.
const maxPointed = 64

// decodeNative is decodeRequest for the native form, which has some more
// options and refuses fields that it does not know: what a client misspelt
// would otherwise silently be the default.
func decodeNative(body []byte, wrong *faults) (Request, bool) {
	top := decodeBody(body, wrong)
	if top == nil {
		return Request{}, false
	}
	refuseUnknown("", top, wrong, "targets", "colos", "options")
	req := decodeLists(top, wrong)
	fields := decodeOptionFields(top["options"], wrong)
	refuseUnknown("/options", fields, wrong,
		"max_ttl", "packet_type", "packets_per_ttl", "port", "wait_time", "wait_ms", "family")
	req.Options = decodeOptions(fields, wrong)
	req.Options.WaitMS = decodeInteger(fields, "wait_ms", wrong)
	req.Options.Family = decodeString(fields, "family", wrong)
	return req, true
}

// refuseUnknown adds a fault for every field of the object at pointer that is
// none of known.
func refuseUnknown(pointer string, fields map[string]json.RawMessage, wrong *faults, known ...string) {
	escape := strings.NewReplacer("~", "~0", "/", "~1") // RFC 6901 section 3
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if slices.Contains(known, name) {
			continue
		}
		at := pointer
		if len(name) <= maxPointed {
			at += "/" + escape.Replace(name)
		}
		wrong.add(codeField, at, "there is no such field; the fields are %s", strings.Join(known, ", "))
	}
}
