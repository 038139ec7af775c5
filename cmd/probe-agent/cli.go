package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"probe-agent/access"
	"probe-agent/internal/daemon"
	"probe-agent/internal/inputfile"
	"probe-agent/internal/settings"
)

// Exit codes, the same for every subcommand.
const (
	exitOK      = 0
	exitPartial = 1 // trace: a target was not reached; check: something is missing
	exitError   = 2
)

// commandLine is the grammar that kong parses. Commands tagged with no-settings
// do not look at the environment.
type commandLine struct {
	Serve      serveCommand      `cmd:"" help:"Answer traceroute requests over HTTP."`
	Trace      traceCommand      `cmd:"" help:"Trace targets and print what was found."`
	Check      checkCommand      `cmd:"" help:"Say whether this host has what the agent needs, and what to do if not."`
	Health     healthCommand     `cmd:"" help:"Ask the running agent whether it is healthy."`
	Token      tokenCommand      `cmd:"" help:"Make credentials for clients."`
	Version    versionCommand    `cmd:"" no-settings:"" help:"Print version, commit and Go version."`
	Completion completionCommand `cmd:"" no-settings:"" help:"Print a script that completes commands and flags in a shell."`
	Man        manCommand        `cmd:"" no-settings:"" help:"Print the manual page."`
}

// terminal is where a subcommand prints, results to out, the rest to err, and
// the arguments that the program was given.
type terminal struct {
	out     *outputWriter
	err     io.Writer
	args    []string
	signals *daemon.Signals // of serve
	files   *inputfile.Opener
}

// exitStatus is the error of a subcommand that has said all there is to say
// and only wants its exit code.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// run is the program but for the process: it parses the arguments, runs one
// subcommand and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	t := terminal{out: &outputWriter{w: stdout}, err: stderr, args: args, files: new(inputfile.Opener)}
	// Before anything else: until then a SIGHUP ends the process.
	ctx := context.Background()
	if len(args) > 0 && args[0] == "serve" {
		t.signals = daemon.CatchSignals()
		defer t.signals.Close()
		ctx = t.signals.Stop()
	}
	parser, _, err := newParser(ctx, t.files, kong.Writers(t.out, stderr))
	if err != nil {
		return fail(stderr, err)
	}
	parsed, err := parser.Parse(args)
	if t.out.Err() != nil { // of --help
		return t.exitCode(exitError)
	}
	if err != nil {
		code := fail(stderr, err)
		fmt.Fprintln(stderr, `Run "probe-agent --help" for usage.`)
		return code
	}
	if !parsed.Selected().Tag.Has("no-settings") {
		if err := settings.CheckEnvironment(parser.Model.Node); err != nil {
			return fail(stderr, err)
		}
	}
	err = parsed.Run(t)
	if status, ok := errors.AsType[exitStatus](err); ok {
		return t.exitCode(int(status))
	}
	if err != nil && t.out.Err() == nil {
		return fail(stderr, err)
	}
	return t.exitCode(exitOK)
}

// exitCode returns code, or exitError if not all of the output could be written.
func (t *terminal) exitCode(code int) int {
	if err := t.out.Err(); err != nil {
		return fail(t.err, fmt.Errorf("writing the output: %w", err))
	}
	return code
}

// newParser returns a parser of the command line, and what it parses into. files
// opens the files that flags name, until ctx ends.
func newParser(ctx context.Context, files *inputfile.Opener, options ...kong.Option) (*kong.Kong, *commandLine, error) {
	line := new(commandLine)
	parser, err := settings.NewParser(ctx, line, files, append(options,
		kong.Name("probe-agent"),
		kong.Description("A traceroute daemon that answers Cloudflare's traceroute endpoint."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}))...)
	return parser, line, err
}

func fail(stderr io.Writer, err error) int {
	// kong repeats what a variable holds, which may be a secret by mistake.
	fmt.Fprintf(stderr, "probe-agent: error: %s\n", access.Redact(err.Error()))
	return exitError
}
