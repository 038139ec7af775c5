package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func at(t testing.TB, text string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func parse(t testing.TB, line string) Credential {
	t.Helper()
	c, err := Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestIdentify(t *testing.T) {
	token, other, brief, key, second := NewToken(), NewToken(), NewToken(), NewKey(), NewKey()
	line := func(name, secret, more string) Credential {
		return parse(t, "account=acme name="+name+" hash="+HashOf(secret).String()+more)
	}
	registry, err := NewRegistry(
		line("token", token, ""),
		line("brief", brief, " expires=2027-01-31"),
		line("key", key, " email=Ops@example.org"),
		line("second", second, " email=ops@example.org"), // keys of one address, while one replaces the other
	)
	if err != nil {
		t.Fatal(err)
	}
	now := at(t, "2027-01-31T23:59:59Z")
	tests := []struct {
		name               string
		email, secret      string
		now                time.Time
		want               string // name of the credential
		unknown, isExpired bool
	}{
		{name: "token", secret: token, now: now, want: "token"},
		{name: "token of nobody", secret: other, now: now, unknown: true},
		{name: "no token", now: now, unknown: true},
		{name: "a key as a token", secret: key, now: now, unknown: true},
		{name: "its hash as a token", secret: HashOf(token).String(), now: now, unknown: true},
		{name: "last second", secret: brief, now: now, want: "brief"},
		{name: "expired", secret: brief, now: now.Add(time.Second), want: "brief", isExpired: true},
		{name: "key", email: "ops@example.org", secret: key, now: now, want: "key"},
		{name: "second key", email: "ops@example.org", secret: second, now: now, want: "second"},
		{name: "address in capitals", email: "OPS@Example.ORG", secret: key, now: now, want: "key"},
		{name: "key of another address", email: "eve@example.org", secret: key, now: now, unknown: true},
		{name: "token as a key", email: "ops@example.org", secret: token, now: now, unknown: true},
		{name: "no key", email: "ops@example.org", now: now, unknown: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := registry.Token(tt.secret, tt.now)
			if tt.email != "" {
				got, err = registry.Key(tt.email, tt.secret, tt.now)
			}
			if errors.Is(err, ErrUnknown) != tt.unknown || errors.Is(err, ErrExpired) != tt.isExpired || got.Name != tt.want {
				t.Errorf("%q, %v", got.Name, err)
			}
		})
	}
	if _, err := registry.Key("", token, now); !errors.Is(err, ErrUnknown) {
		t.Errorf("a token, presented as a key without an address: %v", err)
	}
}

func TestReplace(t *testing.T) {
	first, second := NewToken(), NewToken()
	line := func(name, secret string) Credential {
		return parse(t, "account=acme name="+name+" hash="+HashOf(secret).String())
	}
	var registry Registry
	if !registry.Empty() {
		t.Error("the zero registry is not empty")
	}
	if err := registry.Replace([]Credential{line("one", first)}); err != nil {
		t.Fatal(err)
	}
	many := make([]Credential, MaxCredentials+1)
	tests := []struct {
		name        string
		credentials []Credential
		want        string
	}{
		{"name twice", []Credential{line("a", first), line("a", second)}, `access: name: "a" is given to two credentials`},
		{"hash twice", []Credential{line("a", first), line("b", first)}, `access: hash: "a" and "b" have the same`},
		{"incomplete", []Credential{{Name: "a"}}, "access: account: is missing"},
		{"too many", many, "access: 1025 credentials, at most 1024"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := registry.Replace(tt.credentials); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
			if c, err := registry.Token(first, time.Now()); err != nil || c.Name != "one" {
				t.Errorf("those before are no longer in force: %q, %v", c.Name, err)
			}
		})
	}
	if err := registry.Replace([]Credential{line("two", second)}); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Token(first, time.Now()); !errors.Is(err, ErrUnknown) {
		t.Errorf("the replaced token is still good: %v", err)
	}
	if diff := cmp.Diff([]Credential{line("two", second)}, registry.Credentials()); diff != "" {
		t.Errorf("in force (-want +got):\n%s", diff)
	}
}

// While credentials are replaced all the time, one that is in every set is
// always good, and one that is in none never is.
func TestReplaceWhileAsked(t *testing.T) {
	steady, never := NewToken(), NewToken()
	set := func(extra int) []Credential {
		all := []Credential{parse(t, "account=acme name=steady hash="+HashOf(steady).String())}
		for i := range extra {
			all = append(all, parse(t, fmt.Sprintf("account=acme name=n%d hash=%v", i, HashOf(NewToken()))))
		}
		return all
	}
	registry, err := NewRegistry(set(0)...)
	if err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for range 500 {
				if c, err := registry.Token(steady, time.Now()); err != nil || c.Name != "steady" {
					t.Errorf("steady: %q, %v", c.Name, err)
					return
				}
				if _, err := registry.Token(never, time.Now()); !errors.Is(err, ErrUnknown) {
					t.Errorf("never: %v", err)
					return
				}
			}
		})
	}
	for i := range 50 {
		if err := registry.Replace(set(i)); err != nil {
			t.Error(err)
		}
	}
	asking.Wait()
}

func TestPrincipal(t *testing.T) {
	if p := PrincipalOf(context.Background()); !p.Anonymous() {
		t.Errorf("nobody is %+v", p)
	}
	want := Principal{Token: "ops", Account: "acme"}
	if p := PrincipalOf(WithPrincipal(context.Background(), want)); p != want || p.Anonymous() {
		t.Errorf("%+v, want %+v", p, want)
	}
}

func BenchmarkIdentify(b *testing.B) {
	for _, n := range []int{10, MaxCredentials} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			all := make([]Credential, n)
			for i := range all {
				all[i] = parse(b, fmt.Sprintf("account=acme name=n%d hash=%v", i, HashOf(NewToken())))
			}
			registry, err := NewRegistry(all...)
			if err != nil {
				b.Fatal(err)
			}
			wrong, now := NewToken(), time.Now()
			for b.Loop() {
				if _, err := registry.Token(wrong, now); err == nil {
					b.Fatal("identified")
				}
			}
		})
	}
}
