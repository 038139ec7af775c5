//go:build !linux

package sandbox

// Confine does nothing: only Linux has capabilities.
func Confine() error { return nil }
