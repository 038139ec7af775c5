package usage

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// ManPage renders the command line of a program as a page of man(7).
func ManPage(program *kong.Node, version string) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH PROBE-AGENT 1 \"\" \"probe-agent %s\" \"User Commands\"\n", roff(version))
	fmt.Fprintf(&b, ".SH NAME\nprobe-agent \\- %s\n", roff(plain(program.Help)))
	b.WriteString(".SH SYNOPSIS\n")
	for _, child := range Commands(program) {
		fmt.Fprintf(&b, ".B probe-agent %s\n[\\fIflags\\fR]%s\n.br\n", roff(child.Name), arguments(child))
	}
	b.WriteString(".SH COMMANDS\n")
	for _, child := range Commands(program) {
		manCommandOf(&b, child)
	}
	b.WriteString(".SH ENVIRONMENT\nEach flag can be set by the variable named with it. The flag wins. A variable that is set and empty counts as unset, " +
		"except that the credentials of serve must not be empty. A variable that begins with PROBE_AGENT_ and that no flag reads is an error.\n" +
		".SH FILES\n.TP\n.I /etc/probe-agent/probe-agent.yaml\n" +
		"Configuration of the service, if the package installed it. Keys are the flags of serve.\n" +
		".SH EXIT STATUS\n0 success, 1 partial (see the commands), 2 error.\n")
	return b.String()
}

// manCommandOf renders one command and all below it.
func manCommandOf(b *strings.Builder, node *kong.Node) {
	fmt.Fprintf(b, ".SS %s%s\n%s\n", roff(strings.TrimPrefix(node.FullPath(), "probe-agent ")), arguments(node), roff(node.Help))
	for paragraph := range strings.SplitSeq(node.Detail, "\n\n") {
		if paragraph != "" {
			fmt.Fprintf(b, ".PP\n%s\n", roff(paragraph))
		}
	}
	for _, argument := range node.Positional {
		fmt.Fprintf(b, ".TP\n\\fI%s\\fR\n%s\n", roff(argument.Summary()), roff(argument.Help))
	}
	for _, group := range node.AllFlags(true) {
		for _, flag := range group {
			manFlag(b, flag)
		}
	}
	for _, child := range Commands(node) {
		manCommandOf(b, child)
	}
}

func manFlag(b *strings.Builder, flag *kong.Flag) {
	if flag.Name == "help" {
		return
	}
	name := `\fB` + roff("--"+flag.Name) + `\fR`
	if !flag.IsBool() {
		name += " " + `\fI` + roff(strings.Trim(flag.FormatPlaceHolder(), `"`)) + `\fR`
	}
	fmt.Fprintf(b, ".TP\n%s\n%s\n", name, roff(flag.Help))
	if len(flag.Envs) > 0 {
		fmt.Fprintf(b, "[$%s]\n", roff(strings.Join(flag.Envs, ", $")))
	}
}

// arguments names the positional arguments of a command.
func arguments(node *kong.Node) string {
	var b strings.Builder
	for _, argument := range node.Positional {
		fmt.Fprintf(&b, ` \fI%s\fR`, roff(argument.Summary()))
	}
	return b.String()
}

// roff escapes what would otherwise be an instruction of roff(7).
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "→", `\(->`, "…", "...").Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}
