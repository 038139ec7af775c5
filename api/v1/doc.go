// Package v1 is the native API: traces as resources below /v1/traces, with
// everything that a [traceroute.Result] holds, names and AS numbers added.
//
// openapi.yaml of package api describes every field. Times are whole nanoseconds
// and their names end in _ns. An address is null where nobody answered, and empty
// where the colo hides who did. What a value does not have is null, never 0.
// Lists are never null.
package v1
