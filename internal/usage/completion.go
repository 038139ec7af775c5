package usage

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"probe-agent/internal/settings"
)

// Completion returns a script for a shell, bash, zsh or fish, that completes the
// commands, flags and values of a program.
func Completion(shell string, program *kong.Node) string {
	commands := completable(program)
	switch shell {
	case "bash":
		return bashCompletion(commands)
	case "zsh":
		return zshCompletion(commands)
	default:
		return fishCompletion(commands)
	}
}

// completableCommand is what a shell may put behind one command.
type completableCommand struct {
	path      string // "probe-agent token new"
	commands  []*kong.Node
	flags     []*kong.Flag
	arguments []string // all that its argument may be; empty: anything
}

// completable lists a command and all below it, each before its own.
func completable(node *kong.Node) []completableCommand {
	c := completableCommand{path: strings.TrimSpace(node.FullPath()), commands: Commands(node)}
	for _, group := range node.AllFlags(true) {
		c.flags = append(c.flags, group...)
	}
	for _, argument := range node.Positional {
		if argument.Enum != "" {
			c.arguments = append(c.arguments, argument.EnumSlice()...)
		}
	}
	all := []completableCommand{c}
	for _, child := range c.commands {
		all = append(all, completable(child)...)
	}
	return all
}

// choices returns the words that a flag's value is one of; none: anything else.
func choices(flag *kong.Flag) []string {
	if value, ok := reflect.TypeAssert[settings.Chooser](flag.Target.Addr()); ok {
		return value.Choices()
	}
	return nil
}

// namesFile reports whether a flag's value is the name of a file.
func namesFile(flag *kong.Flag) bool { return flag.PlaceHolder == "FILE" }

// spellings returns the ways to write a flag: --packet-type, -P.
func spellings(flag *kong.Flag) []string {
	all := []string{"--" + flag.Name}
	if flag.Short != 0 {
		all = append(all, "-"+string(flag.Short))
	}
	return all
}

// Commands returns the subcommands of a command that its help shows.
func Commands(node *kong.Node) []*kong.Node {
	var children []*kong.Node
	for _, child := range node.Children {
		if child.Type == kong.CommandNode && !child.Hidden {
			children = append(children, child)
		}
	}
	return children
}

// words returns what may follow, names of commands before flags.
func (c *completableCommand) words() []string {
	words := slices.Clone(c.arguments)
	for _, child := range c.commands {
		words = append(words, child.Name)
	}
	for _, flag := range c.flags {
		words = append(words, "--"+flag.Name)
	}
	return words
}

// caseOfPath is the shell code that finds out which command a line has: it
// lengthens at by each word that names a subcommand.
func caseOfPath(commands []completableCommand) string {
	var arms strings.Builder
	for _, c := range commands[1:] {
		cut := strings.LastIndexByte(c.path, ' ')
		fmt.Fprintf(&arms, "      %q) at=%q ;;\n", c.path[:cut]+"/"+c.path[cut+1:], c.path)
	}
	return arms.String()
}

// caseOfValue is the shell code for a word that is the value of a flag, where
// previous is the flag. Each shell has its own way to offer files and words,
// which ends with a semicolon; other words than these are not offered then.
func caseOfValue(commands []completableCommand, offer func(flag *kong.Flag) string) string {
	var arms strings.Builder
	for _, c := range commands {
		for _, flag := range c.flags {
			if flag.IsBool() {
				continue
			}
			var patterns []string
			for _, spelling := range spellings(flag) {
				patterns = append(patterns, fmt.Sprintf("%q", c.path+" "+spelling))
			}
			fmt.Fprintf(&arms, "    %s) %sreturn ;;\n", strings.Join(patterns, "|"), offer(flag))
		}
	}
	return arms.String()
}

// plain is the first sentence of a help text.
func plain(help string) string {
	sentence, _, _ := strings.Cut(help, ". ")
	return strings.TrimSuffix(sentence, ".")
}

// quoted is a word of a shell, whatever is in it.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
