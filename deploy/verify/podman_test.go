package verify

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// podman is podman(1) with a storage of its own, which is gone after the test.
type podman struct {
	dir   string
	flags []string
}

func newPodman(t *testing.T) *podman {
	t.Helper()
	needRoot(t, "running containers")
	needProgram(t, "podman", "podman")
	needProgram(t, "runc", "runc")
	needProgram(t, "buildah", "buildah")
	// Names of sockets below it have to stay short, so not t.TempDir.
	dir, err := os.MkdirTemp("", "ship")
	if err != nil {
		t.Fatal(err)
	}
	p := &podman{dir: dir, flags: []string{
		"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--tmpdir", filepath.Join(dir, "tmp"),
		"--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--log-level", "error",
	}}
	t.Cleanup(func() {
		clear := exec.CommandContext(afterTest(t), "podman", append(p.flags, "rm", "--all", "--force", "--time", "0")...)
		if out, err := clear.CombinedOutput(); err != nil {
			t.Errorf("containers are left: %v\n%s", err, out)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return p
}

// command prepares podman with these arguments.
func (p *podman) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return command(t, "podman", append(append([]string{}, p.flags...), args...)...)
}

// runFlags start a container as the documents say, in a network namespace given
// by its path. The limits are there since podman would raise them, which a
// machine that is itself confined does not let it.
func runFlags(network string, capabilities ...string) []string {
	flags := []string{
		"run", "--rm", "--read-only", "--cap-drop=ALL", "--network", network,
		"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024",
	}
	for _, c := range capabilities {
		flags = append(flags, "--cap-add="+c)
	}
	return flags
}

// baseImage makes an image to build in from what is on this machine: a shell,
// the toolchain (mounted, see buildFlags) and its caches, CA certificates.
func (p *podman) baseImage(t *testing.T) {
	t.Helper()
	busybox := needProgram(t, "busybox", "busybox-static")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "root/bin/busybox"), read(t, busybox), 0o755)
	write(t, filepath.Join(dir, "root/etc/ssl/certs/ca-certificates.crt"), read(t, "/etc/ssl/certs/ca-certificates.crt"), 0o644)
	if err := os.Mkdir(filepath.Join(dir, "root/tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("busybox", filepath.Join(dir, "root/bin/sh")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "Dockerfile"),
		"FROM scratch\nCOPY root /\nENV PATH=/usr/local/go/bin:/bin GOMODCACHE=/modules GOCACHE=/cache\n", 0o644)
	must(t, p.command(t, "build", "--quiet", "--layers=false", "--isolation", "chroot", "--tag", "base", dir))
}

// Of the image that the tests build.
const (
	version     = "1.2.3"
	commit      = "0123456789abcdef0123456789abcdef01234567"
	commitTime  = "2026-01-02T03:04:05Z"
	commitEpoch = "1767323045"
)

// build builds the Dockerfile as the documents say, with these flags.
func (p *podman) build(t *testing.T, flags ...string) {
	t.Helper()
	args := []string{
		"build", "--quiet", "--layers=false", "--isolation", "chroot", "--format", "docker",
		"--volume", goEnv(t, "GOROOT") + ":/usr/local/go:ro",
		"--volume", goEnv(t, "GOMODCACHE") + ":/modules",
		"--volume", goEnv(t, "GOCACHE") + ":/cache",
		"--build-arg", "BUILD_IMAGE=localhost/base",
		"--build-arg", "GOPROXY=" + goEnv(t, "GOPROXY"),
		"--build-arg", "VERSION=" + version, "--build-arg", "COMMIT=" + commit, "--build-arg", "DATE=" + commitTime,
		"--timestamp", commitEpoch,
	}
	must(t, p.command(t, append(append(args, flags...), root)...))
}

// platforms returns the images of a manifest list by architecture.
func (p *podman) platforms(t *testing.T, list string) map[string]string {
	t.Helper()
	var index struct {
		Manifests []struct {
			Digest   string
			Platform struct{ OS, Architecture string }
		}
	}
	if err := json.Unmarshal([]byte(must(t, p.command(t, "manifest", "inspect", "localhost/"+list))), &index); err != nil {
		t.Fatal(err)
	}
	images := make(map[string]string)
	for _, m := range index.Manifests {
		if m.Platform.OS != "linux" {
			t.Errorf("%s is for %s", m.Digest, m.Platform.OS)
		}
		images[m.Platform.Architecture] = "localhost/" + list + "@" + m.Digest
	}
	return images
}

// inspection is what podman tells of an image.
type inspection struct {
	Architecture string
	Size         int64
	User         string
	Labels       map[string]string
	RootFS       struct{ Layers []string }
	Config       struct {
		Healthcheck struct{ Test []string }
		Entrypoint  []string
		Cmd         []string
	}
	Healthcheck struct{ Test []string }
}

func (p *podman) inspect(t *testing.T, tag string) inspection {
	t.Helper()
	var images []inspection
	if err := json.Unmarshal([]byte(must(t, p.command(t, "image", "inspect", tag))), &images); err != nil || len(images) != 1 {
		t.Fatalf("%d images (error %v), want 1", len(images), err)
	}
	return images[0]
}

// mount returns the directory that shows an image.
func (p *podman) mount(t *testing.T, tag string) string {
	t.Helper()
	dir := strings.TrimSpace(must(t, p.command(t, "image", "mount", tag)))
	t.Cleanup(func() {
		unmount := exec.CommandContext(afterTest(t), "podman", append(p.flags, "image", "unmount", "--force", tag)...)
		if out, err := unmount.CombinedOutput(); err != nil {
			t.Errorf("%s stays mounted: %v\n%s", tag, err, out)
		}
	})
	return dir
}
