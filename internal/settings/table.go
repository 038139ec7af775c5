package settings

import (
	"context"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"probe-agent/internal/inputfile"
)

// Setting is a row of the table: what the tags of a field come to.
type Setting struct {
	Name        string // of its flag and of its key in the file
	Variable    string // of the environment
	Placeholder string // for its value, empty for a flag without one
	Default     string // as it is written; empty for none
	Help        string // without the default
	More        string
	Examples    []string // of its value, or of the items of its list
	List        bool
	CommandLine bool // it is not a key of the file
	Reload      bool
	Protects    Protects
}

// Table returns the settings of the agent, in the order of their fields.
func Table() ([]Setting, error) {
	var grammar struct {
		Serve Serve `cmd:""`
	}
	parser, err := NewParser(context.Background(), &grammar, new(inputfile.Opener))
	if err != nil {
		return nil, err
	}
	var table []Setting
	for _, flag := range parser.Model.Children[0].Flags {
		if flag.Name == "help" {
			continue
		}
		s := settingOf(flag)
		if !s.Protects.valid() {
			return nil, fmt.Errorf("--%s: does it protect? It has the tag protects:%q", s.Name, s.Protects)
		}
		table = append(table, s)
	}
	return table, nil
}

func settingOf(flag *kong.Flag) Setting {
	s := Setting{
		Name:        flag.Name,
		Variable:    variable(flag),
		Default:     flag.Default,
		Help:        strings.Replace(flag.Help, " ("+flag.Default+")", "", 1),
		More:        flag.Tag.Get("more"),
		List:        flag.IsSlice(),
		CommandLine: isCommandLine(flag),
		Reload:      reloads(flag),
		Protects:    protects(flag),
	}
	if !flag.IsBool() {
		s.Placeholder = flag.PlaceHolder
	}
	switch example := flag.Tag.Get("example"); {
	case s.Default != "":
		s.Examples = []string{s.Default}
	case s.List:
		s.Examples = strings.Split(example, ",")
	default:
		s.Examples = []string{example}
	}
	return s
}
