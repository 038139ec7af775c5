//go:build linux

// Package kerneltest gives tests a kernel.Lab.
package kerneltest

import (
	"os/exec"
	"testing"

	"probe-agent/internal/netsim/kernel"
)

// Build returns a lab that is closed when the test ends. It skips the test
// where namespaces are not allowed and fails it when the lab cannot be built.
func Build(t testing.TB, topology kernel.Topology) *kernel.Lab {
	t.Helper()
	if err := kernel.Available(); err != nil {
		t.Skip(err)
	}
	lab, err := kernel.Build(topology)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
	})
	return lab
}

// Program returns the path of a program and skips the test when it is missing,
// naming the Debian package that has it.
func Program(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed: Debian package %s", name, debianPackage)
	}
	return path
}
