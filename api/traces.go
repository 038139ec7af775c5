package api

import (
	"net/http"
	"time"

	"probe-agent/api/body"
	"probe-agent/api/envelope"
	v1 "probe-agent/api/v1"
)

// nativePath is the endpoint of the native API. Accounts are not part of it:
// whoever asks does so in their own name.
const nativePath = "/v1/traces"

// tracesResult is the result of nativePath.
type tracesResult struct {
	RequestID  string       `json:"request_id"`
	DurationNS int64        `json:"duration_ns"`
	Traces     []v1.Outcome `json:"traces"`
}

// traces serves nativePath: all at once, or live.
func (h *Handler) traces(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	form, err := chooseForm(r.Header.Values("Accept"))
	if err != nil {
		envelope.WriteError(w, r, err)
		return
	}
	text, err := body.Read(w, r)
	if err != nil {
		envelope.WriteError(w, r, err)
		return
	}
	req, err := h.service.DecodeNative(text)
	if err != nil {
		envelope.WriteError(w, r, err)
		return
	}
	envelope.RecordOf(r.Context()).Targets = len(req.Targets)
	if form != wholeForm {
		h.stream(w, r, req, form)
		return
	}
	done, err := h.service.run(r.Context(), req, nil)
	if err != nil {
		envelope.WriteError(w, r, err)
		return
	}
	notes := h.service.annotate(r.Context(), done.traces...)
	result := tracesResult{
		RequestID:  envelope.RecordOf(r.Context()).RequestID,
		DurationNS: done.took.Nanoseconds(),
		Traces:     make([]v1.Outcome, len(done.traces)),
	}
	for i, t := range done.traces {
		result.Traces[i] = t.outcome(notes)
	}
	envelope.Write(w, http.StatusOK, result)
}

// outcome is the trace in its native form.
func (t *coloTrace) outcome(notes v1.Notes) v1.Outcome {
	o := v1.Outcome{Target: t.target, Colo: t.nativeColo(), TookNS: t.took.Nanoseconds()}
	if t.failure != nil {
		o.Failure = &v1.Failure{
			Code: int(t.failure.Code), Reason: t.failure.Code.String(), Message: t.failure.Reason,
		}
		return o
	}
	o.Trace = v1.NewTrace(t.result, t.summary, notes)
	return o
}

func (t *coloTrace) nativeColo() v1.Colo {
	return v1.Colo{Name: t.colo.Name(), City: t.colo.City()}
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
		envelope.RecordOf(r.Context()).Broken = true
		_ = out.fail(envelope.CodeInternal, faultOfAgent)
	}()
	if err := tell(out, live, envelope.RecordOf(r.Context()).RequestID); err != nil {
		if out.last == 0 {
			envelope.WriteError(w, r, err)
			return
		}
		// The client has gone or does not read, or has only closed its side: that
		// one reads this.
		envelope.RecordOf(r.Context()).Abandoned = true
		live.stop()
		_ = out.fail(envelope.CodeUnavailable, "cut off: the client has closed its side of the connection, or does not read")
	}
}
