package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/access"
)

// What is printed fits together: the line is read, and the secret is the one
// that it is about.
func TestNewToken(t *testing.T) {
	now := time.Date(2026, 11, 24, 6, 30, 15, 999, time.UTC)
	tests := []struct {
		name    string
		command newTokenCommand
		expires time.Time
	}{
		{"token", newTokenCommand{Accounts: []string{"acme"}}, time.Time{}},
		{"accounts and name", newTokenCommand{Accounts: []string{"acme", "beta"}, Name: "ops"}, time.Time{}},
		{"key", newTokenCommand{Accounts: []string{"acme"}, Email: "Ops@example.org"}, time.Time{}},
		{"last day", newTokenCommand{Accounts: []string{"acme"}, Expires: "2027-01-31"}, time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)},
		{"days", newTokenCommand{Accounts: []string{"acme"}, Expires: "90d"}, time.Date(2027, 2, 22, 6, 30, 15, 0, time.UTC)},
		{"hours", newTokenCommand{Accounts: []string{"acme"}, Expires: "1h30m"}, time.Date(2026, 11, 24, 8, 0, 15, 0, time.UTC)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			made, err := tt.command.make(now)
			if err != nil {
				t.Fatal(err)
			}
			read, err := access.Parse(made.Credential)
			if err != nil {
				t.Fatal(err)
			}
			want := access.Credential{
				Name: made.Name, Accounts: tt.command.Accounts, Email: strings.ToLower(tt.command.Email),
				Hash: access.HashOf(made.Secret), Expires: tt.expires,
			}
			if diff := cmp.Diff(want, read); diff != "" {
				t.Errorf("the line says (-want +got):\n%s", diff)
			}
			registry, err := access.NewRegistry(read)
			if err != nil {
				t.Fatal(err)
			}
			identify := func() (access.Credential, error) { return registry.Token(made.Secret, now) }
			if tt.command.Email != "" {
				identify = func() (access.Credential, error) { return registry.Key(tt.command.Email, made.Secret, now) }
			}
			if got, err := identify(); err != nil || got.Name != made.Name {
				t.Errorf("the secret is that of %q, %v", got.Name, err)
			}
			if tt.command.Name != "" && made.Name != tt.command.Name {
				t.Errorf("named %q, want %q", made.Name, tt.command.Name)
			}
		})
	}
}
