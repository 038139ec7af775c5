//go:build linux

// Bench measures the agent against its peers, in turn and in one run, in
// networks that it makes for the purpose, and prints a table with a verdict in
// each row. docs/measuring.md says how to use and how to read it. It needs
// root, and a Go toolchain to build the agent with.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"probe-agent/bench/report"
	"probe-agent/internal/netsim/kernel"
)

// measurementLimit ends a measurement that hangs; a comparison with an earlier
// agent has a minute for each round.
const measurementLimit = 3 * time.Minute

func main() {
	if len(os.Args) == 3 && os.Args[1] == networkCommand {
		exit(runNetwork(os.Args[2]))
	}
	exit(run(os.Args[1:]))
}

func exit(err error) {
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// settings are what the command line says.
type settings struct {
	only    []string
	rounds  int
	quick   bool
	place   string // file to put the run into
	profile string // directory
	agent   string // path of the program; empty: build it
	before  string // path of an earlier one; empty: none
}

func parse(arguments []string) (settings, error) {
	var s settings
	var only string
	names := measurementNames()
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&only, "only", "", "measure only `these`, separated by commas: "+strings.Join(names, ", "))
	flags.IntVar(&s.rounds, "rounds", 5, "`rounds` of each comparison, 1 to 50; a round measures the agent and its peer once")
	flags.BoolVar(&s.quick, "quick", false, "measure shorter and less, to see whether it works; verdicts mean little")
	flags.StringVar(&s.place, "o", "", "also put the run into this Markdown `file`, between its marks")
	flags.StringVar(&s.profile, "profile", "", "write CPU profiles of the engine to this `directory`")
	flags.StringVar(&s.agent, "agent", "", "measure this `program` instead of one built from the module")
	flags.StringVar(&s.before, "before", "", "compare the agent with this `program`, an earlier one (measurement versions)")
	if err := flags.Parse(arguments); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if s.rounds < 1 || s.rounds > 50 {
		return s, fmt.Errorf("%d rounds are not within 1 and 50", s.rounds)
	}
	if only != "" {
		s.only = strings.Split(only, ",")
	}
	for _, name := range s.only {
		if !slices.Contains(names, name) {
			return s, fmt.Errorf("no measurement %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	if slices.Contains(s.only, versionsName) && s.before == "" {
		return s, fmt.Errorf("measurement %s needs -before", versionsName)
	}
	return s, nil
}

func run(arguments []string) error {
	s, err := parse(arguments)
	if err != nil {
		return err
	}
	if err := kernel.Available(); err != nil {
		return err
	}
	ctx, release := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer release()

	machine := report.ThisMachine()
	machine.Peers = peerVersions(ctx)
	b, err := newBench(ctx, s)
	if err != nil {
		return err
	}
	table := b.measure(ctx, s.only)
	if err := b.close(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return publish(machine, table, s.place)
}

// publish prints the run and puts it into a file, if one is given.
func publish(machine report.Machine, table report.Table, place string) error {
	var text bytes.Buffer
	err := machine.Markdown(&text)
	text.WriteString("\n")
	if err := errors.Join(err, table.Markdown(&text)); err != nil {
		return err
	}
	if _, err := os.Stdout.Write(text.Bytes()); err != nil {
		return err
	}
	if place != "" {
		if err := report.PlaceIn(place, text.Bytes()); err != nil {
			return err
		}
	}
	count := table.Verdicts()
	if count[report.Failed] > 0 {
		return fmt.Errorf("%d rows could not be measured", count[report.Failed])
	}
	return nil
}
