// Package kernel builds networks out of Linux network namespaces, for tests
// and measurements against the real kernel.
//
// A [Topology] says what to build and what each router does to probes; [Build]
// makes a [Lab] of it; [Lab.Hops] and [Lab.Paths] say what a traceroute in it
// must see. Chain(2), with the last byte of each address:
//
//	 host            r1              r2            target
//	+----+    l1    +----+    l2    +----+    l3    +----+ lo:
//	|   1|----------|2  1|----------|2  1|----------|2   | 198.19.0.1
//	+----+          +----+          +----+          +----+ 2001:db8:ffff::1
//	   198.18.1.0/24   198.18.2.0/24   198.18.3.0/24
//	   2001:db8:1::/64 2001:db8:2::/64 2001:db8:3::/64
//
// Both families are always there. Router n answers from 198.18.n.2 and
// 2001:db8:n::2 (n in hexadecimal), its address toward the host, whichever way
// a probe came in. Where paths join, the router has one more link per further
// way in, numbered after all others.
//
// Everything is made inside the namespaces, which have no names: the caller's
// namespace sees no device, labs cannot collide, and when the process ends, in
// whatever way, the kernel takes the lab away.
//
// Neighbours are permanent and addresses need no detection, so a capture shows
// nothing but the traffic under test. Two things differ from real wires: a veth
// leaves the checksum of the target kernel's own TCP and UDP packets
// unfinished, and nothing takes time.
//
// [Stage] makes a topology of a scenario of package netsim, or says what of it
// no kernel does, so that scenarios and their expectations hold here as well.
//
// It needs root, or CAP_SYS_ADMIN and CAP_NET_ADMIN, and Linux 5.14 or newer
// with veth and nftables. Before 6.12 the kernel's limit on the ICMP errors of
// the whole system stays in force: 1000 per second.
//
// # By hand
//
// To look around in a lab, stop the program at a point where the lab stands,
// print [Node.Path] of a node and enter it from another terminal:
//
//	nsenter --net=/proc/4711/fd/12 ip -brief address
//	nsenter --net=/proc/4711/fd/12 nft list ruleset
//	nsenter --net=/proc/4711/fd/12 tcpdump -ni any
package kernel
