package body

import (
	"maps"
	"slices"
	"strings"

	"probe-agent/api/envelope"
)

// maxPointed bounds the names of unknown fields that an error points at, in
// bytes. A longer one is reported for the object that it is in, so that the
// answer to a hostile body stays small.
const maxPointed = 64

// RefuseUnknown adds a problem for every field that is not among known.
func (o Object) RefuseUnknown(problems *envelope.Problems, known ...string) {
	escape := strings.NewReplacer("~", "~0", "/", "~1") // RFC 6901 section 3
	for _, name := range slices.Sorted(maps.Keys(o.fields)) {
		if slices.Contains(known, name) {
			continue
		}
		at := o.pointer
		if len(name) <= maxPointed {
			at += "/" + escape.Replace(name)
		}
		problems.Add(envelope.CodeField, at, "there is no such field; the fields are %s", strings.Join(known, ", "))
	}
}
