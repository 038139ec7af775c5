package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/access"
	"probe-agent/api/envelope"
	"probe-agent/traceroute"
)

// keyring is credentials for tests: secrets by name, and the registry.
type keyring struct {
	secrets  map[string]string
	registry *access.Registry
}

// newKeyring has the tokens ops (accounts acme and beta), old (expired) and
// brief (good for an hour), and a key of ops@example.org.
func newKeyring(t testing.TB) keyring {
	t.Helper()
	k := keyring{map[string]string{"ops": access.NewToken(), "old": access.NewToken(), "brief": access.NewToken(), "key": access.NewKey()}, nil}
	now := time.Now()
	credentials := []access.Credential{
		{Name: "ops", Accounts: []string{"acme", "beta"}},
		{Name: "old", Accounts: []string{"acme"}, Expires: now},
		{Name: "brief", Accounts: []string{"acme"}, Expires: now.Add(time.Hour)},
		{Name: "key", Accounts: []string{"acme"}, Email: "ops@example.org"},
	}
	for i := range credentials {
		credentials[i].Hash = access.HashOf(k.secrets[credentials[i].Name])
	}
	var err error
	if k.registry, err = access.NewRegistry(credentials...); err != nil {
		t.Fatal(err)
	}
	return k
}

// shown replaces the names of secrets in braces by the secrets.
func (k keyring) shown(text string) string {
	for name, secret := range k.secrets {
		text = strings.ReplaceAll(text, "{"+name+"}", secret)
	}
	return text
}

func pathOf(account string) string {
	return "/client/v4/accounts/" + account + "/diagnostics/traceroute"
}

// Every way to show credentials, through a real server.
func TestAuthentication(t *testing.T) {
	k := newKeyring(t)
	const wrong = "pagt_0000000000000000000000000000000000000000000000000"
	bearer := func(value string) []string { return []string{"Authorization: " + value} }
	tests := []struct {
		name    string
		account string // default acme
		headers []string
		status  int
		code    int    // of the first error; 0 when there is none
		words   string // a hint in messages, or the reason in the error
	}{
		{"token", "", bearer("Bearer {ops}"), 200, 0, ""},
		{"second account", "beta", bearer("Bearer {ops}"), 200, 0, ""},
		{"lower-case scheme", "", bearer("bearer {ops}"), 200, 0, ""},
		{"upper-case scheme", "", bearer("BEARER {ops}"), 200, 0, ""},
		{"several blanks", "", bearer("Bearer    {ops}"), 200, 0, ""},
		{"blanks around", "", bearer("   Bearer {ops}   "), 200, 0, ""},
		{"header in lower case", "", []string{"authorization: Bearer {ops}"}, 200, 0, ""},
		{"token still good", "", bearer("Bearer {brief}"), 200, 0, ""},
		{"key", "", []string{"X-Auth-Email: ops@example.org", "X-Auth-Key: {key}"}, 200, 0, ""},
		{"address in capitals", "", []string{"X-Auth-Email: OPS@EXAMPLE.org", "X-Auth-Key: {key}"}, 200, 0, ""},
		{"token beside a wrong key", "", []string{"Authorization: Bearer {ops}", "X-Auth-Email: ops@example.org", "X-Auth-Key: x"}, 200, 0, ""},

		{"nothing", "", nil, 403, 10000, "send Authorization: Bearer TOKEN"},
		{"nothing of use", "", []string{"Cookie: token={ops}", "X-Auth-User-Service-Key: {ops}", "Proxy-Authorization: Bearer {ops}"}, 403, 10000, "send Authorization"},
		{"token in the query", "acme/diagnostics/traceroute?token={ops}&x=", nil, 403, 10000, "send Authorization"},
		{"wrong token", "", bearer("Bearer " + access.NewToken()), 403, 10000, ""},
		{"mistyped token", "", bearer("Bearer " + wrong), 403, 10000, ""},
		{"token of another kind", "", bearer("Bearer abc.DEF-ghi_jkl~mno+pqr/stu=="), 403, 10000, ""},
		{"token with more behind", "", bearer("Bearer {ops}0"), 403, 10000, ""},
		{"token padded", "", bearer("Bearer {ops}="), 403, 10000, ""},
		{"key as a token", "", bearer("Bearer {key}"), 403, 10000, ""},
		{"expired token", "", bearer("Bearer {old}"), 403, 10000, "the credential old expired on "},
		{"expired token, other account", "beta", bearer("Bearer {old}"), 403, 10000, "the credential old expired on "},
		{"wrong token beside a good key", "", []string{"Authorization: Bearer " + wrong, "X-Auth-Email: ops@example.org", "X-Auth-Key: {key}"}, 403, 10000, ""},
		{"key without address", "", []string{"X-Auth-Key: {key}"}, 403, 10000, "both of X-Auth-Email and X-Auth-Key"},
		{"address without key", "", []string{"X-Auth-Email: ops@example.org"}, 403, 10000, "both of X-Auth-Email and X-Auth-Key"},
		{"key of another address", "", []string{"X-Auth-Email: eve@example.org", "X-Auth-Key: {key}"}, 403, 10000, ""},
		{"token as a key", "", []string{"X-Auth-Email: ops@example.org", "X-Auth-Key: {ops}"}, 403, 10000, ""},

		{"other account", "gamma", bearer("Bearer {ops}"), 403, 9109, "the credential ops is for acme, beta"},
		{"account in capitals", "ACME", bearer("Bearer {ops}"), 403, 9109, "is for acme, beta"},
		{"key, other account", "beta", []string{"X-Auth-Email: ops@example.org", "X-Auth-Key: {key}"}, 403, 9109, "the credential key is for acme"},

		{"empty header", "", bearer(""), 400, 6003, ""},
		{"scheme alone", "", bearer("Bearer"), 400, 6003, ""},
		{"scheme and blank", "", bearer("Bearer "), 400, 6003, ""},
		{"token alone", "", bearer("{ops}"), 400, 6003, ""},
		{"other scheme", "", bearer("Basic b3BzOm9wcw=="), 400, 6003, ""},
		{"two words", "", bearer("Bearer {ops} {ops}"), 400, 6003, ""},
		{"tab for a blank", "", bearer("Bearer\t{ops}"), 400, 6003, ""},
		{"list", "", bearer("Bearer {ops}, Bearer {ops}"), 400, 6003, ""},
		{"quoted", "", bearer(`Bearer "{ops}"`), 400, 6003, ""},
		{"padding alone", "", bearer("Bearer =="), 400, 6003, ""},
		{"padding within", "", bearer("Bearer ab=cd"), 400, 6003, ""},
		{"not ASCII", "", bearer("Bearer tökén"), 400, 6003, ""},
		{"not UTF-8", "", bearer("Bearer \xff\xfe"), 400, 6003, ""},
		{"very long", "", bearer("Bearer " + strings.Repeat("a", 10000)), 400, 6003, ""},
		{"twice", "", []string{"Authorization: Bearer {ops}", "Authorization: Bearer {ops}"}, 400, 6003, ""},
		{"twice, one empty", "", []string{"Authorization:", "Authorization: Bearer {ops}"}, 400, 6003, ""},
		{"empty key", "", []string{"X-Auth-Email: ops@example.org", "X-Auth-Key:"}, 400, 6003, ""},
		{"key with a blank", "", []string{"X-Auth-Email: ops@example.org", "X-Auth-Key: a b"}, 400, 6003, ""},
		{"key not ASCII", "", []string{"X-Auth-Email: ops@example.org", "X-Auth-Key: é"}, 400, 6003, ""},
		{"two keys", "", []string{"X-Auth-Email: ops@example.org", "X-Auth-Key: {key}", "X-Auth-Key: {key}"}, 400, 6003, ""},
		{"two addresses", "", []string{"X-Auth-Email: ops@example.org", "X-Auth-Email: a@b", "X-Auth-Key: {key}"}, 400, 6003, ""},
		{"long address", "", []string{"X-Auth-Email: a@" + strings.Repeat("b", 254), "X-Auth-Key: {key}"}, 400, 6003, ""},

		{"malformed account first", "a.b", bearer("Basic x"), 404, 7003, ""},
		{"long account", strings.Repeat("a", 33), bearer("Bearer {ops}"), 404, 7003, ""},
	}
	contract := loadLaw(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A Handler for each: failures from one address add up.
			p, stop := serve(t, New(Config{Service: newService(t, &fakeColo{name: "den01"}), Log: quiet(), Credentials: k.registry}))
			defer stop()
			path := pathOf("acme")
			if tt.account != "" {
				path = pathOf(k.shown(tt.account))
			}
			got := shout(t, p, path, k.shown(strings.Join(append(tt.headers, ""), "\r\n")))
			contract.judge(t, got.request, []byte(goodBody), got.status, got.header, got.body)
			code, said, hint := 0, "", ""
			if len(got.Errors) > 0 {
				code, said = got.Errors[0].Code, got.Errors[0].Message
			}
			for _, m := range got.Messages {
				hint += m.Message
			}
			if got.status != tt.status || code != tt.code {
				t.Errorf("%d, code %d; want %d, %d\n%s", got.status, code, tt.status, tt.code, got.body)
			}
			hinted := strings.HasPrefix(hint, "send Authorization")
			if hint != "" && !hinted || hinted && !strings.Contains(hint, tt.words) || !hinted && !strings.Contains(said, tt.words) {
				t.Errorf("error %q, messages %q; want %q", said, hint, tt.words)
			}
			if code == envelope.CodeUnauthenticated && (tt.words == "" || hinted) && said != "Authentication error" {
				t.Errorf("message %q", said)
			}
			for name, secret := range k.secrets {
				if strings.Contains(string(got.body), secret) {
					t.Errorf("the answer repeats the secret of %s", name)
				}
			}
		})
	}
}

// Who has no credentials is answered without a byte of the body being read, and
// without a trace.
func TestStrangersBody(t *testing.T) {
	k := newKeyring(t)
	traced := &fakeColo{name: "den01", trace: func(_ context.Context, target string, _ traceroute.Spec) (*traceroute.Result, error) {
		t.Error("traced for a stranger")
		return direct(target), nil
	}}
	h := New(Config{Service: newService(t, traced), Log: quiet(), Credentials: k.registry})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, pathOf("acme"), unread{t})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("status %d", w.Code)
	}
}

// Credentials that change and expire do so at once, for requests of open
// connections as well.
func TestCredentialsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeyring(t)
		h := New(Config{Service: newService(t, &fakeColo{name: "den01"}), Log: quiet(), Credentials: k.registry})
		ask := func(name string) int {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, pathOf("acme"), strings.NewReader(goodBody))
			r.Header.Set("Authorization", k.shown("Bearer {"+name+"}"))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		expect := func(when, name string, status int) {
			t.Helper()
			if got := ask(name); got != status {
				t.Errorf("%s: %s is answered with %d, want %d", when, name, got, status)
			}
		}
		expect("at first", "brief", 200)
		time.Sleep(time.Hour - 1)
		expect("in its last nanosecond", "brief", 200)
		time.Sleep(time.Nanosecond)
		expect("after an hour", "brief", 403)
		expect("after an hour", "ops", 200)
		fresh := access.NewToken()
		k.secrets["fresh"] = fresh
		if err := k.registry.Replace([]access.Credential{{Name: "fresh", Accounts: []string{"acme"}, Hash: access.HashOf(fresh)}}); err != nil {
			t.Fatal(err)
		}
		expect("when replaced", "ops", 403)
		expect("when replaced", "fresh", 200)
	})
}

// The numbers ask for credentials too, of any account; health checks for none.
func TestWhatAsksForCredentials(t *testing.T) {
	k := newKeyring(t)
	numbers := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%+v", access.PrincipalOf(r.Context()))
	})
	h := New(Config{Service: newService(t, &fakeColo{name: "den01"}), Log: quiet(), Credentials: k.registry, Metrics: numbers})
	tests := []struct {
		path, token string
		status      int
		body        string
	}{
		{"/metrics", "", 403, `"code":10000`},
		{"/metrics", "{old}", 403, `"code":10000`},
		{"/metrics", "{ops}", 200, "{Token:ops Account:acme}"},
		{"/healthz", "", 200, "ok"},
		{"/readyz", "", 200, "ok"},
		{"/nowhere", "", 404, `"code":7003`},
	}
	for _, tt := range tests {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, tt.path, http.NoBody)
		if tt.token != "" {
			r.Header.Set("Authorization", k.shown("Bearer "+tt.token))
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) {
			t.Errorf("%s with %q: %d %s, want %d %s", tt.path, tt.token, w.Code, w.Body, tt.status, tt.body)
		}
	}
}

// otherAccount is the credential ops of a keyring, for the account delta.
func otherAccount(k keyring) []access.Credential {
	return []access.Credential{{Name: "ops", Accounts: []string{"delta"}, Hash: access.HashOf(k.secrets["ops"])}}
}
