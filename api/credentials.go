package api

import (
	"net/http"
	"strings"

	"probe-agent/access"
	"probe-agent/api/envelope"
)

// maxSecret is the most that a token or key may have, in bytes. The agent's
// own have 54; what is longer is not even compared.
const maxSecret = 512

// presented is what a client shows to say who it is.
type presented struct {
	email  string // of a key; empty with a token
	secret string // empty when nothing was shown
}

// readCredentials reads the headers that credentials come in: Authorization
// alone counts where there is one, otherwise X-Auth-Email with X-Auth-Key. The
// error is about headers that cannot be read, code 6003.
func readCredentials(h http.Header) (presented, *envelope.Error) {
	if values, ok := h["Authorization"]; ok {
		token, ok := bearer(values)
		if !ok {
			return presented{}, malformed("Authorization must be given once, as Bearer, a blank, and the token")
		}
		return presented{secret: token}, nil
	}
	keys, emails := h["X-Auth-Key"], h["X-Auth-Email"]
	switch {
	case len(keys) > 1 || len(keys) == 1 && !isWord(keys[0], maxSecret):
		return presented{}, malformed("X-Auth-Key must be given once, as the key alone")
	case len(emails) > 1 || len(emails) == 1 && !isWord(emails[0], access.MaxEmail):
		return presented{}, malformed("X-Auth-Email must be given once, as an email address, along with X-Auth-Key")
	case len(keys) == 0 || len(emails) == 0:
		return presented{}, nil
	}
	return presented{email: emails[0], secret: keys[0]}, nil
}

// bearer returns the token of an Authorization header. The scheme is read
// without regard to case (RFC 9110 section 11.1), the token as b64token (RFC
// 6750 section 2.1), which must end in its padding.
func bearer(values []string) (token string, ok bool) {
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimLeft(token, " ")
	odd := func(c rune) bool { return !isAlphanumeric(c) && !strings.ContainsRune("-._~+/", c) }
	if !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxSecret {
		return "", false
	}
	body := strings.TrimRight(token, "=")
	return token, body != "" && !strings.ContainsFunc(body, odd)
}

// isWord reports whether text is one word of printable ASCII.
func isWord(text string, most int) bool {
	odd := func(c rune) bool { return c <= ' ' || c > '~' }
	return text != "" && len(text) <= most && !strings.ContainsFunc(text, odd)
}

func malformed(words string) *envelope.Error {
	return envelope.NewError(http.StatusBadRequest, envelope.CodeHeaders, "Invalid request headers: "+words)
}

func isAlphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
