package access

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Issue makes a secret and returns it with its credential. A credential with an
// email address gets a key, others a token; one without a name is named after its
// first account and its hash. The error says what is wrong with the credential.
func Issue(c Credential) (secret string, issued Credential, err error) {
	secret = NewToken()
	if c.Email != "" {
		secret = NewKey()
	}
	c.Email, c.Hash = strings.ToLower(c.Email), HashOf(secret)
	if c.Name == "" && len(c.Accounts) > 0 {
		digits := strings.TrimPrefix(c.Hash.String(), hashScheme)
		c.Name = c.Accounts[0] + "-" + digits[:8]
	}
	if err := Check([]Credential{c}); err != nil {
		return "", Credential{}, err
	}
	return secret, c, nil
}

// ParseLifetime reads when a credential stops being good: a time as [ParseExpiry]
// reads it, or how long from now, such as 90d or 12h; zero for an empty text. What
// is past is an error.
func ParseLifetime(text string, now time.Time) (at time.Time, err error) {
	if text == "" {
		return at, nil
	}
	if at, err = ParseExpiry(text); err != nil {
		span, spanErr := lifetime(text)
		if spanErr != nil {
			return at, fmt.Errorf("%q %w; or how long from now, such as 90d or 12h", text, err)
		}
		at = now.Add(span).UTC().Truncate(time.Second)
	}
	if !at.After(now) {
		return at, fmt.Errorf("%q is in the past", text)
	}
	return at, nil
}

// maxLifetime bounds a lifetime: a hundred years are as good as for ever.
const maxLifetime = 36500 * 24 * time.Hour

// lifetime reads a duration, in days as well as in the units of Go.
func lifetime(text string) (time.Duration, error) {
	var span time.Duration
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, err
		}
		span = time.Duration(n) * 24 * time.Hour
	} else {
		var err error
		if span, err = time.ParseDuration(text); err != nil {
			return 0, err
		}
	}
	if span <= 0 || span > maxLifetime {
		return 0, errors.New("out of range")
	}
	return span, nil
}
