package access_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/access"
)

// What is printed fits together: the line is read, and the secret is the one
// that it is about.
func TestIssue(t *testing.T) {
	now := time.Date(2026, 11, 24, 6, 30, 15, 999, time.UTC)
	tests := []struct {
		name    string
		asked   access.Credential
		expires string
		want    time.Time
	}{
		{"token", access.Credential{Accounts: []string{"acme"}}, "", time.Time{}},
		{"accounts and name", access.Credential{Accounts: []string{"acme", "beta"}, Name: "ops"}, "", time.Time{}},
		{"key", access.Credential{Accounts: []string{"acme"}, Email: "Ops@example.org"}, "", time.Time{}},
		{"last day", access.Credential{Accounts: []string{"acme"}}, "2027-01-31", time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)},
		{"days", access.Credential{Accounts: []string{"acme"}}, "90d", time.Date(2027, 2, 22, 6, 30, 15, 0, time.UTC)},
		{"hours", access.Credential{Accounts: []string{"acme"}}, "1h30m", time.Date(2026, 11, 24, 8, 0, 15, 0, time.UTC)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var err error
			if tt.asked.Expires, err = access.ParseLifetime(tt.expires, now); err != nil {
				t.Fatal(err)
			}
			secret, made, err := access.Issue(tt.asked)
			if err != nil {
				t.Fatal(err)
			}
			read, err := access.Parse(made.String())
			if err != nil {
				t.Fatal(err)
			}
			want := access.Credential{
				Name: made.Name, Accounts: tt.asked.Accounts, Email: strings.ToLower(tt.asked.Email),
				Hash: access.HashOf(secret), Expires: tt.want,
			}
			if diff := cmp.Diff(want, read); diff != "" {
				t.Errorf("the line says (-want +got):\n%s", diff)
			}
			registry, err := access.NewRegistry(read)
			if err != nil {
				t.Fatal(err)
			}
			identify := func() (access.Credential, error) { return registry.Token(secret, now) }
			if tt.asked.Email != "" {
				identify = func() (access.Credential, error) { return registry.Key(tt.asked.Email, secret, now) }
			}
			if got, err := identify(); err != nil || got.Name != made.Name {
				t.Errorf("the secret is that of %q, %v", got.Name, err)
			}
			if tt.asked.Name != "" && made.Name != tt.asked.Name {
				t.Errorf("named %q, want %q", made.Name, tt.asked.Name)
			}
		})
	}
}
