//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// account is on whose behalf the clients ask.
const account = "soak"

// tableRanges is how many ranges of addresses each reload reads anew. They are
// a good part of the agent's memory, so that a table that is kept shows.
const tableRanges = 20_000

// refusedRange is of no target.
const refusedRange = "203.0.113.0/24"

// configure writes settings of every sort that a reload puts in use, and
// returns the file's name and the secret of the token in it. There are fewer
// places for traces than a burst wants.
func configure(program, dir string) (file, secret string, err error) {
	var made struct{ Secret, Credential string }
	out, err := exec.Command(program, "token", "new", "--json", "--account", account).Output() //nolint:noctx // it ends by itself
	if err == nil {
		err = json.Unmarshal(out, &made)
	}
	if err != nil {
		return "", "", fmt.Errorf("token new: %w", err)
	}
	var numbers bytes.Buffer
	for i := range tableRanges {
		start := fmt.Sprintf("%d.%d.%d", 11+i>>16, i>>8&255, i&255)
		fmt.Fprintf(&numbers, "%s.0,%s.255,%d,Network number %d\n", start, start, 64512+i, i)
	}
	fmt.Fprint(&numbers, "198.18.0.0,198.19.255.255,64500,Lab\n2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,64500,Lab\n")
	files := map[string]string{
		"numbers.csv": numbers.String(),
		"nobody":      refusedRange + "\n",
		"agent.yaml": fmt.Sprintf(`names: off
log-level: error
near-hop-rate: 0
prefix-rate: 0
request-rate: 0
max-traces: 128
asn-data: %[1]s/numbers.csv
deny: [198.51.100.0/24]
do-not-probe: %[1]s/nobody
token: ["%[2]s"]
`, dir, made.Credential),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return "", "", err
		}
	}
	return filepath.Join(dir, "agent.yaml"), made.Secret, nil
}
