package access

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSecretForm(t *testing.T) {
	// The pattern that documents give to scanners of source code.
	pattern := regexp.MustCompile(`^pag[tk]_[0-9A-Za-z]{49}$`)
	seen := map[string]bool{}
	for range 200 {
		for prefix, secret := range map[string]string{TokenPrefix: NewToken(), KeyPrefix: NewKey()} {
			if !pattern.MatchString(secret) || !strings.HasPrefix(secret, prefix) || !IsSecret(secret) {
				t.Fatalf("%q is not of the form", secret)
			}
			if seen[secret] {
				t.Fatal("a secret came twice")
			}
			seen[secret] = true
		}
	}
}

// A secret with one character changed, dropped or doubled is none.
func TestSecretMistyped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := NewToken()
		at := rapid.IntRange(0, len(secret)-1).Draw(t, "at")
		other := rapid.SampledFrom(strings.Split("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_- é", "")).Draw(t, "other")
		for _, wrong := range []string{
			secret[:at] + other + secret[at+1:], secret[:at] + secret[at+1:], secret[:at] + other + secret[at:],
		} {
			if wrong != secret && IsSecret(wrong) {
				t.Fatalf("%q passes for a secret, made of %q", wrong, secret)
			}
		}
	})
}

func TestHashOf(t *testing.T) {
	// FIPS 180-2, appendix B.1.
	if got := HashOf("abc").String(); got != "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Error(got)
	}
}

func TestRedact(t *testing.T) {
	token, key := NewToken(), NewKey()
	tests := []struct{ name, text, want string }{
		{"nothing", "a name, and pag_", "a name, and pag_"},
		{"both", "x=" + token + ", y=" + key + ".", "x=pagt_…, y=pagk_…."},
		{"part of one", `"` + token[:20] + `" `, `"pagt_…" `},
		{"end to end", token + token, "pagt_…_…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Redact(tt.text)
			if strings.Contains(got, token[len(TokenPrefix):20]) {
				t.Errorf("the secret is still in %q", got)
			}
			if tt.name != "end to end" && got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
