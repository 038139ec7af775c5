package api

import (
	"net/http"
	"strconv"
	"time"

	"probe-agent/access"
	"probe-agent/api/envelope"
	"probe-agent/quota"
)

// admission passes the requests that the limits permit, each on behalf of its
// access.Principal.
type admission struct{ limiter *quota.Limiter }

// admit passes a request to next before its body is read, with a ticket for its
// traces. What the request then holds or waits for ends with it, unless next
// transfers the ticket.
func (a admission) admit(next func(http.ResponseWriter, *http.Request, *quota.Ticket)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ticket, allowance, err := a.limiter.Admit(callerOf(r))
		setAllowance(w.Header(), allowance)
		if err != nil {
			envelope.WriteError(w, r, envelope.NotAdmitted(err))
			return
		}
		defer ticket.Close()
		next(w, r, ticket)
	}
}

// count passes a request that begins no trace. It counts towards the rate of
// its token, and is served while the agent is draining, too.
func (a admission) count(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		allowance, err := a.limiter.Count(callerOf(r))
		setAllowance(w.Header(), allowance)
		if err != nil {
			envelope.WriteError(w, r, envelope.NotAdmitted(err))
			return
		}
		next(w, r)
	}
}

func callerOf(r *http.Request) quota.Caller {
	who := access.PrincipalOf(r.Context())
	return quota.Caller{Token: who.Token, Account: who.Account}
}

// setAllowance reports what is left of the client's rate of requests, in the
// form of draft-ietf-httpapi-ratelimit-headers. Without a rate there are no
// headers.
func setAllowance(header http.Header, a quota.Allowance) {
	if a.Requests == 0 {
		return
	}
	reset := int64((a.Reset + time.Second - 1) / time.Second)
	header.Set("Ratelimit", `"default";r=`+strconv.Itoa(a.Remaining)+";t="+strconv.FormatInt(reset, 10))
	header.Set("Ratelimit-Policy", `"default";q=`+strconv.Itoa(a.Requests)+";w="+strconv.FormatInt(int64(a.Window/time.Second), 10))
}
