//go:build linux

package kernel

import (
	"os/exec"
)

// Cmd is an exec.Cmd whose process starts inside a node's namespace. Only the
// network is the node's: files, processes and DNS configuration are those of
// the caller.
type Cmd struct {
	*exec.Cmd
	node *Node
}

// Start is that of exec.Cmd.
func (c *Cmd) Start() error { return c.node.Do(c.Cmd.Start) }

// Run is that of exec.Cmd.
func (c *Cmd) Run() error { return c.node.Do(c.Cmd.Run) }

// Output is that of exec.Cmd.
func (c *Cmd) Output() (out []byte, err error) {
	err = c.node.Do(func() (err error) { out, err = c.Cmd.Output(); return err })
	return out, err
}

// CombinedOutput is that of exec.Cmd.
func (c *Cmd) CombinedOutput() (out []byte, err error) {
	err = c.node.Do(func() (err error) { out, err = c.Cmd.CombinedOutput(); return err })
	return out, err
}
