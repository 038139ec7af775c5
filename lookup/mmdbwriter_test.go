package lookup

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// A mmdbNetwork is a prefix and the fields of its record; numbers and strings.
type mmdbNetwork struct {
	prefix string
	fields mmdbMap
}

// mmdbMap is in the order in which it is written.
type mmdbMap []mmdbField

type mmdbField struct {
	key   string
	value any
}

func asnFields(asn uint32) mmdbMap {
	return mmdbMap{{"autonomous_system_number", asn}, {"autonomous_system_organization", "Example"}}
}

// writeMMDB returns a database as the MaxMind DB File Format Specification 2.0
// has it: a tree of 24-bit records over IPv6, IPv4 at ::/96, the data section
// and the metadata. No prefix may hold another.
func writeMMDB(kind string, networks []mmdbNetwork) []byte {
	tree, data := sectionsMMDB(networks)
	return joinMMDB(kind, tree, data)
}

// sectionsMMDB returns the search tree and the data section.
func sectionsMMDB(networks []mmdbNetwork) (b, data []byte) {
	type node struct{ children, data [2]int } // 0: nothing; data counts from 1
	tree := []node{{}}
	var offsets []int
	for _, network := range networks {
		offsets = append(offsets, len(data))
		data = appendMMDB(data, network.fields)
		at := 0
		path := mmdbPath(netip.MustParsePrefix(network.prefix))
		for _, bit := range path[:len(path)-1] {
			if tree[at].children[bit] == 0 {
				tree = append(tree, node{})
				tree[at].children[bit] = len(tree) - 1
			}
			at = tree[at].children[bit]
		}
		tree[at].data[path[len(path)-1]] = len(offsets)
	}
	for _, n := range tree {
		for side := range 2 {
			record := len(tree) // nothing here
			if n.children[side] != 0 {
				record = n.children[side]
			} else if n.data[side] != 0 {
				record = len(tree) + 16 + offsets[n.data[side]-1]
			}
			b = append(b, byte(record>>16), byte(record>>8), byte(record))
		}
	}
	return b, data
}

// joinMMDB returns a database of a search tree, six octets a node, and a data
// section.
func joinMMDB(kind string, tree, data []byte) []byte {
	b := slices.Concat(tree, make([]byte, 16), data, []byte("\xab\xcd\xefMaxMind.com"))
	return appendMMDB(b, mmdbMap{
		{"binary_format_major_version", uint16(2)},
		{"binary_format_minor_version", uint16(0)},
		{"build_epoch", uint64(1767225600)},
		{"database_type", kind},
		{"description", mmdbMap{{"en", "test"}}},
		{"ip_version", uint16(6)},
		{"languages", []string{"en"}},
		{"node_count", uint32(len(tree) / 6)},
		{"record_size", uint16(24)},
	})
}

// mmdbPath returns the bits of a prefix, those of IPv4 below ::/96.
func mmdbPath(prefix netip.Prefix) []int {
	octets, length := prefix.Addr().AsSlice(), prefix.Bits()
	if prefix.Addr().Is4() {
		octets, length = slices.Concat(make([]byte, 12), octets), length+96
	}
	path := make([]int, length)
	for i := range path {
		path[i] = int(octets[i/8]>>(7-i%8)) & 1
	}
	return path
}

// appendMMDB appends a value of the data section: a control byte with type and
// size, which for some types has more behind it.
func appendMMDB(b []byte, value any) []byte {
	const stringType, uint16Type, uint32Type, mapType, uint64Extended, arrayExtended = 2, 5, 6, 7, 2, 4
	switch v := value.(type) {
	case string:
		if len(v) < 29 {
			return append(append(b, stringType<<5|byte(len(v))), v...)
		}
		return append(append(b, stringType<<5|29, byte(len(v)-29)), v...)
	case uint16:
		return binary.BigEndian.AppendUint16(append(b, uint16Type<<5|2), v)
	case uint32:
		return binary.BigEndian.AppendUint32(append(b, uint32Type<<5|4), v)
	case uint64:
		return binary.BigEndian.AppendUint64(append(b, 8, uint64Extended), v)
	case []string:
		b = append(b, byte(len(v)), arrayExtended)
		for _, s := range v {
			b = appendMMDB(b, s)
		}
		return b
	case mmdbMap:
		b = append(b, mapType<<5|byte(len(v)))
		for _, field := range v {
			b = appendMMDB(appendMMDB(b, field.key), field.value)
		}
		return b
	}
	panic("type not written")
}
