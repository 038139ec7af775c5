package lookup

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	// maxRecords bounds the answers considered. A PTR answer has a few; the
	// rest is not missed.
	maxRecords = 64
	// maxAliases bounds the CNAMEs followed: no fewer than recursive resolvers
	// follow (Unbound and BIND 9: 11), since what they find counts.
	maxAliases = 16
	// ednsSize is the size of the datagrams that a query with EDNS announces.
	// It passes every path unfragmented (RFC 9715).
	ednsSize = 1232
)

// newQuery returns a recursive query for name, which ends in a dot, with a
// random id.
func newQuery(name string, kind uint16, edns bool) *dns.Msg {
	q := new(dns.Msg).SetQuestion(name, kind)
	if edns {
		q.SetEdns0(ednsSize, false)
	}
	return q
}

// answers reports whether m is a response to q: its id and its question (RFC
// 5452 section 9.1). The exchange has checked the source. An error without a question
// counts too, as some servers refuse like this; it carries no data to be taken.
func answers(q, m *dns.Msg) bool {
	if m.Id != q.Id || !m.Response || m.Opcode != dns.OpcodeQuery {
		return false
	}
	if len(m.Question) == 0 {
		return m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError
	}
	asked, got := q.Question[0], m.Question[0]
	return len(m.Question) == 1 && got.Qtype == asked.Qtype && got.Qclass == asked.Qclass && sameName(got.Name, asked.Name)
}

// sameName compares as DNS does, without regard to case (RFC 4343).
func sameName(a, b string) bool { return strings.EqualFold(a, b) }

// reply is what a name server said, as far as it was asked.
type reply struct {
	nonexistent bool // NXDOMAIN: there is no such name, whatever the type
	// records are of the type asked for, and owned by the name asked for or by
	// the one that its aliases lead to.
	records []dns.RR
	// ttl is how long the answer may be kept, or that there is none; below 0
	// when the server did not say.
	ttl time.Duration
}

// empty reports whether the reply says that there are no records (NXDOMAIN or
// NODATA, RFC 2308 section 2).
func (r reply) empty() bool { return len(r.records) == 0 }

// names returns those of PTR records, with the trailing dot, not checked.
func (r reply) names() []string {
	var names []string
	for _, record := range r.records {
		if ptr, ok := record.(*dns.PTR); ok {
			names = append(names, ptr.Ptr)
		}
	}
	return names
}

// texts returns those of TXT records.
func (r reply) texts() []string {
	var texts []string
	for _, record := range r.records {
		if txt, ok := record.(*dns.TXT); ok {
			texts = append(texts, strings.Join(txt.Txt, ""))
		}
	}
	return texts
}

// addrs returns those of A and AAAA records, never an IPv4-mapped one.
func (r reply) addrs() []netip.Addr {
	var addrs []netip.Addr
	for _, record := range r.records {
		var octets []byte
		switch record := record.(type) {
		case *dns.A:
			octets = record.A
		case *dns.AAAA:
			octets = record.AAAA
		}
		if addr, ok := netip.AddrFromSlice(octets); ok {
			addrs = append(addrs, addr.Unmap())
		}
	}
	return addrs
}

// errLame is the error for a server that neither answers nor says that there is
// no answer.
var errLame = errors.New("lookup: name server does not resolve for us")

// read returns what m, which answers q and is not truncated, says. An error
// means that the server is of no use for this question.
func read(q, m *dns.Msg) (reply, error) {
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return reply{}, fmt.Errorf("lookup: name server answered %s", rcodeText(m.Rcode))
	}
	r := follow(q.Question[0], m.Answer)
	if !r.empty() {
		return r, nil
	}
	r.nonexistent = m.Rcode == dns.RcodeNameError
	r.ttl = negativeTTL(m.Ns)
	if r.ttl < 0 && !r.nonexistent && !m.Authoritative && !m.RecursionAvailable {
		return reply{}, errLame // a referral to others, RFC 2308 section 2.2
	}
	return r, nil
}

func rcodeText(code int) string {
	if text, known := dns.RcodeToString[code]; known {
		return text
	}
	return fmt.Sprintf("RCODE %d", code)
}

// follow goes from the name of a question along the aliases and returns the
// records at their end, with the shortest TTL met on the way.
func follow(q dns.Question, section []dns.RR) reply {
	section = section[:min(len(section), maxRecords)]
	r := reply{ttl: -1}
	shortest := time.Duration(-1)
	shorten := func(d time.Duration) {
		if shortest < 0 || d < shortest {
			shortest = d
		}
	}
	name := q.Name
	for range maxAliases {
		alias := aliasOf(name, section)
		if alias == nil {
			break
		}
		name = alias.Target
		shorten(ttl(alias.Hdr.Ttl))
	}
	for _, record := range section {
		header := record.Header()
		if header.Rrtype == q.Qtype && header.Class == q.Qclass && sameName(header.Name, name) {
			shorten(ttl(header.Ttl))
			r.records = append(r.records, record)
			r.ttl = shortest
		}
	}
	return r
}

func aliasOf(owner string, section []dns.RR) *dns.CNAME {
	for _, record := range section {
		if alias, ok := record.(*dns.CNAME); ok && alias.Hdr.Class == dns.ClassINET && sameName(alias.Hdr.Name, owner) {
			return alias
		}
	}
	return nil
}

// negativeTTL reads from the authority section how long it may be remembered
// that there is no answer (RFC 2308 section 5); below 0 when nothing says so.
func negativeTTL(authorities []dns.RR) time.Duration {
	for _, record := range authorities {
		if soa, ok := record.(*dns.SOA); ok {
			return min(ttl(soa.Hdr.Ttl), ttl(soa.Minttl))
		}
	}
	return -1
}

// ttl reads a TTL: 31 bits of seconds; with the top bit set it is 0 (RFC 2181
// section 8).
func ttl(seconds uint32) time.Duration {
	if seconds > 1<<31-1 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
