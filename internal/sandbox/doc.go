// Package sandbox changes what this process may do: it takes the capability
// that the raw sockets need.
package sandbox
