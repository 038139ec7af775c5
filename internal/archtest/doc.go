// Package archtest holds the architecture of this module as a test: which
// package may import what, and why. The table is in rules_test.go; a new
// package needs a line there before the test passes.
package archtest
