package api

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"probe-agent/api/envelope"
)

// answerForm is a form that the native API answers in.
type answerForm uint8

// The forms, in order of preference where the client has none.
const (
	wholeForm answerForm = iota
	ndjsonForm
	sseForm
	answerForms
)

func (f answerForm) mediaType() string {
	return [...]string{wholeForm: "application/json", ndjsonForm: "application/x-ndjson", sseForm: "text/event-stream"}[f]
}

// chooseForm returns the form that the Accept headers weigh most, the more
// specific of two of the same weight (RFC 9110 section 12.5.1). No header
// accepts everything. What cannot be read is left out.
func chooseForm(accept []string) (answerForm, error) {
	header := strings.Join(accept, ",")
	if strings.TrimSpace(header) == "" {
		return wholeForm, nil
	}
	type weight struct {
		q        float64
		specific int // 1 for */*, 2 for text/*, 3 for the type itself; 0: not named
	}
	var weights [answerForms]weight
	for part := range strings.SplitSeq(header, ",") {
		named, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if text, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil || !(q >= 0 && q <= 1) {
				continue
			}
		}
		for form := range answerForms {
			if s := specificity(named, form.mediaType()); s > weights[form].specific {
				weights[form] = weight{q, s}
			}
		}
	}
	best := wholeForm
	for form := range answerForms {
		w, b := weights[form], weights[best]
		if w.q > b.q || w.q == b.q && w.specific > b.specific {
			best = form
		}
	}
	if weights[best].q == 0 {
		return 0, envelope.NewError(http.StatusNotAcceptable, envelope.CodeForm, "the answer is application/json, application/x-ndjson or text/event-stream; the Accept header wants none of them")
	}
	return best, nil
}

// specificity is how closely a media range names a type, 0 when it does not.
func specificity(named, mediaType string) int {
	main, _, _ := strings.Cut(mediaType, "/")
	switch named {
	case mediaType:
		return 3
	case main + "/*":
		return 2
	case "*/*":
		return 1
	}
	return 0
}
