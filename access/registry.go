package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// MaxCredentials bounds a Registry: every identification looks at all of them,
// which takes some tens of µs at this number.
const MaxCredentials = 1024

// What Identify may find wrong.
var (
	// ErrUnknown says that nobody has such a secret, or not with that address.
	ErrUnknown = errors.New("access: unknown credential")
	// ErrExpired says that the secret was good once. Only who has it is told.
	ErrExpired = errors.New("access: expired credential")
)

// Registry holds the credentials in force. It is safe for concurrent use. The
// zero value holds none.
type Registry struct{ current atomic.Pointer[[]entry] }

type entry struct {
	Credential

	email Hash // of the address; of nothing for a token
}

// NewRegistry returns a Registry of credentials; see Replace for what it
// refuses.
func NewRegistry(credentials ...Credential) (*Registry, error) {
	r := new(Registry)
	err := r.Replace(credentials)
	return r, err
}

// Check returns nil when credentials can be in force together: each correct by
// itself, no name and no hash twice, at most MaxCredentials. The error names
// what is at fault.
func Check(credentials []Credential) error {
	if len(credentials) > MaxCredentials {
		return fmt.Errorf("access: %d credentials, at most %d are allowed", len(credentials), MaxCredentials)
	}
	names, hashes := map[string]bool{}, map[Hash]string{}
	for _, c := range credentials {
		if err := c.check(); err != nil {
			return err
		}
		if names[c.Name] {
			return fault("name", "%q is given to two credentials", c.Name)
		}
		if other, twice := hashes[c.Hash]; twice {
			return fault("hash", "%q and %q have the same", other, c.Name)
		}
		names[c.Name], hashes[c.Hash] = true, c.Name
	}
	return nil
}

// Replace puts credentials in force, at once for every identification that
// begins later. When Check refuses them, those before stay in force and its
// error is returned.
func (r *Registry) Replace(credentials []Credential) error {
	if err := Check(credentials); err != nil {
		return err
	}
	table := make([]entry, len(credentials))
	for i, c := range credentials {
		c.Accounts = slices.Clone(c.Accounts)
		c.Email = strings.ToLower(c.Email)
		table[i] = entry{Credential: c, email: HashOf(c.Email)}
	}
	r.current.Store(&table)
	return nil
}

// Credentials returns what is in force. The caller must not change it.
func (r *Registry) Credentials() []Credential {
	var all []Credential
	for _, e := range r.table() {
		all = append(all, e.Credential)
	}
	return all
}

// Empty reports whether there are no credentials at all, not even expired ones.
func (r *Registry) Empty() bool { return len(r.table()) == 0 }

func (r *Registry) table() []entry {
	if table := r.current.Load(); table != nil {
		return *table
	}
	return nil
}

// Token returns the credential whose token was presented at now. The error is
// ErrUnknown, or ErrExpired with the credential that it is about.
func (r *Registry) Token(token string, now time.Time) (Credential, error) {
	if !isSecret(token, TokenPrefix) {
		return Credential{}, ErrUnknown
	}
	return r.identify("", token, now)
}

// Key returns the credential whose key was presented at now, along with its
// email address. The error is as of Token.
func (r *Registry) Key(email, key string, now time.Time) (Credential, error) {
	if email == "" || !isSecret(key, KeyPrefix) {
		return Credential{}, ErrUnknown
	}
	return r.identify(strings.ToLower(email), key, now)
}

// identify compares with every credential, in full, whichever it is: how long
// it takes tells neither whether an address exists nor how much of a hash was
// right.
func (r *Registry) identify(email, secret string, now time.Time) (Credential, error) {
	table := r.table()
	hash, emailHash := HashOf(secret), Hash(sha256.Sum256([]byte(email)))
	found := -1
	for i := range table {
		same := subtle.ConstantTimeCompare(table[i].Hash[:], hash[:]) & subtle.ConstantTimeCompare(table[i].email[:], emailHash[:])
		found = subtle.ConstantTimeSelect(same, i, found)
	}
	if found < 0 {
		return Credential{}, ErrUnknown
	}
	c := table[found].Credential
	if c.Expired(now) {
		return c, ErrExpired
	}
	return c, nil
}
