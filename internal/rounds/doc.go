// Package rounds is what the trace command does: it has the service trace the same
// targets, once or round after round, and shows what came of each round as
// tables, as comma-separated values or as the JSON of the API.
package rounds
