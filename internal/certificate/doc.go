// Package certificate keeps the TLS certificate of a server in files, and
// takes over what changes there while the server runs.
package certificate
