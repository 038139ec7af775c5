// Package policy decides which addresses may be probed. It knows addresses and
// rules only: whoever uses it reads files, resolves names and asks the host for
// its addresses. docs/adr/0019-whom-one-may-probe.md says why the rules are as
// they are.
package policy
