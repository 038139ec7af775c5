package settings

// nearest returns the candidate that takes the fewest insertions, deletions and
// substitutions of a character to make from name, if they are few enough for a
// mistake in typing.
func nearest(name string, candidates []string) (best string, ok bool) {
	most := min(3, max(1, (len(name)-len(environmentPrefix))/3))
	least := most + 1
	for _, candidate := range candidates {
		if d := editDistance(name, candidate); d < least {
			best, least = candidate, d
		}
	}
	return best, least <= most
}

// editDistance is the Levenshtein distance of two strings, in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitution := diagonal
			if a[i] != b[j] {
				substitution++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitution, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
