package v1

import (
	"net/http"
	"strings"

	"probe-agent/api/body"
	"probe-agent/api/envelope"
	"probe-agent/service"
)

// decode reads a request. Fields that it does not know are errors: what a client
// misspelt would otherwise silently be the default.
func (h *Handler) decode(w http.ResponseWriter, r *http.Request, live bool) (*service.Job, error) {
	text, err := body.Read(w, r)
	if err != nil {
		return nil, err
	}
	var problems envelope.Problems
	top, ok := body.Parse(text, &problems)
	if !ok {
		return nil, problems.Err()
	}
	top.RefuseUnknown(&problems, "targets", "colos", "options")
	request := body.Lists(top, &problems)
	request.Live = live
	fields := top.Object("options", &problems)
	fields.RefuseUnknown(&problems, "max_ttl", "packet_type", "packets_per_ttl", "port", "wait_time", "wait_ms", "family")
	options := body.ReadOptions(fields, &problems)
	options.WaitMS = fields.Integer("wait_ms", &problems)
	options.Family = fields.String("family", &problems)
	job, err := body.Job(h.service, request, options, &problems)
	if err == nil {
		envelope.RecordOf(r.Context()).Targets = len(request.Targets)
	}
	return job, err
}

// prefersAsync reports whether Prefer headers ask for an answer before the traces
// have ended (RFC 7240 section 4.1).
func prefersAsync(headers []string) bool {
	for preference := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		name, _, _ := strings.Cut(preference, ";") // its parameters
		if strings.EqualFold(strings.TrimSpace(name), "respond-async") {
			return true
		}
	}
	return false
}
