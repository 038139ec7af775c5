package service

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"probe-agent/traceroute"
)

func TestSelectColos(t *testing.T) {
	s, _ := newService(t, nil, &fakeColo{name: "den01"}, &fakeColo{name: "AMS01"}, &fakeColo{name: "den02"}, &fakeColo{name: "denver1"}, &fakeColo{name: "lab"})
	tests := map[string]struct {
		names []string
		want  string // colos, or pointers of the problems
	}{
		"absent":                 {nil, "den01 AMS01 den02 denver1 lab"},
		"empty":                  {[]string{}, "den01 AMS01 den02 denver1 lab"},
		"letters":                {[]string{"den"}, "den01 den02"},
		"exact":                  {[]string{"den02"}, "den02"},
		"case":                   {[]string{"DEN02", "ams"}, "den02 AMS01"},
		"order of the request":   {[]string{"lab", "den02", "ams01"}, "lab den02 AMS01"},
		"twice":                  {[]string{"den02", "den", "den02"}, "den02 den01"},
		"without digits":         {[]string{"lab"}, "lab"},
		"unknown":                {[]string{"nrt"}, "/colos/0"},
		"part of the letters":    {[]string{"de", "den01"}, "/colos/0"},
		"part of the digits":     {[]string{"den0"}, "/colos/0"},
		"digits only":            {[]string{"01"}, "/colos/0"},
		"empty string":           {[]string{""}, "/colos/0"},
		"white space":            {[]string{" den01"}, "/colos/0"},
		"every unknown is named": {[]string{"x", "den01", "y"}, "/colos/0 /colos/2"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			job, err := s.Check(Request{Targets: []string{"192.0.2.1"}, Colos: tt.names})
			var got []string
			if invalid, ok := errors.AsType[*InvalidError](err); ok {
				for _, p := range invalid.Problems {
					got = append(got, p.Pointer)
					if p.Kind != InvalidColo || p.Message != "Colo is not a valid colo" {
						t.Errorf("%+v", p)
					}
				}
			} else {
				for _, trace := range job.Traces() {
					got = append(got, trace.Colo.Name)
				}
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Every problem of a request is named at once.
func TestCheck(t *testing.T) {
	s, roster := newService(t, nil, &fakeColo{name: "den01"})
	tests := []struct {
		request Request
		want    string
	}{
		{Request{}, "/targets: targets must hold 1 to 10 host names or addresses"},
		{Request{Targets: make([]string, 11)}, "/targets: targets must hold at most 10 host names or addresses, not 11"},
		{
			Request{Targets: []string{"192.0.2.1", "192.0.2.1:80", ""}, Colos: []string{"nrt"}, Spec: traceroute.Spec{Port: -1}},
			"/targets/1: targets[1] must be a host name or address without a port; options.port sets the port; " +
				"/targets/2: targets[2] must not be empty; /colos/0: Colo is not a valid colo; /options: port -1 is not in 0 to 65535",
		},
	}
	for _, tt := range tests {
		_, err := s.Check(tt.request)
		if diff := cmp.Diff("service: invalid request: "+tt.want, err.Error()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	roster.Remove("DEN01")
	if _, err := s.Check(Request{Targets: []string{"192.0.2.1"}}); err == nil || !strings.HasSuffix(err.Error(), "/colos: no colo is available") {
		t.Errorf("error %v", err)
	}
}

func TestRosterNames(t *testing.T) {
	for _, bad := range []string{"", "01", "-den", "den 01", "den_01", "dén", "a\r\nb", strings.Repeat("a", 33)} {
		if _, err := NewRoster(&fakeColo{name: bad}); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
	for _, good := range []string{"a", "den01", "DEN", "my-lab-7", strings.Repeat("a", 32)} {
		if err := CheckColoName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	_, roster := newService(t, nil, &fakeColo{name: "den01"}, &fakeColo{name: "ams01"})
	if err := roster.Add(&fakeColo{name: "DEN01"}); err == nil {
		t.Error("two colos of one name: no error")
	}
	if roster.Remove("nrt01") || !roster.Remove("Den01") || roster.Remove("den01") {
		t.Error("removed the wrong ones")
	}
	if err := roster.Add(&fakeColo{name: "DEN01"}); err != nil {
		t.Error(err)
	}
	want := []traceroute.Colo{{Name: "ams01", City: "City of ams01"}, {Name: "DEN01", City: "City of DEN01"}}
	if diff := cmp.Diff(want, roster.Colos()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
