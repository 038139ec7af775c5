package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"probe-agent/access"
)

type tokenCommand struct {
	New newTokenCommand `cmd:"" help:"Make a token, or a key, and the line that the configuration needs for it."`
}

type newTokenCommand struct {
	Accounts []string `name:"account" required:"" placeholder:"ID" sep:"," help:"Account that it stands for: 1 to 32 letters, digits, - and _. May be repeated."`
	Name     string   `placeholder:"NAME" help:"Its name in logs and metrics. Default: the first account and a part of the hash."`
	Email    string   `placeholder:"ADDRESS" help:"Make a key that goes with this email address instead of a token."`
	Expires  string   `placeholder:"WHEN" help:"When it stops being good: the last day (2027-01-31), a time (2027-01-31T12:00:00Z), or how long from now (90d, 12h). Default: never."`
	JSON     bool     `name:"json" help:"Print JSON."`
}

// Help is the long description.
func (*newTokenCommand) Help() string {
	return "The secret is printed once and stored nowhere; the configuration holds its hash. " +
		"Nothing is changed: put the line under token: in the file of serve --config, and send SIGHUP."
}

// newToken is what was made, as JSON shows it.
type newToken struct {
	Secret     string   `json:"secret"`
	Credential string   `json:"credential"` // the line for the configuration
	Name       string   `json:"name"`
	Accounts   []string `json:"accounts"`
	Email      string   `json:"email,omitempty"`
	Expires    string   `json:"expires,omitempty"`
}

// Run makes one secret and prints it.
func (c *newTokenCommand) Run(t terminal) error {
	made, err := c.make(time.Now())
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(t.out).Encode(made)
	}
	header := "Authorization: Bearer " + made.Secret
	if made.Email != "" {
		header = "X-Auth-Email: " + made.Email + "\nX-Auth-Key: " + made.Secret
	}
	_, err = fmt.Fprintf(t.out, "For the client, shown this once:\n\n%s\n\nFor the configuration:\n\ntoken:\n  - %s\n", header, made.Credential)
	return err
}

func (c *newTokenCommand) make(now time.Time) (newToken, error) {
	secret := access.NewToken()
	if c.Email != "" {
		secret = access.NewKey()
	}
	expires, err := expiry(c.Expires, now)
	if err != nil {
		return newToken{}, fmt.Errorf("--expires: %w", err)
	}
	made := access.Credential{
		Name: c.Name, Accounts: c.Accounts, Email: strings.ToLower(c.Email), Hash: access.HashOf(secret), Expires: expires,
	}
	if made.Name == "" {
		digits := strings.TrimPrefix(made.Hash.String(), "sha256:")
		made.Name = c.Accounts[0] + "-" + digits[:8]
	}
	if err := access.Check([]access.Credential{made}); err != nil {
		return newToken{}, err
	}
	shown := newToken{Secret: secret, Credential: made.String(), Name: made.Name, Accounts: made.Accounts, Email: made.Email}
	if !expires.IsZero() {
		shown.Expires = expires.Format(time.RFC3339)
	}
	return shown, nil
}

// expiry reads a time, or a duration from now; zero for neither.
func expiry(text string, now time.Time) (at time.Time, err error) {
	if text == "" {
		return at, nil
	}
	if at, err = access.ParseExpiry(text); err != nil {
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
