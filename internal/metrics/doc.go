// Package metrics shows what the agent does and has done as numbers, in the
// text format of Prometheus.
//
// Most of them are counted elsewhere and read at each scrape; requests and
// traces are counted here. Labels take few values, all known beforehand: no
// address, name or account becomes one.
package metrics
