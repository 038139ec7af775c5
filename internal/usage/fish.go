package usage

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// fishCompletion is a script for fish. It names no files but for flags that do.
func fishCompletion(commands []completableCommand) string {
	var b strings.Builder
	b.WriteString("# fish completion of probe-agent\ncomplete -c probe-agent -f\n")
	for _, c := range commands {
		line := "complete -c probe-agent" + fishCondition(&c)
		for _, word := range c.arguments {
			fmt.Fprintf(&b, "%s -a %s\n", line, word)
		}
		for _, child := range c.commands {
			fmt.Fprintf(&b, "%s -a %s -d %s\n", line, child.Name, quoted(plain(child.Help)))
		}
		for _, flag := range c.flags {
			fmt.Fprintf(&b, "%s%s -d %s\n", line, fishFlag(flag), quoted(plain(flag.Help)))
		}
	}
	return b.String()
}

// fishCondition holds once a command's name is there, and those of its
// subcommands are not.
func fishCondition(c *completableCommand) string {
	var conditions []string
	for _, name := range strings.Fields(c.path)[1:] {
		conditions = append(conditions, "__fish_seen_subcommand_from "+name)
	}
	if len(c.commands) > 0 {
		conditions = append(conditions, "not __fish_seen_subcommand_from"+namesOf(c.commands))
	}
	if len(conditions) == 0 {
		return ""
	}
	return " -n " + quoted(strings.Join(conditions, "; and "))
}

func fishFlag(flag *kong.Flag) string {
	option := " -l " + flag.Name
	if flag.Short != 0 {
		option += " -s " + string(flag.Short)
	}
	switch words := choices(flag); {
	case flag.IsBool():
		return option
	case namesFile(flag):
		return option + " -r -F"
	case len(words) > 0:
		return option + " -x -a " + quoted(strings.Join(words, " "))
	default:
		return option + " -x"
	}
}

// namesOf lists commands, each with a space before it.
func namesOf(commands []*kong.Node) string {
	var names strings.Builder
	for _, c := range commands {
		names.WriteString(" " + c.Name)
	}
	return names.String()
}
