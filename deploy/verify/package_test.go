package verify

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// installer is a package manager that works below a directory. Besides what it
// installs there is only a shell there, and a systemctl that writes down what it
// is told.
type installer struct {
	dir     string
	install func(path string) *exec.Cmd // or upgrade
	verify  func() *exec.Cmd            // says which files are not as the package has them
	remove  func() *exec.Cmd
	purge   func() *exec.Cmd // nil: there is no more to it than removing
	zsh     string           // where a completion for zsh belongs
	kept    string           // where a changed configuration is after removing
}

const (
	configurationFile = "etc/probe-agent/probe-agent.yaml"
	unitFile          = "usr/lib/systemd/system/probe-agent.service"
	// What the scripts have told systemctl, a command a line.
	toldFile = "told"
)

func newDpkg(t *testing.T) *installer {
	t.Helper()
	needProgram(t, "dpkg", "dpkg")
	dir := almostEmpty(t)
	write(t, filepath.Join(dir, "var/lib/dpkg/status"), "", 0o644)
	for _, empty := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates"} {
		if err := os.MkdirAll(filepath.Join(dir, empty), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dpkg := func(args ...string) *exec.Cmd {
		return command(t, "dpkg", append([]string{"--root=" + dir, "--force-confdef", "--force-confold"}, args...)...)
	}
	return &installer{
		dir:     dir,
		install: func(path string) *exec.Cmd { return dpkg("--install", path) },
		verify:  func() *exec.Cmd { return dpkg("--verify", "probe-agent") },
		remove:  func() *exec.Cmd { return dpkg("--remove", "probe-agent") },
		purge:   func() *exec.Cmd { return dpkg("--purge", "probe-agent") },
		zsh:     "usr/share/zsh/vendor-completions/_probe-agent",
		kept:    configurationFile,
	}
}

func newRpm(t *testing.T) *installer {
	t.Helper()
	needProgram(t, "rpm", "rpm")
	dir := almostEmpty(t)
	rpm := func(args ...string) *exec.Cmd {
		return command(t, "rpm", append([]string{"--root", dir, "--dbpath", "/var/lib/rpm"}, args...)...)
	}
	return &installer{
		dir:     dir,
		install: func(path string) *exec.Cmd { return rpm("--upgrade", path) },
		verify:  func() *exec.Cmd { return rpm("--verify", "probe-agent") },
		remove:  func() *exec.Cmd { return rpm("--erase", "probe-agent") },
		zsh:     "usr/share/zsh/site-functions/_probe-agent",
		kept:    configurationFile + ".rpmsave",
	}
}

// almostEmpty returns a directory to install below.
func almostEmpty(t *testing.T) string {
	t.Helper()
	busybox := needProgram(t, "busybox", "busybox-static")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bin/busybox"), read(t, busybox), 0o755)
	write(t, filepath.Join(dir, "bin/systemctl"), "#!/bin/sh\necho \"$@\" >>/"+toldFile+"\n", 0o755)
	err := errors.Join(
		os.Symlink("busybox", filepath.Join(dir, "bin/sh")),
		os.MkdirAll(filepath.Join(dir, "run/systemd/system"), 0o755), // systemd runs, it says
	)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// changed is a configuration as an operator leaves it.
const changed = "listen: 127.0.0.1:8081\ncolo: den01\nnames: \"off\"\n"

// packageLives installs, starts, upgrades, removes and purges a package.
func packageLives(t *testing.T, in *installer, older, newer string) {
	configuration := filepath.Join(in.dir, configurationFile)

	must(t, in.install(older))
	in.installed(t)
	if said := must(t, in.verify()); said != "" {
		t.Errorf("not as the package has it:\n%s", said)
	}
	if diff := cmp.Diff(read(t, absolute(t, "deploy/probe-agent.example.yaml")), read(t, configuration)); diff != "" {
		t.Errorf("configuration (-documented +installed):\n%s", diff)
	}
	in.told(t, "daemon-reload", "try-restart probe-agent.service")
	serves(t, in.dir, "127.0.0.1:8080")

	write(t, configuration, changed, 0o644)
	must(t, in.install(newer))
	in.installed(t)
	if got := read(t, configuration); got != changed {
		t.Errorf("after the upgrade the configuration is\n%s", got)
	}
	if said := must(t, command(t, filepath.Join(in.dir, "usr/bin/probe-agent"), "version")); !strings.HasPrefix(said, "probe-agent 1.2.4\n") {
		t.Errorf("after the upgrade it is\n%s", said)
	}
	in.told(t, "daemon-reload", "try-restart probe-agent.service")
	serves(t, in.dir, "127.0.0.1:8081")

	must(t, in.remove())
	if exists(filepath.Join(in.dir, "usr/bin/probe-agent")) || exists(filepath.Join(in.dir, unitFile)) {
		t.Error("removing keeps the program or its unit")
	}
	if got := read(t, filepath.Join(in.dir, in.kept)); got != changed {
		t.Errorf("after removing, the configuration is\n%s", got)
	}
	in.told(t, "disable --now probe-agent.service", "daemon-reload")
	if in.purge != nil {
		must(t, in.purge())
		if exists(filepath.Join(in.dir, filepath.Dir(configurationFile))) {
			t.Error("purging keeps the configuration")
		}
	}
	if exists(filepath.Join(in.dir, "usr/share/doc/probe-agent")) {
		t.Error("a folder of documents is left")
	}
}

// installed demands that every file is there, root's, for all to read and for
// root alone to write, and that none has a capability: the unit grants it.
func (in *installer) installed(t *testing.T) {
	t.Helper()
	for name, mode := range map[string]os.FileMode{
		"usr/bin/probe-agent": 0o755, configurationFile: 0o644, unitFile: 0o644, in.zsh: 0o644,
		"usr/share/man/man1/probe-agent.1.gz":                  0o644,
		"usr/share/bash-completion/completions/probe-agent":    0o644,
		"usr/share/fish/vendor_completions.d/probe-agent.fish": 0o644,
		"usr/share/doc/probe-agent/copyright":                  0o644,
		"usr/share/doc/probe-agent/CHANGELOG.md":               0o644,
	} {
		path := filepath.Join(in.dir, name)
		info, err := os.Lstat(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if owner := info.Sys().(*syscall.Stat_t); info.Mode() != mode || owner.Uid != 0 || owner.Gid != 0 {
			t.Errorf("%s has mode %v and is of %d:%d, want %v and root's", name, info.Mode(), owner.Uid, owner.Gid, mode)
		}
		if _, err := unix.Lgetxattr(path, "security.capability", make([]byte, 64)); !errors.Is(err, unix.ENODATA) {
			t.Errorf("%s has a capability (error %v)", name, err)
		}
	}
}

// told demands that the package's scripts have told systemctl these commands,
// in any order and some of them more than once, and no others.
func (in *installer) told(t *testing.T, want ...string) {
	t.Helper()
	path := filepath.Join(in.dir, toldFile)
	got := strings.FieldsFunc(read(t, path), func(r rune) bool { return r == '\n' })
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
		t.Errorf("commands to systemctl (-want +got):\n%s", diff)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
