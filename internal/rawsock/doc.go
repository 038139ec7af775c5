// Package rawsock carries crafted IP packets over Linux raw sockets: batches
// out, batches in, both with the kernel's own timestamps.
//
// One [Transport] serves a whole process. It opens everything that needs
// CAP_NET_RAW in [Open], so that the process can drop the capability
// afterwards. What stays open: one sending socket per address family; one
// receiving socket per family for each of ICMP, TCP, UDP and GRE, with a
// filter in the kernel that passes answers to probes only; a netlink socket to
// ask the routing table with, and a raw GRE socket per family for what that
// does not know; and a range of
// TCP and UDP ports, bound and idle, so that no connection of the host can
// share a port with a probe.
//
// While a Transport is open, the host's own kernel no longer answers GRE
// packets with protocol unreachable when it has no GRE of its own: a raw
// socket listens for them.
package rawsock
