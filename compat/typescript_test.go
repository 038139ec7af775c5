package compat

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// folderTS holds the program that calls the TypeScript SDK. Its own types
// decide at compile time which fields are checked at run time.
const folderTS = "typescript"

func typescript() sdk {
	return sdk{
		name:    "typescript",
		open:    openTS,
		classes: map[int]string{400: "BadRequestError", 403: "PermissionDeniedError", 404: "NotFoundError", 429: "RateLimitError", 503: "InternalServerError"},
	}
}

func openTS(t *testing.T) caller {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is missing: install Debian's nodejs and npm", program)
		}
	}
	installTS(t)
	run(t, "node", "node_modules/typescript/bin/tsc", "--project", ".")
	return callTS
}

// installTS installs what the lock file names, unless that was done before.
func installTS(t *testing.T) {
	t.Helper()
	lock, err := os.ReadFile(filepath.Join(folderTS, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	installed := filepath.Join(folderTS, "node_modules", ".installed-lock.json")
	if had, err := os.ReadFile(installed); err == nil && bytes.Equal(had, lock) {
		return
	}
	run(t, "npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts")
	if err := os.WriteFile(installed, lock, 0o644); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = folderTS
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
}

func callTS(t *testing.T, base string, a ask) outcome {
	t.Helper()
	question, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "dist/traceroute.mjs")
	cmd.Dir = folderTS
	cmd.Env = append(withoutSettings(os.Environ(), "CLOUDFLARE_"), "CLOUDFLARE_BASE_URL="+base)
	cmd.Env = append(cmd.Env, a.credential.environment()...)
	if a.once {
		cmd.Env = append(cmd.Env, "SDK_RETRIES=0")
	}
	cmd.Stdin = bytes.NewReader(question)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatalf("the SDK failed: %v\n%s", err, stderr.Bytes())
	}
	var got outcome
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	return got
}
