package compat

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checkRead compares an answer with what the SDK made of it: the same fields
// with the same values.
func (s sdk) checkRead(t *testing.T, answer []byte, got outcome) {
	t.Helper()
	for _, m := range got.Misfits {
		t.Errorf("misfit: %s", m)
	}
	var sent struct{ Result any }
	var read any
	if err := json.Unmarshal(answer, &sent); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got.Result, &read); err != nil {
		t.Fatal(err)
	}
	d := differences{lost: map[string]bool{}, unset: map[string]bool{}}
	d.compare("result", sent.Result, read)
	for path := range d.lost {
		if !slices.Contains(s.lost, path) {
			t.Errorf("the answer has %s, which the SDK does not know", path)
		}
	}
	for path := range d.unset {
		if !slices.Contains(s.unset, path) {
			t.Errorf("the SDK knows %s, which the answer does not have", path)
		}
	}
	for _, c := range d.changed {
		t.Errorf("the SDK read another value: %s", c)
	}
	if t.Failed() {
		t.Logf("the answer:\n%s\nwhat the SDK read:\n%s", answer, got.Result)
	}
}

// differences between two JSON values. A path names a field, whatever the
// place in an array.
type differences struct {
	lost    map[string]bool // only in the answer
	unset   map[string]bool // only in what the SDK read, and empty there
	changed []string
}

func (d *differences) compare(path string, sent, read any) {
	switch sent := sent.(type) {
	case map[string]any:
		if read, ok := read.(map[string]any); ok {
			d.compareObjects(path, sent, read)
			return
		}
	case []any:
		if read, ok := read.([]any); ok && len(read) == len(sent) {
			for i := range sent {
				d.compare(path+"[]", sent[i], read[i])
			}
			return
		}
	}
	if !cmp.Equal(sent, read) {
		d.changed = append(d.changed, fmt.Sprintf("%s is %#v, read as %#v", path, sent, read))
	}
}

func (d *differences) compareObjects(path string, sent, read map[string]any) {
	for name, value := range sent {
		if other, ok := read[name]; ok {
			d.compare(path+"."+name, value, other)
		} else {
			d.lost[path+"."+name] = true
		}
	}
	for name, value := range read {
		if _, ok := sent[name]; ok {
			continue
		}
		d.unset[path+"."+name] = true
		if value != nil && value != "" {
			d.changed = append(d.changed, fmt.Sprintf("%s.%s is absent, read as %#v", path, name, value))
		}
	}
}

// checkSent holds a request body against what the SDK was asked to send. What
// it sends besides must be the zero value.
func (s sdk) checkSent(t *testing.T, body []byte, a ask) {
	t.Helper()
	a.Account = "" // in the path
	want, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	asked, sent := fields(t, want), fields(t, body)
	maps.DeleteFunc(asked, func(_ string, v any) bool { return zero(v) })
	maps.DeleteFunc(sent, func(_ string, v any) bool { return zero(v) })
	if diff := cmp.Diff(asked, sent); diff != "" {
		t.Errorf("request sent (-asked +sent):\n%s", diff)
	}
}

// fields flattens a request: options stand beside the other fields.
func fields(t *testing.T, body []byte) map[string]any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(body, &all); err != nil {
		t.Fatalf("request body %q: %v", body, err)
	}
	if options, ok := all["options"].(map[string]any); ok {
		delete(all, "options")
		for name, value := range options {
			all["options."+name] = value
		}
	}
	return all
}

func zero(v any) bool {
	list, isList := v.([]any)
	return v == nil || v == "" || v == 0.0 || isList && len(list) == 0
}
