package prober

import (
	"slices"
	"testing"
	"time"
)

// probesOf draws probes: a row for each TTL, a letter for each flow; A is
// answered, . is lost. Flows are sent 20 ms apart.
func probesOf(rows ...string) []Probe {
	var probes []Probe
	for i, row := range rows {
		for flow, c := range row {
			p := Probe{TTL: uint8(i + 1), Flow: uint8(flow), Sent: time.Duration(flow) * 20 * time.Millisecond}
			if c == 'A' {
				p.Answer = &Answer{}
			}
			probes = append(probes, p)
		}
	}
	return probes
}

func TestLimitedTTLs(t *testing.T) {
	tests := []struct {
		name string
		rows []string
		want []uint8
	}{
		{"no loss", []string{"AAA", "AAA", "AAA"}, nil},
		{"bucket of one", []string{"AAA", "A..", "AAA"}, []uint8{2}},
		{"bucket of six", []string{"AAAAAA....", "AAAAAAAAAA"}, []uint8{1}},
		{"bucket that refills", []string{"AA...A...A", "AAAAAAAAAA"}, []uint8{1}},
		{"one lost", []string{"AA.", "AAA"}, nil},
		{"silent", []string{"...", "AAA"}, nil},
		{"silent first: congestion that passed", []string{".AA..", "AAAAA"}, nil},
		{"loss without rhythm", []string{"A.AA.A.AAA", "AAAAAAAAAA"}, nil},
		{"the path itself is lossy", []string{"A..", "A..", "A.."}, nil},
		{"nothing beyond answers those flows", []string{"A..", "AA."}, nil},
		{"last hop", []string{"AAA", "A.."}, nil},
		{"two routers", []string{"A..", "A..", "AAA"}, []uint8{1, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := limitedTTLs(probesOf(tt.rows...)); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
