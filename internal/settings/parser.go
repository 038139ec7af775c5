package settings

import (
	"context"
	"reflect"
	"slices"

	"github.com/alecthomas/kong"

	"probe-agent/internal/inputfile"
	"probe-agent/traceroute"
)

// NewParser returns a parser of a command line into line, whose flags may be
// settings: it reads them from the command line, from their variables and from the
// file that a [ConfigFile] names, which files opens until ctx ends.
func NewParser(ctx context.Context, line any, files *inputfile.Opener, options ...kong.Option) (*kong.Kong, error) {
	parser, err := kong.New(line, slices.Concat(options, []kong.Option{
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(files),
		kong.NamedMapper(nonEmptyType, nonEmpty()),
		kong.Vars{"methods": traceroute.MethodsInWords()},
	})...)
	if err != nil {
		return nil, err
	}
	readEnvironment().nameVariables(parser.Model.Node)
	return parser, nil
}

// Values are the settings of the agent as they were read at one time.
type Values struct {
	*Serve
	flags []*kong.Flag // that they come from, in the order of the table
}

// NewValues returns what a parser has read into serve, the flags of the command
// that was selected.
func NewValues(parsed *kong.Context, serve *Serve) *Values {
	return &Values{Serve: serve, flags: parsed.Selected().Flags}
}

// NeedRestart names the settings of which fresh has another value and that a
// reload does not put in use.
func (v *Values) NeedRestart(fresh *Values) []string {
	var differ []string
	for i, flag := range v.flags {
		// The file's name is constant, its content is the other settings.
		if _, ok := reflect.TypeAssert[ConfigFile](flag.Target); ok || reloads(flag) {
			continue
		}
		// Of one program, so in one order.
		if !reflect.DeepEqual(flag.Target.Interface(), fresh.flags[i].Target.Interface()) {
			differ = append(differ, flag.Name)
		}
	}
	return differ
}

// reloads reports whether a reload puts a setting in use.
func reloads(flag *kong.Flag) bool { return flag.Tag.Has("reload") }
