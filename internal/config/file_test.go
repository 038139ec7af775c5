package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"probe-agent/internal/config"
	"probe-agent/internal/inputfile"
)

func settings() []config.Setting {
	return []config.Setting{
		{Key: "listen"},
		{Key: "rate", Check: func(value string) error {
			if n, err := strconv.Atoi(value); err != nil || n < 1 {
				return fmt.Errorf("%q is not a whole number above 0", value)
			}
			return nil
		}},
		{Key: "source", List: true, Check: func(value string) error {
			if !strings.ContainsAny(value, ".:") {
				return fmt.Errorf("%q is not an address", value)
			}
			return nil
		}},
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       map[string][]string
	}{
		{"comments only", "# rate: 5\n", map[string][]string{}},
		{"document mark", "---\nrate: 5\n", map[string][]string{"rate": {"5"}}},
		{"values", "listen: 127.0.0.1:80\nrate: 5\n", map[string][]string{"listen": {"127.0.0.1:80"}, "rate": {"5"}}},
		{"single for a list", "source: 192.0.2.1\n", map[string][]string{"source": {"192.0.2.1"}}},
		{"list", "source:\n  - 192.0.2.1\n  - 2001:db8::1\n", map[string][]string{"source": {"192.0.2.1", "2001:db8::1"}}},
		{"empty list", "source: []\n", map[string][]string{"source": {}}},
		{"quoted, so not null", "listen: \"\"\n", map[string][]string{"listen": {""}}},
		{"alias", "rate: &r 5\nlisten: *r\n", map[string][]string{"rate": {"5"}, "listen": {"5"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file, err := config.Parse("agent.yaml", []byte(tt.text), settings())
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]string{}
			for _, s := range settings() {
				if values, ok := file.Lookup(s.Key); ok {
					got[s.Key] = values
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseFaults(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string // lines of the error
	}{
		{"empty", "", []string{`config: agent.yaml is empty; a file that sets nothing has a comment at least`}},
		{"cut in a line", "listen: 127.0.0.1:80\nrate: 5", []string{`config: agent.yaml:2: the last line does not end in a newline; the file may be incomplete`}},
		{"cut behind a key", "source:\n", []string{`config: agent.yaml:1: source has no value; leave the line out for the default`}},
		{"unknown key", "rate: 5\ncolour: red\n", []string{`config: agent.yaml:2: "colour" is not a setting; settings are listen, rate, source`}},
		{"bad value", "\n\nrate: fast\n", []string{`config: agent.yaml:3: rate: "fast" is not a whole number above 0`}},
		{"bad item", "source:\n  - 192.0.2.1\n  - here\n", []string{`config: agent.yaml:3: source: "here" is not an address`}},
		{"all at once", "rate: 0\nlisten: x\ncolour: red\n", []string{
			`config: agent.yaml:1: rate: "0" is not a whole number above 0`,
			`config: agent.yaml:3: "colour" is not a setting; settings are listen, rate, source`,
		}},
		{"twice", "rate: 5\nrate: 6\n", []string{`config: agent.yaml:2: rate is set a second time`}},
		{"list for a value", "rate: [5]\n", []string{`config: agent.yaml:1: rate is one value, not a list`}},
		{"list in a list", "source: [[192.0.2.1]]\n", []string{`config: agent.yaml:1: source is one value, not a list`}},
		{"group for a value", "rate:\n  pps: 5\n", []string{`config: agent.yaml:2: rate is a plain value, not a group of settings`}},
		{"no value", "rate:\n", []string{`config: agent.yaml:1: rate has no value; leave the line out for the default`}},
		{"merge key", "<<: {rate: 5}\n", []string{`config: agent.yaml:1: "<<" is not a setting; settings are listen, rate, source`}},
		{"a list", "- rate\n", []string{`config: agent.yaml:1: settings are written as key: value`}},
		{"a word", "rate\n", []string{`config: agent.yaml:1: settings are written as key: value`}},
		{"second document", "rate: 5\n---\nrate: 6\n", []string{`config: agent.yaml: a second document (after ---) is not read`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Parse("agent.yaml", []byte(tt.text), settings())
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// What is not YAML at all still names the file and the line.
func TestParseSyntax(t *testing.T) {
	_, err := config.Parse("agent.yaml", []byte("rate: 5\n\t- x\n"), settings())
	if err == nil || !strings.HasPrefix(err.Error(), "config: agent.yaml: ") || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("error %v does not name agent.yaml and line 2", err)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	good, large := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(good, []byte("rate: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(large, make([]byte, config.MaxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}

	file, err := config.Load(t.Context(), new(inputfile.Opener), good, settings())
	if err != nil {
		t.Fatal(err)
	}
	if values, ok := file.Lookup("rate"); !ok || !cmp.Equal(values, []string{"7"}) {
		t.Errorf("rate is %q, %t; want 7", values, ok)
	}
	if _, err := config.Load(t.Context(), new(inputfile.Opener), filepath.Join(dir, "absent.yaml"), settings()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent file: error %v", err)
	}
	if _, err := config.Load(t.Context(), new(inputfile.Opener), large, settings()); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("large file: error %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("rate: 5\nsource: [192.0.2.1, '2001:db8::1']\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("? {x: y}\n: z\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := config.Parse("fuzz.yaml", data, settings())
		if err != nil {
			return
		}
		for _, s := range settings() {
			values, _ := file.Lookup(s.Key)
			for _, v := range values {
				if s.Check != nil && s.Check(v) != nil {
					t.Errorf("accepted %s: %q", s.Key, v)
				}
			}
		}
	})
}
