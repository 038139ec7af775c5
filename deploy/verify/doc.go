// Package verify has the tests of what is shipped: the container image, the
// packages, the systemd unit, the manifests and the commands of the documents.
// It is a module of its own, since it needs the Kubernetes API's types and
// other things that the agent does not.
//
//	cd deploy/verify && go test ./...
//
// Most of it needs root, to run containers and to install packages below a
// directory, and skips with the reason where that, or a program, is missing.
package verify
