// Package metrics shows what the agent does and has done as numbers, in the
// text format of Prometheus.
//
// Most of them are counted elsewhere and read at each scrape; requests and
// traces are counted here. Labels take few values, all known beforehand or
// bounded: the names of accounts and credentials become some, addresses and
// names of hosts never.
package metrics
