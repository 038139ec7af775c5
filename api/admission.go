package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"probe-agent/access"
	"probe-agent/api/envelope"
	"probe-agent/quota"
)

// errCut is the cause of the end of a request's context when the agent could
// not wait for its traces any longer.
var errCut = errors.New("api: the agent is shutting down")

// admission passes the requests that the limits permit.
type admission struct {
	limiter *quota.Limiter
	life    context.Context // ends when what is inside is cut off
	cut     context.CancelFunc
}

func newAdmission(limiter *quota.Limiter) *admission {
	if limiter == nil {
		var err error
		if limiter, err = quota.New(quota.Default()); err != nil {
			panic(err) // the defaults are in their own ranges
		}
	}
	a := &admission{limiter: limiter}
	a.life, a.cut = context.WithCancel(context.Background())
	return a
}

type visitKey struct{}

// visitOf returns the ticket that ctx carries; without one, nothing is limited.
func visitOf(ctx context.Context) *quota.Ticket {
	if v, ok := ctx.Value(visitKey{}).(*quota.Ticket); ok {
		return v
	}
	return quota.Unlimited()
}

// admit passes a request on behalf of its access.Principal or refuses it, before
// its body is read. What it asks for waits its turn in Service.run; whatever it
// then holds or waits for ends with it.
func (a *admission) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := access.PrincipalOf(r.Context())
		visit, allowance, err := a.limiter.Admit(quota.Caller{Token: who.Token, Account: who.Account})
		tellAllowance(w.Header(), allowance)
		if err != nil {
			envelope.WriteError(w, r, notAdmitted(err))
			return
		}
		defer visit.Close()
		ctx, end := context.WithCancelCause(context.WithValue(r.Context(), visitKey{}, visit))
		defer end(nil)
		defer context.AfterFunc(a.life, func() { end(errCut) })()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// tellAllowance says how the client stands with its rate of requests, in the
// form of draft-ietf-httpapi-ratelimit-headers. Without a rate there is nothing
// to say.
func tellAllowance(header http.Header, a quota.Allowance) {
	if a.Requests == 0 {
		return
	}
	reset := int64((a.Reset + time.Second - 1) / time.Second)
	header.Set("Ratelimit", `"default";r=`+strconv.Itoa(a.Remaining)+";t="+strconv.FormatInt(reset, 10))
	header.Set("Ratelimit-Policy", `"default";q=`+strconv.Itoa(a.Requests)+";w="+strconv.FormatInt(int64(a.Window/time.Second), 10))
}

// notAdmitted turns the error of a limiter into an answer. What is no refusal is
// the end of the request's context, and stays what it is.
func notAdmitted(err error) error {
	refused, ok := errors.AsType[*quota.Error](err)
	if !ok {
		return err
	}
	if refused.Reason == quota.ErrRateLimited {
		e := envelope.NewError(http.StatusTooManyRequests, envelope.CodeTooMany, "too many requests; see Ratelimit-Policy")
		e.RetryAfter = refused.RetryAfter
		return e
	}
	return envelope.NewError(http.StatusServiceUnavailable, envelope.CodeUnavailable, map[quota.Reason]string{
		quota.ErrQueueFull:    "the agent has all the requests that it can serve",
		quota.ErrQueueTimeout: "the agent could not begin in time: it has all the traces that it can make",
		quota.ErrShuttingDown: "the agent is shutting down",
	}[refused.Reason])
}

// wasCut reports whether ctx, a request's, ended because the agent does.
func wasCut(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errCut) }
