package api

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"probe-agent/api/envelope"
)

func TestSelectColos(t *testing.T) {
	all := []Colo{&fakeColo{name: "den01"}, &fakeColo{name: "AMS01"}, &fakeColo{name: "den02"}, &fakeColo{name: "denver1"}, &fakeColo{name: "lab"}}
	tests := map[string]struct {
		names []string
		want  string
		wrong string // pointers of the faults
	}{
		"absent":                {nil, "den01 AMS01 den02 denver1 lab", ""},
		"empty":                 {[]string{}, "den01 AMS01 den02 denver1 lab", ""},
		"letters":               {[]string{"den"}, "den01 den02", ""},
		"exact":                 {[]string{"den02"}, "den02", ""},
		"case":                  {[]string{"DEN02", "ams"}, "den02 AMS01", ""},
		"order asked":           {[]string{"lab", "den02", "ams01"}, "lab den02 AMS01", ""},
		"twice":                 {[]string{"den02", "den", "den02"}, "den02 den01", ""},
		"without digits":        {[]string{"lab"}, "lab", ""},
		"unknown":               {[]string{"nrt"}, "", "/colos/0"},
		"part of the letters":   {[]string{"de", "den01"}, "den01", "/colos/0"},
		"part of the digits":    {[]string{"den0"}, "", "/colos/0"},
		"digits only":           {[]string{"01"}, "", "/colos/0"},
		"empty string":          {[]string{""}, "", "/colos/0"},
		"white space":           {[]string{" den01"}, "", "/colos/0"},
		"every unknown is told": {[]string{"x", "den01", "y"}, "den01", "/colos/0 /colos/2"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var wrong envelope.Problems
			var got, pointers []string
			for _, c := range selectColos(all, tt.names, &wrong) {
				got = append(got, c.Name())
			}
			for _, f := range faultsOf(wrong) {
				pointers = append(pointers, f.Pointer)
				if f.Code != 1005 {
					t.Errorf("code %d", f.Code)
				}
			}
			if diff := cmp.Diff([]string{tt.want, tt.wrong}, []string{strings.Join(got, " "), strings.Join(pointers, " ")}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestColoNames(t *testing.T) {
	for _, bad := range []string{"", "01", "-den", "den 01", "den_01", "dén", "a\r\nb", strings.Repeat("a", 33)} {
		if _, err := New(Config{Colos: []Colo{&fakeColo{name: bad}}}); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
	for _, good := range []string{"a", "den01", "DEN", "my-lab-7", strings.Repeat("a", 32)} {
		if err := CheckColoName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	if _, err := New(Config{Colos: []Colo{&fakeColo{name: "den01"}, &fakeColo{name: "DEN01"}}}); err == nil {
		t.Error("two colos of one name: no error")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("no colo: no error")
	}
}
