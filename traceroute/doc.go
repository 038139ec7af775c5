// Package traceroute is the model of a traceroute: what is asked for ([Spec],
// [Batch]), what is learned ([Result], with every [Probe] and its [Answer]),
// how it is counted up ([Summary]), what is reported while it runs ([Event])
// and why there may be none ([Failure]).
//
// The values hold data only: no functions, channels or locks. [Result],
// [Outcome], [Batch] and [Event] have a JSON form, version [Version], that
// reads back as the same value.
//
// The package imports the standard library only, so that whatever probes,
// stores, transmits or renders traces can share it.
package traceroute
