package netsim

import (
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Load reads and checks a scenario file of fsys.
func Load(fsys fs.FS, file string) (*Scenario, error) {
	text, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, fmt.Errorf("netsim: %w", err)
	}
	return Parse(file, text)
}

// Parse reads and checks a scenario in YAML. The error joins one for
// everything wrong, each with file, line and field.
func Parse(file string, text []byte) (*Scenario, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("netsim: %s: %w", file, err)
	}
	if len(document.Content) == 0 {
		return nil, fmt.Errorf("netsim: %s: empty scenario", file)
	}
	d := decoder{file: file, lines: map[string]int{}}
	s := new(Scenario)
	d.decode(document.Content[0], reflect.ValueOf(s).Elem(), "")
	if len(d.errs) == 0 {
		for _, p := range s.problems() {
			d.fail(d.line(p.field), p.field, "%s", p.reason)
		}
	}
	if err := errors.Join(d.errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// decoder fills a Scenario from YAML nodes. It does so itself because
// yaml.Node.Decode can neither refuse unknown fields nor say in which field an
// error is; and the lines are wanted once more when the whole is checked.
type decoder struct {
	file  string
	lines map[string]int // by field
	errs  []error
}

func (d *decoder) fail(line int, field, format string, args ...any) {
	if field == "" {
		field = "scenario"
	}
	d.errs = append(d.errs, fmt.Errorf("netsim: %s:%d: %s: %s", d.file, line, field, fmt.Sprintf(format, args...)))
}

// line returns where a field, or the nearest thing around it, is written.
func (d *decoder) line(field string) int {
	for {
		if line, ok := d.lines[field]; ok {
			return line
		}
		i := strings.LastIndexAny(field, ".[")
		if i < 0 {
			return 1
		}
		field = field[:i]
	}
}

var durationType = reflect.TypeFor[time.Duration]()

func (d *decoder) decode(node *yaml.Node, v reflect.Value, field string) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	d.lines[field] = node.Line
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	text, isText := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr())
	switch {
	case isText && (node.Kind == yaml.ScalarNode || v.Kind() != reflect.Struct):
		d.scalar(node, field, func() error { return text.UnmarshalText([]byte(node.Value)) })
	case v.Type() == durationType:
		d.scalar(node, field, func() error { return decodeDuration(node, v) })
	case v.Kind() == reflect.Struct:
		d.mapping(node, v, field)
	case v.Kind() == reflect.Slice:
		d.sequence(node, v, field)
	default:
		d.scalar(node, field, func() error {
			if node.Decode(v.Addr().Interface()) != nil {
				return fmt.Errorf("%q is no %s", node.Value, v.Type())
			}
			return nil
		})
	}
}

func (d *decoder) scalar(node *yaml.Node, field string, set func() error) {
	if node.Kind != yaml.ScalarNode {
		d.fail(node.Line, field, "want a single value")
		return
	}
	if err := set(); err != nil {
		d.fail(node.Line, field, "%v", err)
	}
}

func decodeDuration(node *yaml.Node, v reflect.Value) error {
	duration, err := time.ParseDuration(node.Value)
	if err != nil {
		return fmt.Errorf("%q is no duration like 80ms", node.Value)
	}
	v.SetInt(int64(duration))
	return nil
}

func (d *decoder) sequence(node *yaml.Node, v reflect.Value, field string) {
	items := node.Content
	if node.Kind != yaml.SequenceNode {
		items = []*yaml.Node{node}
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		d.decode(item, v.Index(i), fmt.Sprintf("%s[%d]", field, i))
	}
}

func (d *decoder) mapping(node *yaml.Node, v reflect.Value, field string) {
	if node.Kind != yaml.MappingNode {
		d.fail(node.Line, field, "want fields, not %q", node.Value)
		return
	}
	fields := map[string]reflect.Value{}
	collectFields(v, fields)
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		name := strings.TrimPrefix(field+"."+key.Value, ".")
		target, known := fields[key.Value]
		switch {
		case !known:
			d.fail(key.Line, name, "unknown field")
		case seen[key.Value]:
			d.fail(key.Line, name, "set twice")
		default:
			d.decode(value, target, name)
		}
		seen[key.Value] = true
	}
}

// collectFields lists the fields of a struct by their YAML names, inline ones
// along with its own.
func collectFields(v reflect.Value, into map[string]reflect.Value) {
	for i := range v.NumField() {
		name, option, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		switch {
		case option == "inline":
			collectFields(v.Field(i), into)
		case name != "":
			into[name] = v.Field(i)
		}
	}
}
