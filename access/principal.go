package access

import "context"

// Principal is who asks. The zero value is anonymous: somebody who reached an
// agent without credentials. All of those are one, whatever account they name,
// since nothing holds them to it.
type Principal struct {
	Token   string // name of the credential, a key's as well as a token's; never its secret
	Account string // account that is asked for
}

// Anonymous reports whether nobody was identified.
func (p Principal) Anonymous() bool { return p == Principal{} }

type principalKey struct{}

// WithPrincipal returns ctx on behalf of p.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalOf returns on whose behalf ctx is; anonymous when nobody said.
func PrincipalOf(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}
