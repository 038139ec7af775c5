package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"
)

// A secret is a prefix that names its kind, 256 random bits in base 62, and a
// CRC-32 of both in base 62. The prefix lets scanners of source code find it,
// by the pattern pag[tk]_[0-9A-Za-z]{49}; the checksum tells a mistyped secret
// from a revoked one without knowing any.
const (
	TokenPrefix = "pagt_"
	KeyPrefix   = "pagk_"

	randomLength   = 43 // digits: 62^43 > 2^256
	checksumLength = 6  // digits: 62^6 > 2^32
	secretLength   = len(TokenPrefix) + randomLength + checksumLength
	base           = 62
)

// Hash is the SHA-256 of a secret. It is enough, without salt or stretching,
// because a secret has 256 bits of randomness: there is nothing to guess.
type Hash [sha256.Size]byte

const hashScheme = "sha256:"

// String returns sha256: and 64 hexadecimal digits.
func (h Hash) String() string { return hashScheme + hex.EncodeToString(h[:]) }

// ParseHash reads what String writes. The error does not repeat the text.
func ParseHash(text string) (Hash, error) {
	var h Hash
	digits, ok := strings.CutPrefix(text, hashScheme)
	if !ok {
		return h, fmt.Errorf("must start with %s", hashScheme)
	}
	if len(digits) != hex.EncodedLen(len(h)) {
		return h, fmt.Errorf("must have %d hexadecimal digits, has %d characters", hex.EncodedLen(len(h)), len(digits))
	}
	if _, err := hex.Decode(h[:], []byte(digits)); err != nil {
		return h, errors.New("must have hexadecimal digits only")
	}
	if h == (Hash{}) {
		return h, errors.New("is all zero, which is the hash of nothing")
	}
	return h, nil
}

// HashOf returns the hash of a secret.
func HashOf(secret string) Hash { return sha256.Sum256([]byte(secret)) }

// NewToken returns a token that nobody had before.
func NewToken() string { return newSecret(TokenPrefix) }

// NewKey returns a key, to go with an email address, that nobody had before.
func NewKey() string { return newSecret(KeyPrefix) }

func newSecret(prefix string) string {
	var random [sha256.Size]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	body := prefix + digits(new(big.Int).SetBytes(random[:]), randomLength)
	return body + checksum(body)
}

func checksum(text string) string {
	return digits(big.NewInt(int64(crc32.ChecksumIEEE([]byte(text)))), checksumLength)
}

func digits(n *big.Int, length int) string {
	text := n.Text(base)
	return strings.Repeat("0", length-len(text)) + text
}

// IsSecret reports whether text has the form of a token or a key.
func IsSecret(text string) bool { return isSecret(text, TokenPrefix) || isSecret(text, KeyPrefix) }

func isSecret(text, prefix string) bool {
	if len(text) != secretLength || !strings.HasPrefix(text, prefix) || strings.ContainsFunc(text, notIn("_")) {
		return false
	}
	at := len(text) - checksumLength
	return checksum(text[:at]) == text[at:]
}

// Redact returns text with whatever looks like the start of a secret cut out,
// for messages that repeat what somebody wrote.
func Redact(text string) string {
	for _, prefix := range []string{TokenPrefix, KeyPrefix} {
		parts := strings.Split(text, prefix)
		for i := range parts[1:] {
			parts[i+1] = "…" + strings.TrimLeftFunc(parts[i+1], isAlphanumeric)
		}
		text = strings.Join(parts, prefix)
	}
	return text
}
