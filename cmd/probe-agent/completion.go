package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is the long description.
func (*completionCommand) Help() string {
	return "Prints a script for the shell to read:\n\n" +
		"bash: source <(probe-agent completion bash)\n\n" +
		"zsh: probe-agent completion zsh > \"${fpath[1]}/_probe-agent\"\n\n" +
		"fish: probe-agent completion fish > ~/.config/fish/completions/probe-agent.fish"
}

// Run prints the script.
func (c *completionCommand) Run(t terminal, parsed *kong.Context) error {
	commands := completable(parsed.Model.Node)
	script := map[string]func([]completableCommand) string{
		"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion,
	}[c.Shell]
	_, err := fmt.Fprint(t.out, script(commands))
	return err
}

// completableCommand is what a shell may put behind one command.
type completableCommand struct {
	path     string // "probe-agent token new"
	commands []*kong.Node
	flags    []*kong.Flag
}

// completable lists a command and all below it, each before its own.
func completable(node *kong.Node) []completableCommand {
	c := completableCommand{path: strings.TrimSpace(node.FullPath()), commands: shown(node)}
	for _, group := range node.AllFlags(true) {
		c.flags = append(c.flags, group...)
	}
	all := []completableCommand{c}
	for _, child := range c.commands {
		all = append(all, completable(child)...)
	}
	return all
}

// shown returns the subcommands of a command that its help shows.
func shown(node *kong.Node) []*kong.Node {
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
	var words []string
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

func bashCompletion(commands []completableCommand) string {
	var b strings.Builder
	b.WriteString("# bash completion of probe-agent\n_probe_agent() {\n  local at=\"probe-agent\" word\n" +
		"  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n    case \"$at/$word\" in\n")
	b.WriteString(caseOfPath(commands))
	b.WriteString("    esac\n  done\n  local words=\"\"\n  case \"$at\" in\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "    %q) words=%q ;;\n", c.path, strings.Join(c.words(), " "))
	}
	b.WriteString("  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\n" +
		"complete -o default -F _probe_agent probe-agent\n")
	return b.String()
}

func zshCompletion(commands []completableCommand) string {
	var b strings.Builder
	b.WriteString("#compdef probe-agent\n_probe_agent() {\n  local at=\"probe-agent\" word\n" +
		"  local -a found\n  for word in \"${(@)words[2,CURRENT-1]}\"; do\n    case \"$at/$word\" in\n")
	b.WriteString(caseOfPath(commands))
	b.WriteString("    esac\n  done\n  case \"$at\" in\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "    %q) found=(\n", c.path)
		for _, child := range c.commands {
			fmt.Fprintf(&b, "      %s\n", quoted(child.Name+":"+plain(child.Help)))
		}
		for _, flag := range c.flags {
			fmt.Fprintf(&b, "      %s\n", quoted("--"+flag.Name+":"+plain(flag.Help)))
		}
		b.WriteString("    ) ;;\n")
	}
	b.WriteString("  esac\n  _describe 'probe-agent' found || _files\n}\n" +
		"if [ \"$funcstack[1]\" = \"_probe_agent\" ]; then _probe_agent; else compdef _probe_agent probe-agent; fi\n")
	return b.String()
}

func fishCompletion(commands []completableCommand) string {
	var b strings.Builder
	b.WriteString("# fish completion of probe-agent\n")
	for _, c := range commands {
		// A command's words are offered once its name is there, and those of
		// its subcommands are not.
		names := strings.Fields(c.path)[1:]
		var conditions []string
		for _, name := range names {
			conditions = append(conditions, "__fish_seen_subcommand_from "+name)
		}
		if len(c.commands) > 0 {
			conditions = append(conditions, "not __fish_seen_subcommand_from"+namesOf(c.commands))
		}
		line := "complete -c probe-agent"
		if len(conditions) > 0 {
			line += " -n " + quoted(strings.Join(conditions, "; and "))
		}
		for _, child := range c.commands {
			fmt.Fprintf(&b, "%s -f -a %s -d %s\n", line, child.Name, quoted(plain(child.Help)))
		}
		for _, flag := range c.flags {
			value := ""
			if !flag.IsBool() {
				value = " -r"
			}
			fmt.Fprintf(&b, "%s%s -l %s -d %s\n", line, value, flag.Name, quoted(plain(flag.Help)))
		}
	}
	return b.String()
}

// namesOf lists commands, each with a space before it.
func namesOf(commands []*kong.Node) string {
	var names strings.Builder
	for _, c := range commands {
		names.WriteString(" " + c.Name)
	}
	return names.String()
}

// plain is the first sentence of a help text.
func plain(help string) string {
	sentence, _, _ := strings.Cut(help, ". ")
	return strings.TrimSuffix(sentence, ".")
}

// quoted is a word of a shell, whatever is in it.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
