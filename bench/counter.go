//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"

	"probe-agent/internal/netsim/kernel"
)

// firstLink is the name of the host's interface in a lab.
const firstLink = "l1"

// packets are those that crossed the host's interface.
type packets struct{ sent, received int64 }

func (p packets) since(before packets) packets {
	return packets{sent: p.sent - before.sent, received: p.received - before.received}
}

// count reads the counters of the host's interface.
func count(l *kernel.Lab) (packets, error) {
	var content []byte
	err := l.Do(func() (err error) {
		content, err = os.ReadFile("/proc/thread-self/net/dev")
		return err
	})
	if err != nil {
		return packets{}, err
	}
	return countIn(string(content), firstLink)
}

// countIn finds an interface in the text of /proc/net/dev, proc_pid_net(5):
// eight numbers of what was received, eight of what was sent, packets second.
func countIn(content, name string) (packets, error) {
	for line := range strings.Lines(content) {
		values, found := strings.CutPrefix(strings.TrimSpace(line), name+":")
		if !found {
			continue
		}
		var p packets
		var ignored int64
		_, err := fmt.Sscan(values, &ignored, &p.received, &ignored, &ignored, &ignored, &ignored, &ignored, &ignored, &ignored, &p.sent)
		return p, err
	}
	return packets{}, fmt.Errorf("no interface %s", name)
}
