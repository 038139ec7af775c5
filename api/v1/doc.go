// Package v1 renders traces in the agent's own form: everything that a
// [traceroute.Result] holds, with names and AS numbers.
//
// It is pure: results in, values with JSON tags out. openapi.yaml of package
// api describes every field and holds for every one of them. Times are whole
// nanoseconds and their names end in _ns. An address is null where nobody
// answered, and empty where the colo does not tell who did. What a value does
// not have is null, never 0. Lists are never null.
package v1
