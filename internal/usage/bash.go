package usage

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// bashCompletion is a script for bash. That makes a word of its own of the = in
// --flag=value.
func bashCompletion(commands []completableCommand) string {
	var b strings.Builder
	b.WriteString("# bash completion of probe-agent\n_probe_agent() {\n  local at=\"probe-agent\" word\n" +
		"  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n    case \"$at/$word\" in\n")
	b.WriteString(caseOfPath(commands))
	b.WriteString("    esac\n  done\n" +
		"  local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n" +
		"  if [ \"$current\" = \"=\" ]; then\n    current=\"\"\n" +
		"  elif [ \"$previous\" = \"=\" ]; then\n    previous=\"${COMP_WORDS[COMP_CWORD-2]}\"\n  fi\n" +
		"  COMPREPLY=()\n  case \"$at $previous\" in\n")
	b.WriteString(caseOfValue(commands, func(flag *kong.Flag) string {
		switch words := choices(flag); {
		case namesFile(flag):
			return `compopt -o default; `
		case len(words) > 0:
			return fmt.Sprintf(`COMPREPLY=($(compgen -W %q -- "$current")); `, strings.Join(words, " "))
		default:
			return ""
		}
	}))
	b.WriteString("  esac\n  local words=\"\"\n  case \"$at\" in\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "    %q) words=%q ;;\n", c.path, strings.Join(c.words(), " "))
	}
	b.WriteString("  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n}\n" +
		"complete -F _probe_agent probe-agent\n")
	return b.String()
}
