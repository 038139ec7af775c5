// Package preflight finds out whether a host has what the agent needs: the
// capability, raw sockets, kernel timestamps, buffers, routes and DNS. Each
// [Finding] says what is there and what to do if it is not. Nothing here sends
// a packet, except [Lookup], which asks the name server.
package preflight
