package verify

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

// release builds a release of one version for this machine's architecture.
func release(t *testing.T, version string) string {
	t.Helper()
	out := t.TempDir()
	cmd := command(t, "go", "run", ".", "-out", out, "-arch", goEnv(t, "GOARCH"),
		"-version", version, "-commit", commit, "-date", commitTime)
	cmd.Dir = absolute(t, "deploy/release")
	must(t, cmd)
	return out
}

// packageOf returns the only file of a release with that ending.
func packageOf(t *testing.T, dir, ending string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*."+ending))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files .%s (error %v), want 1", len(files), ending, err)
	}
	return files[0]
}

func TestRelease(t *testing.T) {
	first := release(t, "1.2.3")
	if diff := cmp.Diff(read(t, filepath.Join(first, "SHA256SUMS")), read(t, filepath.Join(release(t, "1.2.3"), "SHA256SUMS"))); diff != "" {
		t.Errorf("checksums of a second build (-first +second):\n%s", diff)
	}
	check := command(t, "sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = first
	must(t, check)
	t.Logf("\n%s", read(t, filepath.Join(first, "SHA256SUMS")))

	t.Run("archive", func(t *testing.T) {
		dir := t.TempDir()
		must(t, command(t, "tar", "-C", dir, "--strip-components=1", "-xzf", packageOf(t, first, "tar.gz")))
		said := must(t, command(t, filepath.Join(dir, "probe-agent"), "version"))
		if !strings.HasPrefix(said, "probe-agent 1.2.3\ncommit "+commit+" ("+commitTime+")\n") {
			t.Errorf("it says\n%s", said)
		}
	})
	t.Run("SBOM", func(t *testing.T) {
		sbom := read(t, packageOf(t, first, "cdx.json"))
		for _, module := range []string{`"bomFormat": "CycloneDX"`, `"name": "github.com/alecthomas/kong"`, `"name": "std"`, `"alg": "SHA-256"`} {
			if !strings.Contains(sbom, module) {
				t.Errorf("it lacks %s", module)
			}
		}
	})
	t.Run("deb", func(t *testing.T) { debLives(t, packageOf(t, first, "deb"), packageOf(t, release(t, "1.2.4"), "deb")) })
	t.Run("rpm", func(t *testing.T) { rpmSays(t, packageOf(t, first, "rpm")) })
}

// changed is a configuration as an operator leaves it.
const changed = "listen: 127.0.0.1:8081\ncolo: den01\nnames: \"off\"\n"

// debLives installs, starts, upgrades, removes and purges a package below a
// directory that has nothing but a shell.
func debLives(t *testing.T, older, newer string) {
	needRoot(t, "installing a package")
	needProgram(t, "dpkg", "dpkg")
	busybox := needProgram(t, "busybox", "busybox-static")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bin/busybox"), read(t, busybox), 0o755)
	write(t, filepath.Join(dir, "var/lib/dpkg/status"), "", 0o644)
	for _, empty := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates"} {
		if err := os.MkdirAll(filepath.Join(dir, empty), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("busybox", filepath.Join(dir, "bin/sh")); err != nil {
		t.Fatal(err)
	}
	dpkg := func(args ...string) *exec.Cmd {
		return command(t, "dpkg", append([]string{"--root=" + dir, "--force-confdef", "--force-confold"}, args...)...)
	}
	configuration := filepath.Join(dir, "etc/probe-agent/probe-agent.yaml")

	must(t, dpkg("--install", older))
	for _, name := range []string{
		"usr/bin/probe-agent", "usr/lib/systemd/system/probe-agent.service", "usr/share/man/man1/probe-agent.1.gz",
		"usr/share/bash-completion/completions/probe-agent", "usr/share/zsh/vendor-completions/_probe-agent",
		"usr/share/fish/vendor_completions.d/probe-agent.fish", "usr/share/doc/probe-agent/copyright",
	} {
		if !exists(filepath.Join(dir, name)) {
			t.Errorf("%s is not installed", name)
		}
	}
	if diff := cmp.Diff(read(t, absolute(t, "deploy/probe-agent.example.yaml")), read(t, configuration)); diff != "" {
		t.Errorf("configuration (-documented +installed):\n%s", diff)
	}
	serves(t, dir, "127.0.0.1:8080")

	write(t, configuration, changed, 0o644)
	must(t, dpkg("--install", newer))
	if got := read(t, configuration); got != changed {
		t.Errorf("after the upgrade the configuration is\n%s", got)
	}
	if said := must(t, command(t, filepath.Join(dir, "usr/bin/probe-agent"), "version")); !strings.HasPrefix(said, "probe-agent 1.2.4\n") {
		t.Errorf("after the upgrade it is\n%s", said)
	}
	serves(t, dir, "127.0.0.1:8081")

	must(t, dpkg("--remove", "probe-agent"))
	if exists(filepath.Join(dir, "usr/bin/probe-agent")) || !exists(configuration) {
		t.Error("removing keeps the program, or takes the configuration")
	}
	must(t, dpkg("--purge", "probe-agent"))
	if exists(configuration) {
		t.Error("purging keeps the configuration")
	}
}

// serves runs the unit's ExecStart below dir, as another user with the one
// capability, and traces with it.
func serves(t *testing.T, dir, address string) {
	t.Helper()
	_, start, found := strings.Cut(read(t, filepath.Join(dir, "usr/lib/systemd/system/probe-agent.service")), "\nExecStart=")
	start, _, _ = strings.Cut(start, "\n")
	args := strings.Fields(start)
	if !found || len(args) == 0 {
		t.Fatal("the unit starts nothing")
	}
	lab := kerneltest.Build(t, kernel.Chain(1))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	agent := lab.Command(ctx, args[0], args[1:]...)
	agent.Env = []string{"PROBE_AGENT_NAMES=off", "NOTIFY_SOCKET=/run/notify"}
	manager := listensFor(t, filepath.Join(dir, "run/notify"))
	agent.SysProcAttr = &syscall.SysProcAttr{
		Chroot:      dir,
		Credential:  &syscall.Credential{Uid: 65534, Gid: 65534},
		AmbientCaps: []uintptr{capNetRaw},
	}
	agent.Dir = "/"
	stderr, err := agent.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	log := bufio.NewScanner(stderr)
	for log.Scan() && !strings.Contains(log.Text(), "msg=listening") {
		said.WriteString(log.Text() + "\n")
	}
	if !strings.Contains(log.Text(), "msg=listening") {
		t.Fatalf("%s does not listen (%v):\n%s", start, agent.Wait(), said.String())
	}
	if said := manager(); said != "READY=1" {
		t.Errorf("to the service manager it says %q first, want that it is ready", said)
	}
	target := lab.Targets(false)[0].String()
	if diff := cmp.Diff([]string{lab.Routers[0].IPv4.String(), target}, trace(t, lab, address, target)); diff != "" {
		t.Errorf("hops (-want +got):\n%s", diff)
	}
	if err := agent.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for log.Scan() {
		said.WriteString(log.Text() + "\n")
	}
	if err := agent.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, said.String())
	}
}

// listensFor is the service manager that a unit with Type=notify reports to,
// at the socket of that path. It returns what waits for the next report.
func listensFor(t *testing.T, path string) func() string {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.RemoveAll(path)); err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	err = errors.Join(os.Chmod(path, 0o777), conn.SetReadDeadline(time.Now().Add(patience)))
	if err != nil {
		t.Fatal(err)
	}
	return func() string {
		report := make([]byte, 4096)
		n, err := conn.Read(report)
		if err != nil {
			t.Fatal(err)
		}
		return string(report[:n])
	}
}

// capNetRaw is the number of CAP_NET_RAW (capability.h).
const capNetRaw = 13

// rpmSays reads a package with rpm(8); it is installed nowhere.
func rpmSays(t *testing.T, path string) {
	needProgram(t, "rpm", "rpm")
	if kept := must(t, command(t, "rpm", "-qp", "--configfiles", path)); kept != "/etc/probe-agent/probe-agent.yaml\n" {
		t.Errorf("configuration files are %q", kept)
	}
	files := must(t, command(t, "rpm", "-qpl", path))
	for _, name := range []string{"/usr/bin/probe-agent", "/usr/lib/systemd/system/probe-agent.service", "/usr/share/man/man1/probe-agent.1.gz"} {
		if !strings.Contains(files, name+"\n") {
			t.Errorf("%s is not in it", name)
		}
	}
	if flags := must(t, command(t, "rpm", "-qp", "--qf", "[%{FILENAMES} %{FILEFLAGS:fflags}\n]", path)); !strings.Contains(flags, "probe-agent.yaml cn\n") {
		t.Errorf("configuration is not config(noreplace):\n%s", flags)
	}
}
