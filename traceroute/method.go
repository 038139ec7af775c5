package traceroute

import "strings"

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

	methodsEnd
)

// methodNames are the names used in requests. A method that is not made of
// others has the name of its type in package packet.
var methodNames = []string{ICMP: "icmp", TCP: "tcp", UDP: "udp", GRE: "gre", GREICMP: "gre+icmp"}

// defaultPorts are what Spec.Port is by default; DefaultEchoStart where a method
// is not listed.
var defaultPorts = [methodsEnd]int{UDP: DefaultUDPPort, TCP: DefaultTCPPort}

// String returns the name used in requests.
func (m Method) String() string { return nameOf(methodNames, "method", m) }

// Valid reports whether m is one of the methods.
func (m Method) Valid() bool { return m >= ICMP && m < methodsEnd }

// ParseMethod is the inverse of String. The empty name is ICMP.
func ParseMethod(name string) (Method, error) {
	if name == "" {
		return ICMP, nil
	}
	return parseName[Method](methodNames, "method", name)
}

// Methods returns all methods, in the order of their numbers.
func Methods() []Method {
	methods := make([]Method, 0, methodsEnd-1)
	for m := ICMP; m < methodsEnd; m++ {
		methods = append(methods, m)
	}
	return methods
}

// MethodsInWords lists the names of all methods: a, b or c.
func MethodsInWords() string {
	names := methodNames[ICMP:]
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// defaultPort is what Spec.Port is by default.
func (m Method) defaultPort() int {
	if m.Valid() && defaultPorts[m] != 0 {
		return defaultPorts[m]
	}
	return DefaultEchoStart
}
