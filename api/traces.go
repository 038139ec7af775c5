package api

import (
	"net/http"
	"time"

	"probe-agent/api/native"
)

// nativePath is the endpoint of the native API. Accounts are not part of it:
// whoever asks does so in their own name.
const nativePath = "/v1/traces"

// tracesAnswer is the answer of nativePath in the envelope.
type tracesAnswer struct {
	Result   tracesResult `json:"result"`
	Success  bool         `json:"success"`
	Errors   []Message    `json:"errors"`
	Messages []Message    `json:"messages"`
}

type tracesResult struct {
	RequestID  string           `json:"request_id"`
	DurationNS int64            `json:"duration_ns"`
	Traces     []native.Outcome `json:"traces"`
}

// traces serves nativePath: all at once, or live.
func (h *Handler) traces(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	form, err := chooseForm(r.Header.Values("Accept"))
	if err != nil {
		writeError(w, r, err)
		return
	}
	body, err := readBody(w, r)
	if err != nil {
		writeError(w, r, err)
		return
	}
	req, err := h.service.DecodeNative(body)
	if err != nil {
		writeError(w, r, err)
		return
	}
	exchangeOf(r).targets = len(req.Targets)
	if form != wholeForm {
		h.stream(w, r, req, form)
		return
	}
	done, err := h.service.run(r.Context(), req, nil)
	if err != nil {
		writeError(w, r, err)
		return
	}
	notes := h.service.annotate(r.Context(), done.traces...)
	result := tracesResult{
		RequestID:  exchangeOf(r).ray,
		DurationNS: done.took.Nanoseconds(),
		Traces:     make([]native.Outcome, len(done.traces)),
	}
	for i, t := range done.traces {
		result.Traces[i] = t.outcome(notes)
	}
	writeJSON(w, http.StatusOK, tracesAnswer{Result: result, Success: true, Errors: []Message{}, Messages: []Message{}})
}

// outcome is the trace in its native form.
func (t *coloTrace) outcome(notes native.Notes) native.Outcome {
	o := native.Outcome{Target: t.target, Colo: t.nativeColo(), TookNS: t.took.Nanoseconds()}
	if t.failure != nil {
		o.Failure = &native.Failure{
			Code: int(t.failure.Code), Reason: t.failure.Code.String(), Message: t.failure.Reason,
		}
		return o
	}
	o.Trace = native.NewTrace(t.result, t.summary, notes)
	return o
}

func (t *coloTrace) nativeColo() native.Colo {
	return native.Colo{Name: t.colo.Name(), City: t.colo.City()}
}

// streamTimeout is when a stream ends that nobody reads fast enough, counted
// from its start. The server cuts other answers as late.
const streamTimeout = WriteTimeout - ReadTimeout

// stream serves a request live.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, req Request, form answerForm) {
	out := &eventStream{w: w, control: http.NewResponseController(w), form: form, until: time.Now().Add(streamTimeout)}
	live := h.service.start(r.Context(), req)
	defer func() {
		live.stop() // whatever happened, nothing is probed for this request any more
		v := recover()
		if v == nil {
			return
		}
		if out.last == 0 || dropsConnection(v) {
			panic(v)
		}
		logPanic(h.log, r, v)
		exchangeOf(r).broken = true
		_ = out.fail(codeInternal, faultOfAgent)
	}()
	if err := tell(out, live, exchangeOf(r).ray); err != nil {
		if out.last == 0 {
			writeError(w, r, err)
			return
		}
		// The client has gone or does not read, or has only closed its side: that
		// one reads this.
		exchangeOf(r).abandoned = true
		live.stop()
		_ = out.fail(codeUnavailable, "cut off: the client has closed its side of the connection, or does not read")
	}
}
