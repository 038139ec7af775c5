package traceroute

import (
	"fmt"
	"slices"
	"strings"
)

// nameOf returns the name of a value in a table of names, or a placeholder with
// its number when the table has none.
func nameOf[T ~uint8](names []string, what string, v T) string {
	if int(v) < len(names) && names[v] != "" {
		return names[v]
	}
	return fmt.Sprintf("%s-%d", what, uint8(v))
}

// parseName is the inverse of nameOf for the names of the table. The error lists
// them.
func parseName[T ~uint8](names []string, what, name string) (T, error) {
	if i := slices.Index(names, name); i >= 0 && name != "" {
		return T(i), nil
	}
	known := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "" })
	return 0, fmt.Errorf("traceroute: invalid %s: %q is not one of %s", what, name, strings.Join(known, ", "))
}
