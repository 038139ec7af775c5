// Package sandbox changes what this process may do: it takes the capability
// that the raw sockets need, and gives up all of them when they are open.
package sandbox
