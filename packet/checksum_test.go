package packet

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestSumExample is the example of RFC 1071 section 3.
func TestSumExample(t *testing.T) {
	b := []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}
	if got := fold(sum(b)); got != 0xddf2 {
		t.Errorf("sum %#x, want 0xddf2", got)
	}
}

// TestSumWordByWord compares with the definition.
func TestSumWordByWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "b")
		var want uint32
		for i := range b {
			word := uint32(b[i])
			if i%2 == 0 {
				word <<= 8
			}
			if want += word; want > 0xffff {
				want -= 0xffff
			}
		}
		if got := fold(sum(b)); uint32(got) != want {
			t.Fatalf("sum %#x, want %#x", got, want)
		}
	})
}

// TestSumCarries adds up nothing but carries: ones are 0 modulo 2^16-1.
func TestSumCarries(t *testing.T) {
	for n := 2; n <= 200; n += 2 {
		if got := fold(sum(bytes.Repeat([]byte{0xff}, n))); got != 0xffff {
			t.Errorf("%d bytes of ones: %#x", n, got)
		}
	}
}

func TestFoldKeepsZeroApart(t *testing.T) {
	for _, test := range []struct {
		in   uint64
		want uint16
	}{{0, 0}, {0xffff, 0xffff}, {0x10000, 1}, {0xffffffff, 0xffff}, {1<<64 - 1, 0xffff}, {0x1fffe, 0xffff}} {
		if got := fold(test.in); got != test.want {
			t.Errorf("fold(%#x) = %#x, want %#x", test.in, got, test.want)
		}
	}
}
