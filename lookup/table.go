package lookup

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"github.com/gaissmai/bart"
)

// maxPrefixes bounds the memory of a table: several times what the Internet
// announces (1.3 million in 2026), some 300 MB.
const maxPrefixes = 8 << 20

// table maps addresses to AS numbers: the longest prefix of any file, of equal
// ones that of the later file. It is not changed once it is in use.
type table struct {
	files    []*fileTable
	loaded   time.Time
	loadTime time.Duration
}

// fileTable is what one file knows. AS 0, unannounced space (RFC 7607), stands
// in it only inside a prefix with a number, so that its addresses do not count
// as those of the prefix around it; it hides nothing of what another file knows.
type fileTable struct {
	prefixes    bart.Table[uint32]
	limit       int               // of prefixes
	unannounced []netip.Prefix    // entered while loading
	digest      [sha256.Size]byte // of the file as it was read, before unpacking
}

// lookup returns the AS number of addr, which is 0 when it is not known.
func (t *table) lookup(addr netip.Addr) uint32 {
	var (
		asn     uint32
		longest = -1
	)
	if !addr.IsValid() {
		return 0
	}
	for _, file := range t.files {
		prefix, number, ok := file.prefixes.LookupPrefixLPM(netip.PrefixFrom(addr, addr.BitLen()))
		if ok && number != 0 && prefix.Bits() >= longest {
			asn, longest = number, prefix.Bits()
		}
	}
	return asn
}

// size returns the number of prefixes.
func (t *table) size() int {
	sum := 0
	for _, file := range t.files {
		sum += file.prefixes.Size()
	}
	return sum
}

// add enters a prefix. Of equal ones the last counts.
func (f *fileTable) add(prefix netip.Prefix, asn uint32) error {
	if f.prefixes.Size() >= f.limit {
		return fmt.Errorf("more than %d prefixes", f.limit)
	}
	f.prefixes.Insert(prefix, asn)
	if asn == 0 {
		f.unannounced = append(f.unannounced, prefix)
	}
	return nil
}

// finish removes the unannounced prefixes that are inside no other.
func (f *fileTable) finish() {
	for _, prefix := range f.unannounced {
		inside := false
		for _, asn := range f.prefixes.Supernets(prefix) { // and itself
			inside = inside || asn != 0
		}
		if !inside {
			f.prefixes.Delete(prefix)
		}
	}
	f.unannounced = nil
}

// Tables are the AS numbers of address ranges, as files told them. They are
// not changed any more. The zero value knows none.
type Tables struct{ table *table }

// Open opens a file for reading. The context holds for the reading too. The error
// names the file.
type Open func(ctx context.Context, path string) (io.ReadCloser, error)

func openFile(_ context.Context, path string) (io.ReadCloser, error) { return os.Open(path) }

// LoadTables reads files as Config.Tables has them, which takes a second or two
// for those of the whole Internet. They are opened by open, or os.Open if that
// is nil. The error names the file and, of text, the line, or is ctx's when ctx
// ended first.
func LoadTables(ctx context.Context, open Open, files ...string) (Tables, error) {
	return Tables{}.Reload(ctx, open, files...)
}

// Reload is LoadTables, but shares with t the tables of files whose content is
// the same as when t was loaded. Such a file takes no memory and some 0.1 s; one
// that has changed is in memory twice until t is no longer used, and is read
// twice.
func (t Tables) Reload(ctx context.Context, open Open, files ...string) (Tables, error) {
	if len(files) == 0 {
		return Tables{}, nil
	}
	if open == nil {
		open = openFile
	}
	loaded, err := loadTable(ctx, open, files, t.table)
	if err != nil {
		return Tables{}, err
	}
	return Tables{loaded}, nil
}

// UseTables answers from other tables from now on.
func (s *Service) UseTables(t Tables) {
	if t.table == nil {
		t.table = &table{}
	}
	s.table.Store(t.table)
}

// loadTable loads files, of which before, which may be nil, knows some already.
func loadTable(ctx context.Context, open Open, files []string, before *table) (*table, error) {
	t := &table{loaded: time.Now()}
	for _, path := range files {
		limit := maxPrefixes - t.size()
		file, err := before.unchanged(ctx, open, path)
		if err == nil && (file == nil || file.prefixes.Size() > limit) {
			file = &fileTable{limit: limit}
			err = file.load(ctx, open, path)
		}
		if err != nil {
			return nil, fmt.Errorf("lookup: %w", err)
		}
		t.files = append(t.files, file)
	}
	t.loadTime = time.Since(t.loaded)
	return t, nil
}

// unchanged returns the table of t that was read from the content which the file
// at path has, or nil. The content counts rather than the file's times, which
// are too coarse to show every change.
func (t *table) unchanged(ctx context.Context, open Open, path string) (*fileTable, error) {
	if t == nil || len(t.files) == 0 {
		return nil, nil //nolint:nilnil // no table has the content
	}
	file, err := open(ctx, path)
	if err != nil {
		return nil, err // names the file
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(file, maxTableFile+1)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	digest := [sha256.Size]byte(sum.Sum(nil))
	for _, known := range t.files {
		if known.digest == digest {
			return known, nil
		}
	}
	return nil, nil //nolint:nilnil // no table has the content
}
