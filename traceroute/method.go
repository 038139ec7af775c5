package traceroute

// Method is the kind of packets that a trace probes with. GREICMP runs two
// traceroutes at once: GRE-encapsulated ICMP echo and plain ICMP echo.
type Method uint8

// The methods.
const (
	ICMP Method = iota + 1
	TCP
	UDP
	GRE
	GREICMP
)

var methodNames = []string{ICMP: "icmp", TCP: "tcp", UDP: "udp", GRE: "gre", GREICMP: "gre+icmp"}

// String returns the name used in requests: icmp, tcp, udp, gre or gre+icmp.
func (m Method) String() string { return nameOf(methodNames, "method", m) }

// Valid reports whether m is one of the methods.
func (m Method) Valid() bool { return m >= ICMP && m <= GREICMP }

// ParseMethod is the inverse of String. The empty name is ICMP.
func ParseMethod(name string) (Method, error) {
	if name == "" {
		return ICMP, nil
	}
	return parseName[Method](methodNames, "method", name)
}

// Methods returns all methods, in the order of their numbers.
func Methods() []Method { return []Method{ICMP, TCP, UDP, GRE, GREICMP} }
