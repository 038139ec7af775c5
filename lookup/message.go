package lookup

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// maxRecords bounds the records read of one section. A PTR answer has a
	// few; what is behind is not missed.
	maxRecords = 64
	// maxAliases bounds the CNAMEs followed. Classless delegation (RFC 2317)
	// needs one.
	maxAliases = 8
)

// query is one question as it goes over the wire.
type query struct {
	id       uint16
	question dnsmessage.Question
	bytes    []byte
}

// newQuery packs a recursive query for name, which ends in a dot, with a
// random id.
func newQuery(name string, kind dnsmessage.Type) (query, error) {
	packed, err := dnsmessage.NewName(name)
	if err != nil {
		return query{}, fmt.Errorf("lookup: %q is no DNS name: %w", name, err)
	}
	var random [2]byte
	rand.Read(random[:]) // never fails
	q := query{
		id:       binary.BigEndian.Uint16(random[:]),
		question: dnsmessage.Question{Name: packed, Type: kind, Class: dnsmessage.ClassINET},
	}
	message := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: q.id, RecursionDesired: true},
		Questions: []dnsmessage.Question{q.question},
	}
	if q.bytes, err = message.Pack(); err != nil {
		return query{}, fmt.Errorf("lookup: query for %q: %w", name, err)
	}
	return q, nil
}

// answers reports whether message is a response to q: its id and its question
// (RFC 5452 section 9.1). The source is the exchange's matter.
func (q query) answers(message []byte) bool {
	var p dnsmessage.Parser
	header, err := p.Start(message)
	if err != nil || header.ID != q.id || !header.Response || header.OpCode != 0 {
		return false
	}
	asked, err := p.AllQuestions()
	if err != nil || len(asked) != 1 {
		return false
	}
	return asked[0].Type == q.question.Type && asked[0].Class == q.question.Class &&
		sameName(asked[0].Name, q.question.Name)
}

// sameName compares as DNS does, without regard to case (RFC 4343).
func sameName(a, b dnsmessage.Name) bool {
	return strings.EqualFold(a.String(), b.String())
}

// reply is what a name server said, as far as it was asked.
type reply struct {
	truncated bool
	rcode     dnsmessage.RCode
	// names (PTR) and texts (TXT) are owned by the name asked for, or by the
	// one that its aliases lead to.
	names []string // with the trailing dot, not checked
	texts []string
	// unreadable counts records of the type asked for whose data has no form
	// that this package takes.
	unreadable int
	// ttl is how long the answer may be kept, or that there is none; below 0
	// when the server did not say.
	ttl time.Duration
}

// empty reports whether the reply says that there are no records (NXDOMAIN or
// NODATA, RFC 2308 section 2).
func (r reply) empty() bool { return len(r.names)+len(r.texts)+r.unreadable == 0 }

// errLame is a server's that neither answers nor says that there is no answer.
var errLame = errors.New("lookup: name server does not resolve for us")

// read takes a message that answers q apart. An error means that the server is
// of no use for this question.
func (q query) read(message []byte) (reply, error) {
	var p dnsmessage.Parser
	header, err := p.Start(message)
	if err != nil {
		return reply{}, fmt.Errorf("lookup: response header: %w", err)
	}
	r := reply{truncated: header.Truncated, rcode: header.RCode, ttl: -1}
	if r.truncated {
		return r, nil
	}
	if r.rcode != dnsmessage.RCodeSuccess && r.rcode != dnsmessage.RCodeNameError {
		return r, fmt.Errorf("lookup: name server answered %s", strings.TrimPrefix(r.rcode.String(), "RCode"))
	}
	if err := p.SkipAllQuestions(); err != nil {
		return reply{}, fmt.Errorf("lookup: question of response: %w", err)
	}
	section := answerSection{kind: q.question.Type}
	if err := section.read(&p); err != nil {
		return reply{}, err
	}
	section.follow(q.question.Name, &r)
	if !r.empty() {
		return r, nil
	}
	soa, err := negativeTTL(&p)
	if err != nil {
		return reply{}, err
	}
	r.ttl = soa
	if soa < 0 && r.rcode == dnsmessage.RCodeSuccess && !header.Authoritative && !header.RecursionAvailable {
		return reply{}, errLame // a referral to others, RFC 2308 section 2.2
	}
	return r, nil
}

// negativeTTL reads from the authority section how long it may be remembered
// that there is no answer (RFC 2308 section 5); below 0 when nothing says so.
func negativeTTL(p *dnsmessage.Parser) (time.Duration, error) {
	if err := p.SkipAllAnswers(); err != nil {
		return 0, fmt.Errorf("lookup: answers of response: %w", err)
	}
	for range maxRecords {
		header, err := p.AuthorityHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("lookup: authorities of response: %w", err)
		}
		if header.Type != dnsmessage.TypeSOA {
			if err := p.SkipAuthority(); err != nil {
				return 0, fmt.Errorf("lookup: authorities of response: %w", err)
			}
			continue
		}
		soa, err := p.SOAResource()
		if err != nil {
			return 0, fmt.Errorf("lookup: SOA of response: %w", err)
		}
		return min(ttl(header.TTL), ttl(soa.MinTTL)), nil
	}
	return -1, nil
}

// ttl reads a TTL: 31 bits of seconds; with the top bit set it is 0 (RFC 2181
// section 8).
func ttl(seconds uint32) time.Duration {
	if seconds > 1<<31-1 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
