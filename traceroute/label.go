package traceroute

import (
	"slices"
	"strconv"
)

// AppendLabels appends the annotations of an answer to an IPv4 or IPv6 probe in
// the wording of traceroute(8): why the path ends here, then the MPLS stack, top first.
// Labels that are there already are not repeated.
func AppendLabels(labels []string, a *Answer, ipv6 bool) []string {
	if l := unreachableLabel(a, ipv6); l != "" {
		labels = appendNew(labels, l)
	}
	if a.Extensions != nil {
		for _, m := range a.Extensions.MPLS {
			labels = appendNew(labels, mplsLabel(m))
		}
	}
	return labels
}

// appendNew appends a label unless it is there already.
func appendNew(labels []string, l string) []string {
	if slices.Contains(labels, l) {
		return labels
	}
	return append(labels, l)
}

// mplsLabel prints a stack entry as traceroute -e does.
func mplsLabel(m MPLS) string {
	bottom := "0"
	if m.Bottom {
		bottom = "1"
	}
	return "MPLS:L=" + strconv.Itoa(int(m.Label)) + ",E=" + strconv.Itoa(int(m.TrafficClass)) +
		",S=" + bottom + ",T=" + strconv.Itoa(int(m.TTL))
}

// unreachableLabel returns the annotation of an answer that ends the path
// before the target, "" for any other.
func unreachableLabel(a *Answer, ipv6 bool) string {
	if a.Arrival {
		return ""
	}
	switch a.Kind {
	case PacketTooBig:
		return "!F-" + strconv.Itoa(int(a.MTU))
	case TimeExceeded:
		if a.Code == codeReassembly {
			return typedLabel(11, 3, a.Code, ipv6)
		}
	case ParameterProblem:
		if ipv6 && a.Code == codeNextHeader6 {
			return "!P"
		}
		return typedLabel(12, 4, a.Code, ipv6)
	case Unreachable:
		if ipv6 {
			return label6(a.Code)
		}
		if a.Code == codeFragmentation4 {
			return "!F-" + strconv.Itoa(int(a.MTU))
		}
		return label4(a.Code)
	}
	return ""
}

// Codes that have a label of their own.
const (
	codeProtocol4      = 2 // RFC 792: protocol unreachable
	codeFragmentation4 = 4 // RFC 792: fragmentation needed and DF set
	codeNextHeader6    = 1 // RFC 4443 section 3.4: unrecognised next header
)

// label4 names the codes of ICMP destination unreachable (RFC 792, RFC 1122
// 3.2.2.1, RFC 1812 5.2.7.1).
func label4(code uint8) string {
	switch code {
	case 0, 6, 8, 11: // network unreachable, unknown, source isolated, unreachable for the type of service
		return "!N"
	case 1, 7, 12: // host unreachable, unknown, unreachable for the type of service
		return "!H"
	case codeProtocol4:
		return "!P"
	case 5:
		return "!S"
	case 9, 10, 13: // network, host, communication administratively prohibited
		return "!X"
	case 14:
		return "!V"
	case 15:
		return "!C"
	}
	return otherCode(code)
}

// otherCode prints a code that has no letter, angle brackets included.
func otherCode(code uint8) string { return "!<" + strconv.Itoa(int(code)) + ">" }

// typedLabel prints type and code of an error that has no letter. The type is
// that of ICMP or of ICMPv6.
func typedLabel(type4, type6 int, code uint8, ipv6 bool) string {
	if ipv6 {
		type4 = type6
	}
	return "!<" + strconv.Itoa(type4) + "-" + strconv.Itoa(int(code)) + ">"
}

// label6 names the codes of ICMPv6 destination unreachable (RFC 4443 3.1).
func label6(code uint8) string {
	switch code {
	case 0: // no route to destination
		return "!N"
	case 1: // administratively prohibited
		return "!X"
	case 2, 3: // beyond the scope of the source, address unreachable
		return "!H"
	}
	return otherCode(code)
}

// The first label of a node in a GREICMP trace: which half it answered.
const (
	LabelGRE  = "GRE"
	LabelICMP = "ICMP"
)

// Half returns which half of a GREICMP trace a node belongs to: LabelGRE or
// LabelICMP, "" in any other trace.
func (n *Node) Half() string {
	if len(n.Labels) > 0 && (n.Labels[0] == LabelGRE || n.Labels[0] == LabelICMP) {
		return n.Labels[0]
	}
	return ""
}
