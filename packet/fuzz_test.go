package packet

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// seeds are whole IP packets of every kind: the golden ones, and errors with
// extensions.
func seeds(t testing.TB) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	for _, dir := range []string{"probe", "reply", "extension"} {
		entries, err := os.ReadDir(filepath.Join("testdata", dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			all[dir+"/"+strings.TrimSuffix(entry.Name(), ".hex")] = readHex(t, dir, entry.Name())
		}
	}
	objects := append(object(2, 0x4f, append([]byte{0, 0, 0, 7, 0, 1, 0, 0, 192, 0, 2, 7, 8}, "eth0\x00\x00\x00\x00\x00\x05\xdc"...)...), object(1, 1, 5, 0xdc, 0x11, 1)...)
	objects = append(objects, object(9, 9, 1, 2, 3)...)
	for i, family := range families {
		length := [][4]byte{{1: 32}, {0: 16}}[i]
		mpls := unhex(t, mplsStructure)
		all["rfc4884-mpls-"+family.name] = timeExceeded(t, family.router, family.source, length, padded(t, i, 128), mpls...)
		all["fixed-mpls-"+family.name] = timeExceeded(t, family.router, family.source, [4]byte{}, padded(t, i, 128), mpls...)
		all["rfc4884-objects-"+family.name] = timeExceeded(t, family.router, family.source, length, padded(t, i, 128), structure(objects...)...)
	}
	return all
}

// FuzzParseIPv4 feeds any bytes in place of an IPv4 packet.
func FuzzParseIPv4(f *testing.F) {
	for _, b := range seeds(f) {
		if b[0]>>4 == 4 {
			f.Add(b, true)
			f.Add(b, false)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, mend bool) {
		if mend { // so that the fuzzer gets past the ICMP checksum
			mendICMPv4(b)
		}
		checkParse(t, Incoming{Bytes: b})
	})
}

func mendICMPv4(b []byte) {
	if len(b) < ipv4HeaderLen {
		return
	}
	headerLen := int(b[0]&0x0f) * 4
	total := int(b[ipv4TotalLen])<<8 | int(b[ipv4TotalLen+1])
	if headerLen+icmpHeaderLen > total || total > len(b) || b[ipv4Protocol] != protocolICMP {
		return
	}
	message := b[headerLen:total]
	message[icmpChecksum], message[icmpChecksum+1] = 0, 0
	c := ^fold(sum(message))
	message[icmpChecksum], message[icmpChecksum+1] = uint8(c>>8), uint8(c)
}

// FuzzParseIPv6 feeds any bytes in place of what follows an IPv6 header.
func FuzzParseIPv6(f *testing.F) {
	for _, b := range seeds(f) {
		if b[0]>>4 == 6 {
			f.Add(b[ipv6NextHeader], b[ipv6HeaderLen:])
		}
	}
	f.Fuzz(func(t *testing.T, protocol uint8, b []byte) {
		checkParse(t, Incoming{IPv6: true, Protocol: protocol, Bytes: b, From: families[1].router, To: families[1].source, HopLimit: 61})
	})
}

// checkParse holds Parse to what it promises of any packet.
func checkParse(t *testing.T, in Incoming) {
	t.Helper()
	original := bytes.Clone(in.Bytes)
	exact, roomy := new(Reply), new(Reply)
	in.Bytes = bytes.Clone(original)[:len(original):len(original)]
	err := Parse(&in, exact)
	if !bytes.Equal(in.Bytes, original) {
		t.Fatal("the packet was changed")
	}
	// What lies behind the packet in its buffer must not matter.
	in.Bytes = append(bytes.Clone(original), bytes.Repeat([]byte{0x20, 0, 0xff, 8, 1, 1}, 50)...)[:len(original)]
	roomy.Extensions = Extensions{nMPLS: 1, nInterface: 1, nObject: 1}
	roomy.Quote.HasTag = true
	if again := Parse(&in, roomy); again != err {
		t.Fatalf("%v, but %v with more behind it", err, again)
	}
	if err != nil {
		if err != ErrTruncated && err != ErrMalformed && err != ErrForeign {
			t.Fatalf("error %v", err)
		}
		if exact.Kind != 0 {
			t.Fatalf("kind %v with error %v", exact.Kind, err)
		}
		return
	}
	if diff := cmp.Diff(exact, roomy, replyOptions()); diff != "" {
		t.Fatalf("read beyond the packet (-exact +roomy):\n%s", diff)
	}
	checkReply(t, exact, &in)
}

// checkReply holds what is true of every reply.
func checkReply(t *testing.T, r *Reply, in *Incoming) {
	t.Helper()
	e := &r.Extensions
	if len(e.MPLS()) > MaxMPLS || len(e.Interfaces()) > MaxInterfaces || len(e.Objects()) > MaxObjects {
		t.Fatal("more extensions than there is room for")
	}
	checkClone(t, e, in)
	for _, i := range e.Interfaces() {
		if int(i.NameLen) > len(i.Name) || i.Role > 3 {
			t.Fatalf("%+v", i)
		}
	}
	switch {
	case r.Kind < EchoReply || r.Kind > Decapsulated:
		t.Fatalf("kind %v", r.Kind)
	case !r.Kind.IsError() && (r.Quote != Quote{} || !e.Empty()):
		t.Fatalf("%v with a quote or extensions", r.Kind)
	case r.Kind.IsError() && r.Quote.Source.Is6() != in.IPv6:
		t.Fatal("a quote of the other family")
	case r.From.Is4() == in.IPv6 || r.From == netip.Addr{}:
		t.Fatalf("from %v", r.From)
	case r.Quote.Tag == 0 && r.Quote.HasTag:
		t.Fatal("a quoted tag of zero")
	case r.Quote.FlowLabel > maxFlowLabel:
		t.Fatalf("flow label %#x", r.Quote.FlowLabel)
	}
}

// checkClone: what is kept of a reply's extensions is all of them, points into
// no packet, and is no larger than the packet was, whatever its lengths say.
func checkClone(t *testing.T, e *Extensions, in *Incoming) {
	t.Helper()
	c := e.Clone()
	if diff := cmp.Diff(e, c, replyOptions()); diff != "" {
		t.Fatalf("clone (-reply +clone):\n%s", diff)
	}
	kept := 0
	for i, o := range c.Objects() {
		kept += cap(o.Data)
		if len(o.Data) > 0 && &o.Data[0] == &e.Objects()[i].Data[0] {
			t.Fatal("a clone points into the packet")
		}
	}
	// Go rounds what it allocates up to sizes of its own: at most 16 bytes for
	// a small object, an eighth for a larger one.
	if most := len(in.Bytes)*9/8 + 16*len(c.Objects()); kept > most {
		t.Fatalf("%d bytes kept of a packet of %d", kept, len(in.Bytes))
	}
}

// TestExtensionsAreBounded: as many objects, entries and bytes as fit into the
// largest packet make Parse allocate nothing, and Clone once for each object
// that it keeps and once for itself.
func TestExtensionsAreBounded(t *testing.T) {
	full := map[string][]byte{}
	for name, one := range map[string][]byte{
		"empty objects":    object(9, 9),
		"labels":           object(1, 1, bytes.Repeat([]byte{1, 2, 3, 4}, 100)...),
		"interfaces":       object(2, 8, 0, 0, 0, 1),
		"objects of a kB":  object(200, 1, make([]byte, 1000)...),
		"one large object": object(200, 1, make([]byte, 60_000)...),
	} {
		full[name] = structure(bytes.Repeat(one, 60_100/len(one))...)
	}
	for name, objects := range full {
		for i, family := range families {
			length := [][4]byte{{1: 32}, {0: 16}}[i]
			in := received(timeExceeded(t, family.router, family.source, length, padded(t, i, 128), objects...))
			r := new(Reply)
			if err := Parse(in, r); err != nil || r.Extensions.Empty() {
				t.Fatalf("%s, %s: %v, %+v", name, family.name, err, r.Extensions)
			}
			if n := testing.AllocsPerRun(20, func() { _ = Parse(in, r) }); n != 0 {
				t.Errorf("%s, %s: Parse allocates %v times", name, family.name, n)
			}
			if n := testing.AllocsPerRun(20, func() { _ = r.Extensions.Clone() }); n > 1+MaxObjects {
				t.Errorf("%s, %s: Clone allocates %v times", name, family.name, n)
			}
			checkReply(t, r, in)
		}
	}
}

// TestParseCutAnywhere cuts every seed at every length; the IPv4 total length
// is cut along, so that the cut is seen by what lies behind.
func TestParseCutAnywhere(t *testing.T) {
	for _, b := range seeds(t) {
		for n := range b {
			cut := bytes.Clone(b[:n])
			if b[0]>>4 == 6 {
				if n >= ipv6HeaderLen {
					checkParse(t, *received(cut))
				}
				continue
			}
			checkParse(t, Incoming{Bytes: cut})
			if n >= ipv4HeaderLen {
				cut[ipv4TotalLen], cut[ipv4TotalLen+1] = uint8(n>>8), uint8(n)
				mendICMPv4(cut)
				checkParse(t, Incoming{Bytes: cut})
			}
		}
	}
}
