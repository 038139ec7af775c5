package lookup

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// answerSection is the answer section of a response, as far as it matters to
// the question.
type answerSection struct {
	kind    dnsmessage.Type // asked for
	aliases []alias
	records []record
}

type alias struct {
	owner, target dnsmessage.Name
	ttl           time.Duration
}

type record struct {
	owner      dnsmessage.Name
	ttl        time.Duration
	value      string
	unreadable bool
}

// read collects aliases and records of the kind asked for, up to maxRecords of
// any kind.
func (s *answerSection) read(p *dnsmessage.Parser) error {
	for range maxRecords {
		header, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("lookup: answers of response: %w", err)
		}
		body := *p // a copy, so that a body that cannot be read can be skipped
		if header.Class == dnsmessage.ClassINET {
			s.take(header, &body)
		}
		if err := p.SkipAnswer(); err != nil {
			return fmt.Errorf("lookup: answers of response: %w", err)
		}
	}
	return nil
}

func (s *answerSection) take(header dnsmessage.ResourceHeader, body *dnsmessage.Parser) {
	switch header.Type {
	case s.kind:
		value, err := recordValue(s.kind, body)
		s.records = append(s.records, record{header.Name, ttl(header.TTL), value, err != nil})
	case dnsmessage.TypeCNAME:
		if target, err := body.CNAMEResource(); err == nil {
			s.aliases = append(s.aliases, alias{header.Name, target.CNAME, ttl(header.TTL)})
		}
	}
}

// recordValue reads the data of a PTR or TXT record.
func recordValue(kind dnsmessage.Type, body *dnsmessage.Parser) (string, error) {
	switch kind {
	case dnsmessage.TypePTR:
		ptr, err := body.PTRResource()
		return ptr.PTR.String(), err
	case dnsmessage.TypeTXT:
		txt, err := body.TXTResource()
		return strings.Join(txt.TXT, ""), err
	}
	return "", fmt.Errorf("lookup: records of type %v are not asked for", kind)
}

// follow goes from name along the aliases and puts the records found at their
// end into r, with the shortest TTL met on the way.
func (s *answerSection) follow(name dnsmessage.Name, r *reply) {
	shortest := time.Duration(-1)
	shorten := func(d time.Duration) {
		if shortest < 0 || d < shortest {
			shortest = d
		}
	}
	for range maxAliases {
		next, found := s.alias(name)
		if !found {
			break
		}
		name = next.target
		shorten(next.ttl)
	}
	for _, rec := range s.records {
		if !sameName(rec.owner, name) {
			continue
		}
		shorten(rec.ttl)
		switch {
		case rec.unreadable:
			r.unreadable++
		case s.kind == dnsmessage.TypePTR:
			r.names = append(r.names, rec.value)
		default:
			r.texts = append(r.texts, rec.value)
		}
	}
	if !r.empty() {
		r.ttl = shortest
	}
}

func (s *answerSection) alias(owner dnsmessage.Name) (alias, bool) {
	for _, a := range s.aliases {
		if sameName(a.owner, owner) {
			return a, true
		}
	}
	return alias{}, false
}
