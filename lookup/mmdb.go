package lookup

import (
	"context"
	"fmt"
	"io"
	"net/netip"

	"github.com/oschwald/maxminddb-golang/v2"
)

// networksPerNode bounds the ways through a search tree. A tree has one more
// end than nodes; a file whose nodes are led to again and again, which is
// damaged or made to be so, has up to 2^128.
const networksPerNode = 16

// addMMDB adds the networks of a MaxMind DB that carry
// autonomous_system_number, as GeoLite2-ASN and GeoIP2-ISP do. They are copied
// to the table: a lookup there is as fast, files can be mixed, and a file that
// is overwritten while it is in use does no harm.
func (f *fileTable) addMMDB(ctx context.Context, name string, content io.Reader) error {
	database, err := io.ReadAll(content)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	reader, err := maxminddb.OpenBytes(database)
	if err != nil {
		return fmt.Errorf("%s: neither address ranges nor a MaxMind DB: %w", name, err)
	}
	defer reader.Close()
	networks, numbered := 0, 0
	most := networksPerNode * (int(reader.Metadata.NodeCount) + 1)
	// Also those without data: ways through the tree that end in nothing are
	// work as well.
	for network := range reader.Networks(maxminddb.IncludeNetworksWithoutData()) {
		networks++
		if networks > most {
			return fmt.Errorf("%s: more than %d networks in a search tree of %d nodes", name, most, reader.Metadata.NodeCount)
		}
		if networks%linesPerCheck == 0 && ctx.Err() != nil {
			return fmt.Errorf("%s: %w", name, ctx.Err())
		}
		// A pointer, to tell a database of something else from AS 0.
		var entry struct {
			ASN *uint32 `maxminddb:"autonomous_system_number"`
		}
		if err := network.Decode(&entry); err != nil {
			return fmt.Errorf("%s: network %v: %w", name, unmapped(network.Prefix()), err)
		}
		if entry.ASN == nil {
			continue
		}
		numbered++
		if err := f.add(unmapped(network.Prefix()), *entry.ASN); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if numbered == 0 {
		return fmt.Errorf("%s: a MaxMind DB (%s) without autonomous_system_number", name, reader.Metadata.DatabaseType)
	}
	return nil
}

// unmapped returns a prefix of IPv4-mapped addresses as one of IPv4.
func unmapped(prefix netip.Prefix) netip.Prefix {
	if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= 96 {
		return netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
	}
	return prefix
}
