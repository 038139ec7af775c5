package main

import (
	"encoding/json"
	"fmt"
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
	expires, err := access.ParseLifetime(c.Expires, time.Now())
	if err != nil {
		return fmt.Errorf("--expires: %w", err)
	}
	secret, made, err := access.Issue(access.Credential{Name: c.Name, Accounts: c.Accounts, Email: c.Email, Expires: expires})
	if err != nil {
		return err
	}
	if c.JSON {
		shown := newToken{Secret: secret, Credential: made.String(), Name: made.Name, Accounts: made.Accounts, Email: made.Email}
		if !expires.IsZero() {
			shown.Expires = expires.Format(time.RFC3339)
		}
		return json.NewEncoder(t.out).Encode(shown)
	}
	header := "Authorization: Bearer " + secret
	if made.Email != "" {
		header = "X-Auth-Email: " + made.Email + "\nX-Auth-Key: " + secret
	}
	_, err = fmt.Fprintf(t.out, "For the client, shown this once:\n\n%s\n\nFor the configuration:\n\ntoken:\n  - %s\n", header, made.String())
	return err
}
