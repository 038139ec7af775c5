// Package api answers traceroute requests in the form of Cloudflare's endpoint.
//
// A [Service] does the work and knows no HTTP: it checks a [Request], has every
// selected [Colo] trace every target at once, and renders the results as a
// [Response]. A [Handler] puts a Service behind HTTP. openapi.yaml in this
// package is the contract that both keep; the tests hold every request and
// response against it.
package api
