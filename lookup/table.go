package lookup

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
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

// Reload reads the tables again, or those given instead of them, while the old
// ones stay in use; both are in memory for that time. The new ones are in use
// when it returns nil. Otherwise the old ones stay, and the error names the
// file and, of text, the line.
func (s *Service) Reload(ctx context.Context, tables ...string) error {
	s.reload.Lock()
	defer s.reload.Unlock()
	if len(tables) == 0 {
		tables = s.tables
	}
	if len(tables) == 0 {
		return nil
	}
	fresh, err := loadTable(ctx, tables)
	if err != nil {
		s.rejected.Add(1)
		return err
	}
	s.tables = slices.Clone(tables)
	s.table.Store(fresh)
	return nil
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
