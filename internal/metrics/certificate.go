package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func newCertificateReading(expires func() time.Time) prometheus.Collector {
	r := &reading[time.Time]{read: expires}
	r.gauge("tls_certificate_expiry_timestamp_seconds", "When the TLS certificate in use expires.",
		func(t *time.Time) float64 { return float64(t.Unix()) })
	return r
}
