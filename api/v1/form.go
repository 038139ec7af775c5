package v1

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"probe-agent/api/envelope"
)

// form is a form that the native API answers in.
type form uint8

// The forms.
const (
	wholeForm form = iota
	ndjsonForm
	sseForm
	forms
)

func (f form) mediaType() string {
	return [...]string{wholeForm: "application/json", ndjsonForm: "application/x-ndjson", sseForm: "text/event-stream"}[f]
}

// chooseForm returns which of the offered forms the Accept headers weigh most,
// the more specific of two of the same weight (RFC 9110 section 12.5.1), and the
// first of those that are equal. No header accepts everything. What cannot be
// read is left out.
func chooseForm(accept []string, offered ...form) (form, error) {
	header := strings.Join(accept, ",")
	if strings.TrimSpace(header) == "" {
		return offered[0], nil
	}
	type weight struct {
		q        float64
		specific int // 1 for */*, 2 for text/*, 3 for the type itself; 0: not named
	}
	var weights [forms]weight
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
		for _, f := range offered {
			if s := specificity(named, f.mediaType()); s > weights[f].specific {
				weights[f] = weight{q, s}
			}
		}
	}
	best := offered[0]
	for _, f := range offered {
		w, b := weights[f], weights[best]
		if w.q > b.q || w.q == b.q && w.specific > b.specific {
			best = f
		}
	}
	if weights[best].q == 0 {
		var names []string
		for _, f := range offered {
			names = append(names, f.mediaType())
		}
		last := len(names) - 1
		return 0, envelope.NewError(http.StatusNotAcceptable, envelope.CodeForm,
			"the answer is "+strings.Join(names[:last], ", ")+" or "+names[last]+"; the Accept header wants none of them")
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
