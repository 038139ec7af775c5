package lookup

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/gaissmai/bart"
)

// maxPrefixes bounds a table's memory: several times what the Internet
// announces (1.3 million in 2026), some 300 MB.
const maxPrefixes = 8 << 20

// table maps addresses to AS numbers, by longest prefix. It is not changed
// once it is in use.
type table struct {
	prefixes bart.Table[uint32]
	limit    int // of prefixes
	loaded   time.Time
	loadTime time.Duration
}

// lookup returns the AS number of addr, which is 0 when it is not known.
func (t *table) lookup(addr netip.Addr) uint32 {
	asn, _ := t.prefixes.Lookup(addr)
	return asn
}

// add enters a prefix. Unannounced space is left out, so that it cannot hide
// what another file knows.
func (t *table) add(prefix netip.Prefix, asn uint32) error {
	if asn == 0 {
		return nil
	}
	if t.prefixes.Size() >= t.limit {
		return fmt.Errorf("more than %d prefixes", t.limit)
	}
	t.prefixes.Insert(prefix, asn)
	return nil
}

// Tables are the AS numbers of address ranges, as files told them. They are
// not changed any more. The zero value knows none.
type Tables struct{ table *table }

// LoadTables reads files as Config.Tables has them, which takes a second or two
// for those of the whole Internet. The error names the file and, of text, the
// line, or is ctx's when ctx ended first.
func LoadTables(ctx context.Context, files ...string) (Tables, error) {
	if len(files) == 0 {
		return Tables{}, nil
	}
	t, err := loadTable(ctx, files)
	if err != nil {
		return Tables{}, err
	}
	return Tables{t}, nil
}

// UseTables answers from other tables from now on.
func (s *Service) UseTables(t Tables) {
	if t.table == nil {
		t.table = &table{}
	}
	s.table.Store(t.table)
}

func loadTable(ctx context.Context, files []string) (*table, error) {
	t := &table{limit: maxPrefixes, loaded: time.Now()}
	for _, file := range files {
		if err := t.addFile(ctx, file); err != nil {
			return nil, fmt.Errorf("lookup: %w", err)
		}
	}
	t.loadTime = time.Since(t.loaded)
	return t, nil
}
