package rounds

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"probe-agent/api/cloudflare"
	"probe-agent/internal/text"
	"probe-agent/service"
	"probe-agent/traceroute"
)

// whole is the part of forms that show rounds when they have ended.
type whole struct{}

func (whole) live() bool                        { return false }
func (whole) events(int, []service.Event) error { return nil }
func (whole) close() error                      { return nil }

// rows shows comma-separated values.
type rows struct {
	whole
	csv    *text.CSV
	errors io.Writer
}

// CSV returns a form of comma-separated values on w, in the order of the targets.
// What fails is told on failures.
func CSV(w, failures io.Writer) Form { return &rows{csv: text.NewCSV(w), errors: failures} }

func (r *rows) end(round int, run *service.Run, outcomes []traceroute.Outcome) error {
	for i, outcome := range outcomes {
		target := run.Traces()[i].Target
		if f := outcome.Failure; f != nil {
			fmt.Fprintf(r.errors, "%s: %s\n", target, reason(f))
			continue
		}
		if err := r.csv.Trace(round, target, outcome.Result, run.Notes()); err != nil {
			return err
		}
	}
	return nil
}

// answers shows what the API would answer.
type answers struct {
	whole
	encoder *json.Encoder
}

// JSON returns a form of what the API in Cloudflare's form would answer, one line a
// round, on w.
func JSON(w io.Writer) Form {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return &answers{encoder: encoder}
}

// errInterrupted is why there is no answer.
var errInterrupted = errors.New("interrupted")

func (a *answers) end(_ int, run *service.Run, outcomes []traceroute.Outcome) error {
	for _, outcome := range outcomes {
		if f := outcome.Failure; f != nil && interrupted(f) {
			return errInterrupted
		}
	}
	if err := a.encoder.Encode(cloudflare.Answer(run.Traces(), outcomes, run.Notes())); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}
