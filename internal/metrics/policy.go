package metrics

import (
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"
)

// Policy decides which addresses may be probed; *policy.Policy is one.
type Policy interface {
	Check(addr netip.Addr) error
}

func newVerdicts() *prometheus.CounterVec {
	verdicts := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "policy_verdicts_total",
		Help: "Addresses of targets that the policy allowed or refused, by family; the addresses of one name up to the first allowed.",
	}, []string{"family", "verdict"})
	for _, family := range []string{ipv4, ipv6} {
		for _, verdict := range []string{"allowed", "refused"} {
			verdicts.WithLabelValues(family, verdict)
		}
	}
	return verdicts
}

// Policy returns a Policy that counts what next decides.
func (m *Metrics) Policy(next Policy) Policy { return &countingPolicy{next, m.verdicts} }

type countingPolicy struct {
	next     Policy
	verdicts *prometheus.CounterVec
}

// Check returns what the policy says, and counts it.
func (c *countingPolicy) Check(addr netip.Addr) error {
	err, verdict := c.next.Check(addr), "allowed"
	if err != nil {
		verdict = "refused"
	}
	c.verdicts.WithLabelValues(familyOf(addr), verdict).Inc()
	return err
}
