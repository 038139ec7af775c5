//go:build !linux

package sandbox

// RaiseNetRaw does nothing: only Linux has capabilities.
func RaiseNetRaw() error { return nil }
