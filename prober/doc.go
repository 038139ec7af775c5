// Package prober runs traceroutes. One Engine serves the whole process: it
// plans the probes of every trace, sends them over a shared Transport, hands
// each reply to the trace that it belongs to, and returns a Result that keeps
// every probe.
package prober
