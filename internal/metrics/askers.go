package metrics

import (
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Labels for what has no name of its own. No credential and no account can have
// a parenthesis in its name.
const (
	nobody = "(none)"
	others = "(other)"
)

// maxAskers bounds how many credentials are counted apart. They come from the
// configuration, but each reload may bring others.
const maxAskers = 1024

// askers are the numbers of those who ask.
type askers struct {
	total *prometheus.CounterVec

	mu    sync.Mutex
	known map[string]bool
}

func newAskers() *askers {
	a := &askers{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "requests_total",
			Help: "Requests for what needs credentials, by name of the credential and code of the error that refused them, 0 when none did.",
		}, []string{"credential", "error"}),
		known: make(map[string]bool),
	}
	// What has not happened yet is 0, so that its first time shows as a rise:
	// nobody known, malformed credentials, a flood of either.
	for _, code := range []int{0, 10000, 6003, 971} {
		a.total.WithLabelValues(nobody, strconv.Itoa(code))
	}
	return a
}

// Asked counts a request for what needs credentials, by the name of its
// credential, empty when nobody was identified, and the code of the error that
// it was refused with, 0 when it was not.
func (m *Metrics) Asked(credential string, code int) {
	m.askers.total.WithLabelValues(m.askers.label(credential), strconv.Itoa(code)).Inc()
}

func (a *askers) label(credential string) string {
	if credential == "" {
		return nobody
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.known[credential] {
		if len(a.known) >= maxAskers {
			return others
		}
		a.known[credential] = true
	}
	return credential
}
