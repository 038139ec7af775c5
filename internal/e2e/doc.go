// Package e2e holds the end-to-end tests: the engine on raw sockets and the
// daemon as a process, in networks that the kernel runs, held against what is
// known of those networks and against traceroute(8).
//
// They need root and Linux. Those that compare with traceroute(8) need its
// Debian package, traceroute. All traffic stays in namespaces that the tests
// make themselves.
package e2e
