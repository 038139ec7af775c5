// Package api is the HTTP server: routes, and in front of them who the client is,
// the log, panics, credentials and limits, in the order of Handler.mount. Package
// cloudflare has the compatible endpoint, package v1 the native API; both have
// package service trace. openapi.yaml is the contract of them all; the tests hold
// every request and response against it.
package api
