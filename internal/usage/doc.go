// Package usage writes what is made of the grammar of a command line besides its
// help: the manual page and the scripts that complete it in a shell.
package usage
