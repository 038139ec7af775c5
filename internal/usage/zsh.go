package usage

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// zshCompletion is a script for zsh, to be found in fpath or read by itself.
func zshCompletion(commands []completableCommand) string {
	var b strings.Builder
	b.WriteString("#compdef probe-agent\n_probe_agent() {\n  local at=\"probe-agent\" word\n" +
		"  local -a found\n  for word in \"${(@)words[2,CURRENT-1]}\"; do\n    case \"$at/$word\" in\n")
	b.WriteString(caseOfPath(commands))
	b.WriteString("    esac\n  done\n  local previous=\"$words[CURRENT-1]\"\n" +
		"  if [[ \"$words[CURRENT]\" == --*=* ]]; then\n    previous=\"${words[CURRENT]%%=*}\"\n    compset -P '*='\n  fi\n" +
		"  case \"$at $previous\" in\n")
	b.WriteString(caseOfValue(commands, func(flag *kong.Flag) string {
		switch words := choices(flag); {
		case namesFile(flag):
			return "_files; "
		case len(words) > 0:
			return "compadd -- " + strings.Join(words, " ") + "; "
		default:
			return "_message " + quoted(plain(flag.Help)) + "; "
		}
	}))
	b.WriteString("  esac\n  case \"$at\" in\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "    %q) found=(\n", c.path)
		for _, word := range c.arguments {
			fmt.Fprintf(&b, "      %s\n", quoted(word))
		}
		for _, child := range c.commands {
			fmt.Fprintf(&b, "      %s\n", described(child.Name, child.Help))
		}
		for _, flag := range c.flags {
			fmt.Fprintf(&b, "      %s\n", described("--"+flag.Name, flag.Help))
		}
		b.WriteString("    ) ;;\n")
	}
	b.WriteString("  esac\n  _describe 'probe-agent' found\n}\n" +
		"if [ \"$funcstack[1]\" = \"_probe_agent\" ]; then _probe_agent; else compdef _probe_agent probe-agent; fi\n")
	return b.String()
}

// described is a word and what it does, as _describe reads it.
func described(word, help string) string { return quoted(word + ":" + plain(help)) }
