package lookup

const (
	maxName  = 253 // characters of a name, without the trailing dot
	maxLabel = 63  // characters between two dots (RFC 1035 section 2.3.4)
)

// validName reports whether name, without its trailing dot, can be shown to
// people and programs as it is: letters, digits, hyphens (RFC 952, RFC 1123
// section 2.1) and the underscores of the real world. Whoever owns an address
// owns its name, and DNS carries any byte: terminal escapes, markup and line
// breaks are not let through.
func validName(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	label := 0
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			label++
		default:
			return false
		}
		if label > maxLabel {
			return false
		}
	}
	return label > 0
}
