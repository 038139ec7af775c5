// Package lookup resolves names of targets, and finds names and AS numbers of
// addresses: names by reverse DNS (PTR), AS numbers from tables of the user's or
// from DNS. One client asks the name servers for all of them.
//
// [Service.LookupNetIP] resolves a target. All else decorates traces and must never hurt one. [Service.Prefetch] starts
// lookups while probes are still in flight and returns at once;
// [Service.Annotate] waits at most a budget for what is not there yet. Neither
// can fail: a lookup that fails, comes late or is dropped because too many are
// waiting is an address without a name, and a number in [Stats].
//
// Every answer is cached, also that there is none, and an address is asked for
// once however many traces want it. A name server that keeps silent is set
// aside, so that it costs no trace any time until it answers again.
package lookup
