// Package access says who may ask.
//
// A [Credential] is a token, or an email address with a key, that stands for
// one or more accounts. The agent keeps the hash of its secret only. A
// [Registry] holds the credentials in force and tells whose secret was
// presented; a [Principal] is the answer, carried in the context of a request.
//
// The package knows no HTTP, no files and no clock: who asks with what, and
// what time it is, are arguments.
package access
