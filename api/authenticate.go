package api

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"probe-agent/access"
	"probe-agent/api/envelope"
)

// authenticator identifies callers.
type authenticator struct {
	credentials  *access.Registry
	proxies      *Proxies
	certificates func() bool
	failures     *failures
	guard        pageGuard
}

func newAuthenticator(c Config) *authenticator {
	a := &authenticator{
		credentials: c.Credentials, proxies: c.Proxies, certificates: c.ClientCertificates,
		failures: newFailures(),
	}
	if a.proxies == nil {
		a.proxies = new(Proxies)
	}
	a.guard = newPageGuard(a.proxies)
	if a.certificates == nil {
		a.certificates = func() bool { return false }
	}
	return a
}

// authenticate passes requests with credentials for the account in their path,
// or for any account where the path has none, on behalf of the
// access.Principal that it puts into their context. Others are refused before
// their body is read.
//
// Valid credentials always pass, whatever came from the same address before.
// Without them, requests are answered with 429 once there are too many from one
// address.
func (a *authenticator) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		envelope.RecordOf(r.Context()).CredentialsNeeded = true
		principal, refused := a.identify(r, time.Now())
		if refused != nil {
			a.refuse(w, r, refused)
			return
		}
		envelope.RecordOf(r.Context()).Principal = principal
		next.ServeHTTP(w, r.WithContext(access.WithPrincipal(r.Context(), principal)))
	})
}

// refuse answers a request that is not let in.
func (a *authenticator) refuse(w http.ResponseWriter, r *http.Request, refused *envelope.Error) {
	if wait := a.failures.count(clientOf(r), time.Now()); wait > 0 {
		envelope.RecordOf(r.Context()).Quiet = true
		refused = envelope.NewError(http.StatusTooManyRequests, envelope.CodeTooMany, "too many requests without valid credentials from one address")
		refused.RetryAfter = wait
	}
	envelope.WriteError(w, r, refused)
}

// refusePages refuses what a web page may have sent, whatever its path, while
// there are no credentials.
func (a *authenticator) refusePages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.credentials != nil && a.credentials.Empty() {
			if refused := a.guard.check(r); refused != nil {
				envelope.RecordOf(r.Context()).CredentialsNeeded = true
				a.refuse(w, r, refused)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (a *authenticator) identify(r *http.Request, now time.Time) (access.Principal, *envelope.Error) {
	if a.certificates() && (r.TLS == nil || len(r.TLS.VerifiedChains) == 0) {
		return access.Principal{}, unauthenticated("a client certificate is required", "")
	}
	if a.credentials == nil || a.credentials.Empty() {
		return access.Principal{}, nil
	}
	shown, refused := readCredentials(r.Header)
	if refused != nil {
		return access.Principal{}, refused
	}
	credential, err := a.holder(shown, now)
	switch {
	case shown.secret == "":
		return access.Principal{}, unauthenticated("", "send Authorization: Bearer TOKEN, or both of X-Auth-Email and X-Auth-Key")
	case errors.Is(err, access.ErrExpired):
		// Its name goes to the log and the metrics: its owner has to renew it.
		envelope.RecordOf(r.Context()).Principal.Token = credential.Name
		return access.Principal{}, unauthenticated("the credential "+credential.Name+" expired on "+credential.Expires.Format(time.RFC3339), "")
	case err != nil:
		return access.Principal{}, unauthenticated("", "")
	}
	account := chi.URLParam(r, "account_id")
	if account == "" {
		account = credential.Accounts[0]
	}
	if !credential.Permits(account) {
		envelope.RecordOf(r.Context()).Principal.Token = credential.Name
		return access.Principal{}, unauthorized("Unauthorized to access requested resource: the credential " + credential.Name + " is for " + strings.Join(credential.Accounts, ", "))
	}
	return access.Principal{Token: credential.Name, Account: account}, nil
}

func (a *authenticator) holder(shown presented, now time.Time) (access.Credential, error) {
	if shown.email != "" {
		return a.credentials.Key(shown.email, shown.secret, now)
	}
	return a.credentials.Token(shown.secret, now)
}

// unauthenticated refuses somebody unknown. The error has Cloudflare's words, and
// why where that is known; the hint, if any, goes to the messages.
func unauthenticated(why, hint string) *envelope.Error {
	words := "Authentication error"
	if why != "" {
		words += ": " + why
	}
	refused := envelope.NewError(http.StatusForbidden, envelope.CodeUnauthenticated, words)
	if hint != "" {
		refused.Notes = []envelope.Message{{Code: envelope.CodeUnauthenticated, Message: hint}}
	}
	return refused
}

// unauthorized refuses somebody who may not, or not in this way. The reason is
// in the error: most clients show no messages.
func unauthorized(words string) *envelope.Error {
	return envelope.NewError(http.StatusForbidden, envelope.CodeUnauthorized, words)
}
