// Package compat runs the official Cloudflare SDKs against a real agent, with
// nothing changed but the base URL. It is a module of its own, so that the
// agent depends on none of them, and it holds nothing but tests.
package compat
