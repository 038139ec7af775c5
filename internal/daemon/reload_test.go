package daemon_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"probe-agent/internal/daemon"
)

// Of a configuration that is wrong in one place nothing is put in use, and
// every place that is wrong is told.
func TestReloadIsWhole(t *testing.T) {
	var inUse []string
	part := func(name string, err error) daemon.Part[string] {
		return daemon.Part[string]{Prepare: func(_ context.Context, settings string) (func(), error) {
			if err != nil {
				return nil, err
			}
			return func() { inUse = append(inUse, name+" "+settings) }, nil
		}}
	}
	tests := []struct {
		name    string
		read    error
		parts   []daemon.Part[string]
		want    []string // in use after it
		waiting []string
		faults  string
	}{
		{"good", nil, []daemon.Part[string]{part("a", nil), part("b", nil)}, []string{"a fresh", "b fresh"}, []string{"listen"}, ""},
		{"first bad", nil, []daemon.Part[string]{part("a", errors.New("a is bad")), part("b", nil)}, nil, nil, "a is bad"},
		{"both bad", nil, []daemon.Part[string]{part("a", errors.New("a is bad")), part("b", errors.New("b is bad"))}, nil, nil, "a is bad\nb is bad"},
		{"unreadable", errors.New("no such file"), []daemon.Part[string]{part("a", nil)}, nil, nil, "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inUse = nil
			r := daemon.Reloader[string]{
				Read:    func(context.Context) (string, error) { return "fresh", tt.read },
				Parts:   tt.parts,
				Started: "old",
				Fixed: func(started, fresh string) []string {
					if started != "old" || fresh != "fresh" {
						t.Errorf("compares %q with %q", started, fresh)
					}
					return []string{"listen"}
				},
			}
			waiting, err := r.Reload(t.Context())
			if diff := cmp.Diff(tt.want, inUse); diff != "" {
				t.Errorf("in use (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.waiting, waiting); diff != "" {
				t.Errorf("waiting (-want +got):\n%s", diff)
			}
			var said string
			if err != nil {
				said = strings.TrimSpace(err.Error())
			}
			if said != tt.faults {
				t.Errorf("error %q, want %q", said, tt.faults)
			}
		})
	}
}
