package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"probe-agent/internal/settings"
)

// documents returns the content of the generated documents, by path.
func documents(root string) (map[string]string, error) {
	table, err := settings.Table()
	if err != nil {
		return nil, err
	}
	readme := filepath.Join(root, "README.md")
	text, err := os.ReadFile(readme)
	if err != nil {
		return nil, err
	}
	replaced, err := replaceTable(string(text), markdown(table))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", readme, err)
	}
	return map[string]string{
		readme: replaced,
		filepath.Join(root, "deploy", "probe-agent.example.yaml"): example(table),
	}, nil
}

// The table stands between these lines of the README.
const (
	tableBegin = "<!-- settings: written by go generate ./internal/settings -->\n"
	tableEnd   = "<!-- end of settings -->\n"
)

func replaceTable(text, table string) (string, error) {
	before, rest, begins := strings.Cut(text, tableBegin)
	_, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		return "", fmt.Errorf("no table between %q and %q", tableBegin, tableEnd)
	}
	return before + tableBegin + "\n" + table + "\n" + tableEnd + after, nil
}

// markdown renders the table for the README.
func markdown(table []settings.Setting) string {
	var b strings.Builder
	b.WriteString("| flag | variable | default | reload | protects | |\n|---|---|---|---|---|---|\n")
	for _, s := range table {
		name := "--" + s.Name
		if s.Placeholder != "" {
			name += " " + s.Placeholder
		}
		value, reload, protects := "", "", ""
		if s.Default != "" {
			value = "`" + s.Default + "`"
		}
		if s.Reload {
			reload = "yes"
		}
		if s.Protects != settings.ProtectsNot {
			protects = "yes"
		}
		cells := []string{"`" + name + "`", "`" + s.Variable + "`", value, reload, protects, s.Help}
		for _, cell := range cells {
			b.WriteString("| ")
			if cell != "" {
				b.WriteString(strings.ReplaceAll(cell, "|", `\|`) + " ")
			}
		}
		b.WriteString("|\n")
	}
	return b.String()
}

const header = `# Configuration of ` + "`probe-agent serve --config FILE`" + `.
#
# Written from the table of settings by go generate ./internal/settings.
#
# Keys are the flags of serve. What is left out has its default. A flag on the
# command line wins over its environment variable (PROBE_AGENT_…), and that over
# this file. Unknown keys and bad values keep the agent from starting.
#
# SIGHUP makes the agent read this file again. Settings marked with (reload) are
# put in use then; the others take a restart. Settings marked with (protects) are
# lifted by a value such as "token: []", and not by leaving them out. The last
# line must end in a newline.
`

// example renders the configuration file: settings with their defaults, and in
// comments those that have none.
func example(table []settings.Setting) string {
	var b strings.Builder
	b.WriteString(header)
	for _, s := range table {
		if s.CommandLine {
			continue
		}
		text := s.Help
		if s.More != "" {
			text += " " + s.More
		}
		if s.Reload {
			text += " (reload)"
		}
		if s.Protects != settings.ProtectsNot {
			text += " (protects)"
		}
		b.WriteString("\n" + comment(text))
		mark := ""
		if s.Default == "" {
			mark = "#"
		}
		switch {
		case s.List:
			b.WriteString(mark + s.Name + ":\n")
			for _, item := range s.Examples {
				b.WriteString(mark + "  - " + item + "\n")
			}
		default:
			b.WriteString(mark + s.Name + ": " + s.Examples[0] + "\n")
		}
	}
	return b.String()
}

// commentWidth is how long a line of a comment is at most, in characters.
const commentWidth = 80

// comment renders a text as lines of a comment.
func comment(text string) string {
	var b strings.Builder
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len([]rune(line))+1+len([]rune(word)) > commentWidth {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}
