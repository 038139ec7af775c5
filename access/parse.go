package access

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Parse reads a credential from a line of fields with blanks between, in any
// order:
//
//	account=ID      an account that it stands for; may be repeated
//	name=NAME       its name in logs and metrics
//	hash=sha256:HEX the hash of its secret
//	email=ADDRESS   makes it a key that goes with this address; without, a token
//	expires=WHEN    see [ParseExpiry]; without, it is good for ever
//
// No field can hold a blank or a comma, so lines can be joined to a list by
// commas. The error names the field at fault, and never repeats a secret.
func Parse(line string) (Credential, error) {
	if len(line) > maxLine {
		return Credential{}, fmt.Errorf("access: a credential must not be over %d bytes", maxLine)
	}
	var c Credential
	seen := map[string]bool{}
	for field := range strings.FieldsSeq(line) {
		name, value, ok := strings.Cut(field, "=")
		if !ok {
			return Credential{}, stray(field)
		}
		if seen[name] && name != "account" {
			return Credential{}, fault(name, "is given twice")
		}
		seen[name] = true
		if err := c.set(name, value); err != nil {
			return Credential{}, err
		}
	}
	if seen["email"] && c.Email == "" {
		return Credential{}, fault("email", "is empty")
	}
	if err := c.check(); err != nil {
		return Credential{}, err
	}
	return c, nil
}

// stray is the error for text that is no field. The secret itself in the place
// of its line is the likeliest mistake.
func stray(text string) error {
	if IsSecret(text) {
		return errors.New("access: this is a secret itself; configure the line that was printed with it")
	}
	return fmt.Errorf("access: %q is not a field; fields are %s", Redact(text), fields)
}

const fields = "account=, name=, hash=, email= and expires="

func (c *Credential) set(name, value string) (err error) {
	if IsSecret(value) {
		return fault(Redact(name), "is a secret itself, which is for the client only")
	}
	switch name {
	case "account":
		if len(c.Accounts) > MaxAccounts {
			return nil // check tells it
		}
		c.Accounts = append(c.Accounts, value)
	case "name":
		c.Name = value
	case "email":
		c.Email = strings.ToLower(value)
	case "hash":
		if c.Hash, err = ParseHash(value); err != nil {
			return fault(name, "%w", err)
		}
	case "expires":
		if c.Expires, err = ParseExpiry(value); err != nil {
			return fault(name, "%w", err)
		}
	default:
		return stray(name + "=")
	}
	return nil
}

// ParseExpiry reads a time of RFC 3339, or a date, which is the last day (UTC)
// that a credential is good for.
func ParseExpiry(text string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil && day.Year() >= minYear {
		return day.AddDate(0, 0, 1), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if at = at.UTC(); err != nil || at.Year() < minYear || at.Year() > maxYear {
		return time.Time{}, errors.New("must be a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z")
	}
	return at, nil
}

// Years that an expiry may be in: what four digits can write, in any zone.
const (
	minYear = 1970
	maxYear = 9999
)

// FormatExpiry writes what [ParseExpiry] reads: a date where that says it all.
func FormatExpiry(at time.Time) string {
	at = at.UTC()
	if day := at.AddDate(0, 0, -1); at.Equal(at.Truncate(24*time.Hour)) && day.Year() >= minYear {
		return day.Format(time.DateOnly)
	}
	return at.Format(time.RFC3339Nano)
}

func fault(field, format string, args ...any) error {
	return fmt.Errorf("access: %s: %w", field, fmt.Errorf(format, args...))
}
