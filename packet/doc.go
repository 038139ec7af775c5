// Package packet builds traceroute probes and reads what comes back for them.
//
// It knows wire formats and nothing else: no socket, clock, goroutine or log.
// Probes are crafted once per flow as a [Template] and patched per probe.
// Received bytes are read by this package's own parser, which trusts no
// length it was sent and allocates nothing.
package packet
