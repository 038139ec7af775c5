package verify

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

// inSystem is what runs in a booted system once the service is up: it says how
// that is, waits for a word, and says what becomes of a reload and a stop.
const inSystem = `#!/bin/sh
exec >/lab/said 2>&1
systemctl is-active probe-agent || { journalctl --boot --output cat --unit probe-agent; echo end; exit; }
read -r word </lab/word
systemctl reload probe-agent && echo reloaded
until journalctl --boot --output cat --unit probe-agent | grep -q 'msg="configuration reloaded"'; do sleep 0.1; done
systemctl stop probe-agent
systemctl show --property Result --value probe-agent
echo end
`

// systemdRuns boots systemd with a package's files in it, on a lab's host. The
// rest of its /usr is this machine's. It traces over HTTP once the unit is
// active, reloads the service and stops it.
func systemdRuns(t *testing.T, deb string) {
	needProgram(t, "systemd-nspawn", "systemd-container")
	lab := kerneltest.Build(t, kernel.Chain(1))
	root := systemRoot(t, deb)
	said, word := pipe(t, filepath.Join(root, "lab/said")), pipe(t, filepath.Join(root, "lab/word"))

	var console bytes.Buffer
	system := exec.CommandContext(afterTest(t), "systemd-nspawn", "--quiet", "--directory", root, "--machine", "probe-agent-"+strconv.Itoa(os.Getpid()),
		"--overlay-ro="+filepath.Join(root, "package/usr")+":/usr:/usr", "--network-namespace-path="+lab.Host.Path(), "--register=no", "--keep-unit",
		"--boot", "systemd.unit=lab.target", "systemd.log_color=0")
	system.Stdout, system.Stderr = &console, &console
	if err := system.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		system.Wait() // it is ended below, or was never a system
		said.SetReadDeadline(time.Now())
	}()
	defer func() {
		endChildren(t, system.Process.Pid)
		<-ended
	}()

	answers := bufio.NewScanner(said)
	if !answers.Scan() {
		endChildren(t, system.Process.Pid)
		<-ended
		if !strings.Contains(console.String(), "Queued start job") {
			t.Skipf("systemd cannot be process 1 of a container here:\n%s", console.String())
		}
		t.Fatalf("nothing is said of the service (%v):\n%s", answers.Err(), console.String())
	}
	if answers.Text() == "active" {
		target := lab.Targets(false)[0].String()
		if diff := cmp.Diff([]string{lab.Routers[0].IPv4.String(), target}, trace(t, lab, "127.0.0.1:8080", target)); diff != "" {
			t.Errorf("hops (-want +got):\n%s", diff)
		}
	}
	got := []string{answers.Text()}
	if _, err := word.WriteString("go\n"); err != nil {
		t.Fatal(err)
	}
	for answers.Scan() && answers.Text() != "end" {
		got = append(got, answers.Text())
	}
	if want := []string{"active", "reloaded", "success"}; !slices.Equal(got, want) {
		t.Errorf("of the service is said (%v)\n%s\nwant %q", answers.Err(), strings.Join(got, "\n"), want)
	}
}

// systemRoot returns the root of a system that starts the service, and what
// talks about it, and nothing else.
func systemRoot(t *testing.T, deb string) string {
	t.Helper()
	root := t.TempDir()
	must(t, command(t, "dpkg-deb", "--extract", deb, filepath.Join(root, "package")))
	for name, content := range map[string]string{
		"etc/passwd":                       "root:x:0:0::/root:/bin/sh\n",
		"etc/group":                        "root:x:0:\n",
		"etc/os-release":                   "ID=lab\n",
		"etc/machine-id":                   "0123456789abcdef0123456789abcdef\n",
		"etc/systemd/system/lab.target":    "[Unit]\nWants=probe-agent.service lab.service\n",
		"etc/systemd/system/lab.service":   "[Unit]\nAfter=probe-agent.service\n[Service]\nType=oneshot\nExecStart=/lab/in-system\n",
		"etc/probe-agent/probe-agent.yaml": read(t, filepath.Join(root, "package", configurationFile)),
	} {
		write(t, filepath.Join(root, name), content, 0o644)
	}
	write(t, filepath.Join(root, "lab/in-system"), inSystem, 0o755)
	for _, dir := range []string{"usr", "var", "run", "tmp", "proc", "sys", "dev", "root"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+link, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// pipe makes a named pipe and opens its two ends, so that nobody waits for the
// other one to come. Reading ends after patience.
func pipe(t *testing.T, path string) *os.File {
	t.Helper()
	err := syscall.Mkfifo(path, 0o600)
	file, openError := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err := errors.Join(err, openError); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if err := file.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return file
}

// endChildren kills the children of a process: process 1 of a container, with
// which all others in it end.
func endChildren(t *testing.T, parent int) {
	t.Helper()
	pid := strconv.Itoa(parent)
	children, err := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return
	}
	if err != nil {
		t.Error(err)
	}
	for child := range strings.FieldsSeq(string(children)) {
		if number, err := strconv.Atoi(child); err == nil {
			syscall.Kill(number, syscall.SIGKILL)
		}
	}
}
