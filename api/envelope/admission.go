package envelope

import (
	"errors"
	"net/http"

	"probe-agent/quota"
)

// NotAdmitted returns the *Error for a *quota.Error. Any other error, such as the
// end of the request's context, it returns as it is.
func NotAdmitted(err error) error {
	refused, ok := errors.AsType[*quota.Error](err)
	if !ok {
		return err
	}
	switch refused.Reason {
	case quota.ErrRateLimited:
		e := NewError(http.StatusTooManyRequests, CodeTooMany, "too many requests; see Ratelimit-Policy")
		e.RetryAfter = refused.RetryAfter
		return e
	case quota.ErrQueueFull:
		return Unavailable("the agent has all the requests that it can serve")
	case quota.ErrQueueTimeout:
		return Unavailable("the agent could not begin in time: it has all the traces that it can make")
	default:
		return Unavailable("the agent is shutting down")
	}
}
