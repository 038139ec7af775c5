//go:build linux

package e2e

import (
	"encoding/json"
	"os/exec"
	"testing"
)

// made is what `probe-agent token new` prints.
type made struct{ Secret, Credential string }

// newToken makes a token of that name for the account.
func newToken(t testing.TB, name, account string) (m made) {
	t.Helper()
	program := exec.CommandContext(t.Context(), "probe-agent", "token", "new", "--json", "--name", name, "--account", account)
	program.Env = environment()
	out, err := program.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// as returns the daemon as a client with that token meets it.
func (d *daemon) as(token made) *daemon {
	client := *d
	client.token = token.Secret
	return &client
}
