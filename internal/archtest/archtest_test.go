package archtest

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "probe-agent"

// A source is one Go file of the module, as far as these rules care.
type source struct {
	file    string // relative to the module, with slashes
	name    string // of its package clause
	imports []string
}

func (s source) dir() string  { return path.Dir(s.file) }
func (s source) isTest() bool { return strings.HasSuffix(s.file, "_test.go") }

func TestArchitecture(t *testing.T) {
	all := sources(t, filepath.Join("..", ".."))
	if len(all) < 10 {
		t.Fatalf("only %d Go files found: not the module's root", len(all))
	}
	for _, s := range all {
		for _, v := range violations(s) {
			t.Error(v)
		}
	}
}

// The rules themselves must bite.
func TestViolations(t *testing.T) {
	tests := []struct {
		name string
		source
		want string // part of the violation; empty for none
	}{
		{"downwards", source{"api/handler.go", "api", []string{"net/http", "probe-agent/prober"}}, ""},
		{"upwards", source{"prober/engine.go", "prober", []string{"probe-agent/api"}}, "must not import probe-agent/api"},
		{"sideways", source{"stats/rtt.go", "stats", []string{"probe-agent/packet"}}, "must not import probe-agent/packet"},
		{"test upwards", source{"packet/parse_test.go", "packet_test", []string{"probe-agent/packet", "probe-agent/prober"}}, "must not import probe-agent/prober"},
		{"test with a simulated network", source{"prober/engine_test.go", "prober_test", []string{"probe-agent/prober", "probe-agent/internal/netsim"}}, ""},
		{"program with a simulated network", source{"prober/engine.go", "prober", []string{"probe-agent/internal/netsim"}}, "must not import probe-agent/internal/netsim"},
		{"folder below", source{"internal/netsim/kernel/chain.go", "kernel", []string{"probe-agent/packet", "probe-agent/internal/netsim"}}, ""},
		{"no place", source{"hop/hop.go", "hop", nil}, "has no place"},
		{"banned", source{"packet/parse.go", "packet", []string{"time"}}, "must not import time"},
		{"banned, not its sibling", source{"packet/parse.go", "packet", []string{"net/netip"}}, ""},
		{"banned but for tests", source{"packet/parse_test.go", "packet", []string{"testing", "time"}}, ""},
		{"banned in tests too", source{"packet/parse_test.go", "packet", []string{"math/rand"}}, "must not import math/rand"},
		{"spared file", source{"packet/craft_udp.go", "packet", []string{"github.com/google/gopacket"}}, ""},
		{"not spared file", source{"packet/parse.go", "packet", []string{"github.com/google/gopacket"}}, "must not import github.com/google/gopacket"},
		{"vague folder", source{"internal/netsim/util/x.go", "x", nil}, "says nothing"},
		{"vague name", source{"stats/rtt.go", "common", nil}, "says nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := violations(tt.source)
			if tt.want == "" && len(got) > 0 {
				t.Errorf("unexpected: %q", got)
			}
			if tt.want != "" && !slices.ContainsFunc(got, func(v string) bool { return strings.Contains(v, tt.want) }) {
				t.Errorf("got %q, want one with %q", got, tt.want)
			}
		})
	}
}

// violations returns what one file does against the rules, in words.
func violations(s source) []string {
	found := append(nameViolations(s), placeViolations(s)...)
	for _, b := range bans() {
		if s.isTest() && !b.tests || !matchAny(b.in, s) || matchAny(b.except, s) {
			continue
		}
		for _, imported := range s.imports {
			if slices.ContainsFunc(b.imports, func(p string) bool { return covers(p, imported) }) {
				found = append(found, fmt.Sprintf("%s must not import %s: %s", s.file, imported, b.why))
			}
		}
	}
	return found
}

func nameViolations(s source) []string {
	names := append(strings.Split(s.dir(), "/"), strings.TrimSuffix(s.name, "_test"))
	for _, name := range names {
		if slices.Contains(vagueNames(), name) {
			return []string{fmt.Sprintf("%s: a package called %q says nothing about what it is for", s.file, name)}
		}
	}
	return nil
}

func placeViolations(s source) []string {
	all := places()
	i := slices.IndexFunc(all, func(p place) bool { return covers(p.dir, s.dir()) })
	if i < 0 {
		return []string{fmt.Sprintf("%s: package %s has no place in the table of rules_test.go", s.file, s.dir())}
	}
	allowed := all[i].own
	if s.isTest() {
		// An external test imports the package that it tests.
		allowed = slices.Concat(allowed, all[i].tests, []string{s.dir()})
	}
	var found []string
	for _, imported := range s.imports {
		own, ok := strings.CutPrefix(imported, module+"/")
		if ok && !slices.ContainsFunc(allowed, func(p string) bool { return covers(p, own) }) {
			found = append(found, fmt.Sprintf("%s must not import %s: imports point down (rules_test.go)", s.file, imported))
		}
	}
	return found
}

// matchAny reports whether a pattern names the file's package or the file.
func matchAny(patterns []string, s source) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		file, err := path.Match(p, s.file)
		return covers(p, s.dir()) || err == nil && file
	})
}

// covers reports whether pattern names the path: "x" names x alone, "x/..." x
// and all below it, "..." everything.
func covers(pattern, name string) bool {
	if pattern == "..." || pattern == name {
		return true
	}
	parent, ok := strings.CutSuffix(pattern, "/...")
	return ok && (name == parent || strings.HasPrefix(name, parent+"/"))
}

// sources reads the package clause and imports of every Go file of the module,
// whatever its build constraints.
func sources(t *testing.T, root string) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skip(root, file, entry)
		}
		if filepath.Ext(file) != ".go" {
			return nil
		}
		s, err := read(root, file)
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// skip leaves out what is not this module's: other modules and test data.
func skip(root, dir string, entry fs.DirEntry) error {
	if dir == root {
		return nil
	}
	name := entry.Name()
	if name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func read(root, file string) (source, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return source{}, err
	}
	relative, err := filepath.Rel(root, file)
	if err != nil {
		return source{}, err
	}
	s := source{file: filepath.ToSlash(relative), name: parsed.Name.Name}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return source{}, fmt.Errorf("%s: %w", file, err)
		}
		s.imports = append(s.imports, imported)
	}
	return s, nil
}
