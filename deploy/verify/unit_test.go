package verify

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// unit is the systemd unit, below the repository's top.
const unit = "deploy/systemd/probe-agent.service"

// maxExposure is what `systemd-analyze security` may say, from 0 (safe) to 10.
const maxExposure = 1.5

func TestUnit(t *testing.T) {
	t.Parallel()
	needProgram(t, "systemd-analyze", "systemd")

	t.Run("verify", func(t *testing.T) {
		// The program is not installed here, so any other stands in for it.
		text := strings.Replace(read(t, absolute(t, unit)), "/usr/bin/probe-agent", "/bin/true", 1)
		path := filepath.Join(t.TempDir(), "probe-agent.service")
		write(t, path, text, 0o644)
		got := execute(t, command(t, "systemd-analyze", "verify", "--man=no", path))
		if got.code != 0 || got.stdout != "" || got.stderr != "" {
			t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
		}
	})
	t.Run("security", func(t *testing.T) {
		report := must(t, command(t, "systemd-analyze", "security", "--offline=true", "--no-pager", absolute(t, unit)))
		_, verdict, _ := strings.Cut(report, "exposure level for probe-agent.service: ")
		figure, _, _ := strings.Cut(verdict, " ")
		exposure, err := strconv.ParseFloat(figure, 64)
		if err != nil {
			t.Fatalf("no figure in the report:\n%s", report)
		}
		t.Logf("exposure %.1f", exposure)
		if exposure > maxExposure {
			t.Errorf("exposure is %.1f, more than %.1f", exposure, maxExposure)
		}
	})
	t.Run("one capability", func(t *testing.T) {
		var findings []struct {
			Name string
			Set  *bool
		}
		report := must(t, command(t, "systemd-analyze", "security", "--offline=true", "--json=short", absolute(t, unit)))
		if err := json.Unmarshal([]byte(report), &findings); err != nil || len(findings) == 0 {
			t.Fatalf("%d findings (error %v)", len(findings), err)
		}
		for _, f := range findings {
			raw := f.Name == "CapabilityBoundingSet=~CAP_NET_(BIND_SERVICE|BROADCAST|RAW)"
			if strings.HasPrefix(f.Name, "CapabilityBoundingSet=") && !raw && (f.Set == nil || !*f.Set) {
				t.Errorf("%s is not held", f.Name)
			}
		}
	})
}
