package api

import (
	"net/http"
	"time"
)

// metricsPath is where Config.Metrics is served.
const metricsPath = "/metrics"

// Observer counts requests. Safe for concurrent use.
type Observer interface {
	// Begin is called when a request comes in, and the function that it
	// returns once when it has been served: with the pattern of the route that
	// its path matched, empty when there was none, the status sent, or 499
	// when the client had gone, or 500 when a fault ended an answer that had
	// begun, and the time in between.
	Begin() (end func(route string, status int, took time.Duration))
	// Asked is called once for each request that reached a route which needs
	// credentials, when it has been served, with the name of its credential,
	// empty when nobody was identified, and the code of the error that it was
	// refused with, 0 when it was not. Names are those of credentials that are
	// in force or have been.
	Asked(credential string, code int)
}

// unobserved is the Observer of a Handler without one.
type unobserved struct{}

func (unobserved) Begin() func(string, int, time.Duration) {
	return func(string, int, time.Duration) {}
}

func (unobserved) Asked(string, int) {}

// uncached marks what serve answers as of this moment only.
func uncached(serve http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		serve.ServeHTTP(w, r)
	}
}
