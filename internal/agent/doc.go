// Package agent is the daemon behind `probe-agent serve`. It composes the other
// packages as the settings say: opens what they need, puts settings in use at the
// start and at every reload, watches what changes while it runs, and closes
// everything in the end.
//
// Whatever a reload can change is a part; see parts.go, and package daemon for how
// to add one.
package agent
