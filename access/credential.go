package access

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bounds of a credential.
const (
	MaxName     = 64  // bytes of a name
	MaxAccount  = 32  // bytes of an account id
	MaxAccounts = 64  // accounts of one credential
	MaxEmail    = 254 // bytes of an email address, RFC 5321 section 4.5.3.1.3
	maxLine     = 4 << 10
)

// Credential is one thing that a client can identify itself with.
type Credential struct {
	// Name tells the credential apart in logs and metrics: 1 to MaxName
	// letters, digits, dots, hyphens and underscores. It is no secret.
	Name string
	// Accounts are what the credential may ask for, at least one; the first
	// is its own where a request names none.
	Accounts []string
	// Email goes with a key and is compared without regard to case; it is
	// empty for a token.
	Email string
	// Hash is that of the token or the key.
	Hash Hash
	// Expires is when the credential stops being good; zero means never.
	Expires time.Time
}

// Permits reports whether the credential stands for account.
func (c *Credential) Permits(account string) bool { return slices.Contains(c.Accounts, account) }

// Expired reports whether the credential is no longer good at now.
func (c *Credential) Expired(now time.Time) bool {
	return !c.Expires.IsZero() && !now.Before(c.Expires)
}

// String returns the line that [Parse] reads. It holds no secret.
func (c *Credential) String() string {
	var fields []string
	for _, account := range c.Accounts {
		fields = append(fields, "account="+account)
	}
	fields = append(fields, "name="+c.Name)
	if c.Email != "" {
		fields = append(fields, "email="+c.Email)
	}
	fields = append(fields, "hash="+c.Hash.String())
	if !c.Expires.IsZero() {
		fields = append(fields, "expires="+FormatExpiry(c.Expires))
	}
	return strings.Join(fields, " ")
}

// check says what is wrong with the fields of c, naming the first such field.
func (c *Credential) check() error {
	switch n := len(c.Accounts); {
	case n == 0:
		return fault("account", "is missing; give at least one")
	case n > MaxAccounts:
		return fault("account", "is given %d times, at most %d are allowed", n, MaxAccounts)
	}
	for i, account := range c.Accounts {
		if err := CheckAccount(account); err != nil {
			return fault("account", "%w", err)
		}
		if slices.Contains(c.Accounts[:i], account) {
			return fault("account", "%q is given twice", account)
		}
	}
	if err := checkName(c.Name); err != nil {
		return err
	}
	if c.Email != "" {
		if err := checkEmail(c.Email); err != nil {
			return err
		}
	}
	if c.Hash == (Hash{}) {
		return fault("hash", "is missing")
	}
	return nil
}

// CheckAccount returns nil when id has the form of an account id: 1 to
// MaxAccount letters, digits, hyphens and underscores.
func CheckAccount(id string) error {
	if id == "" || len(id) > MaxAccount || strings.ContainsFunc(id, notIn("-_")) {
		return fmt.Errorf("must be 1 to %d letters, digits, - and _", MaxAccount)
	}
	return nil
}

func checkName(name string) error {
	if name == "" {
		return fault("name", "is missing")
	}
	if len(name) > MaxName || strings.ContainsFunc(name, notIn("-_.")) {
		return fault("name", "must be 1 to %d letters, digits, - _ and .", MaxName)
	}
	return nil
}

// checkEmail accepts every address that people have, and nothing that would
// break a line or a list: it is compared, never sent to.
func checkEmail(email string) error {
	local, domain, ok := strings.Cut(email, "@")
	odd := func(c rune) bool { return c <= ' ' || c > '~' || c == ',' || c == '@' }
	if !ok || local == "" || domain == "" || len(email) > MaxEmail || strings.ContainsFunc(local+domain, odd) {
		return fault("email", "must be an address of at most %d ASCII characters without blanks and commas", MaxEmail)
	}
	return nil
}

// notIn returns what tells the characters that are neither ASCII letters nor
// digits nor in extra.
func notIn(extra string) func(rune) bool {
	return func(c rune) bool { return !isAlphanumeric(c) && !strings.ContainsRune(extra, c) }
}

func isAlphanumeric(c rune) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
