package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"probe-agent/internal/inputfile"
)

// MaxSize bounds a configuration file, in bytes. A larger one is not a
// configuration but a mistaken path.
const MaxSize = 1 << 20

// Setting is one key that a file may hold.
type Setting struct {
	Key  string
	List bool // takes a list as well as a single value
	// Check says what is wrong with a value, given as text as in the file; of a
	// list it is called with each item. Nil accepts everything.
	Check func(value string) error
}

// File is a configuration file that has been found correct.
type File struct {
	outline Outline
	values  map[string][]string
}

// Lookup returns the values of a key, one for a plain value, and whether the
// file mentions the key at all.
func (f *File) Lookup(key string) (values []string, ok bool) {
	values, ok = f.values[key]
	return values, ok
}

// Truncates reports whether the file is what remains of other when that is cut
// off behind one of its lines. Such a file may be correct YAML.
func (f *File) Truncates(other *File) bool { return f.outline.Truncates(&other.outline) }

// Load reads the file at path; see [Parse].
func Load(ctx context.Context, files *inputfile.Opener, path string, settings []Setting) (*File, error) {
	data, err := files.ReadAll(ctx, path, MaxSize)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return Parse(path, data, settings)
}

// Parse reads data, the content of the file called name, which may hold the
// given settings. Comments alone are correct and set nothing. Data without a
// byte, or without a newline at its end, is an error: it is what an interrupted
// write leaves behind. The error joins one error for every fault, in the order
// of the file.
func Parse(name string, data []byte, settings []Setting) (*File, error) {
	p := parser{name: name, settings: settings, file: File{values: map[string][]string{}}}
	_, _ = p.file.outline.Write(data) // never fails
	if err := p.file.outline.Check(name); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	root, err := p.root(data)
	if err != nil {
		return nil, err
	}
	if root == nil {
		return &p.file, nil
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		p.pair(root.Content[i], root.Content[i+1])
	}
	if err := errors.Join(p.faults...); err != nil {
		return nil, err
	}
	return &p.file, nil
}

type parser struct {
	name     string
	settings []Setting
	file     File
	faults   []error
}

// root returns the mapping that the file consists of; nil when it is empty.
func (p *parser) root(data []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(strings.NewReader(string(data)))
	var document yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil, nil //nolint:nilnil // an empty file has no root, and that is no fault
	}
	if err != nil {
		return nil, fmt.Errorf("config: %s: %w", p.name, err)
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil //nolint:nilnil // nothing but comments
	}
	if root.Kind != yaml.MappingNode {
		return nil, p.fault(root, "settings are written as key: value")
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("config: %s: a second document (after ---) is not read", p.name)
	}
	return root, nil
}

// pair takes in one key and its value.
func (p *parser) pair(key, value *yaml.Node) {
	i := slices.IndexFunc(p.settings, func(s Setting) bool { return s.Key == key.Value })
	if i < 0 {
		p.faults = append(p.faults, p.fault(key, "%q is not a setting; settings are %s", key.Value, p.known()))
		return
	}
	setting := p.settings[i]
	if _, twice := p.file.values[setting.Key]; twice {
		p.faults = append(p.faults, p.fault(key, "%s is set a second time", setting.Key))
		return
	}
	if value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	items := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode && setting.List {
		items = value.Content
	}
	values := make([]string, 0, len(items))
	for _, item := range items {
		if err := p.check(setting, item); err != nil {
			p.faults = append(p.faults, err)
		}
		values = append(values, item.Value)
	}
	p.file.values[setting.Key] = values
}

func (p *parser) check(setting Setting, item *yaml.Node) error {
	switch {
	case item.Kind == yaml.SequenceNode:
		return p.fault(item, "%s is one value, not a list", setting.Key)
	case item.Kind != yaml.ScalarNode:
		return p.fault(item, "%s is a plain value, not a group of settings", setting.Key)
	case item.Tag == "!!null":
		return p.fault(item, "%s has no value; leave the line out for the default", setting.Key)
	case setting.Check == nil:
		return nil
	}
	if err := setting.Check(item.Value); err != nil {
		return p.fault(item, "%s: %w", setting.Key, err)
	}
	return nil
}

// fault is an error at the place of a node.
func (p *parser) fault(node *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("config: %s:%d: %w", p.name, node.Line, fmt.Errorf(format, args...))
}

func (p *parser) known() string {
	keys := make([]string, 0, len(p.settings))
	for _, s := range p.settings {
		keys = append(keys, s.Key)
	}
	return strings.Join(keys, ", ")
}
