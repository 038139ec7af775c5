package verify

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// releaser is the built command deploy/release.
type releaser string

func newReleaser(t *testing.T) releaser {
	t.Helper()
	program := filepath.Join(t.TempDir(), "release")
	build := command(t, "go", "build", "-o", program, ".")
	build.Dir = absolute(t, "deploy/release")
	must(t, build)
	return releaser(program)
}

// release builds a release of one version and returns its directory.
func (r releaser) release(t *testing.T, version, arches string) string {
	t.Helper()
	out := t.TempDir()
	must(t, command(t, string(r), "-source", absolute(t, "."), "-out", out, "-arch", arches,
		"-version", version, "-commit", commit, "-date", commitTime))
	return out
}

// published returns the only file of a release with that ending.
func published(t *testing.T, dir, ending string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"+ending))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files %s (error %v), want 1", len(files), ending, err)
	}
	return files[0]
}

// TestRelease builds what the documents' command does, for both architectures,
// and installs what is for this machine's.
func TestRelease(t *testing.T) {
	t.Parallel()
	r := newReleaser(t)
	first := r.release(t, version, "amd64,arm64")
	sums := read(t, filepath.Join(first, "SHA256SUMS"))
	t.Logf("\n%s", sums)
	check := command(t, "sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = first
	must(t, check)

	for arch, names := range map[string]struct{ deb, rpm string }{
		"amd64": {"amd64", "x86_64"},
		"arm64": {"arm64", "aarch64"},
	} {
		t.Run(arch, func(t *testing.T) {
			t.Parallel()
			t.Run("archive", func(t *testing.T) { archiveHolds(t, published(t, first, "_"+arch+".tar.gz"), arch) })
			t.Run("SBOM", func(t *testing.T) { sbomNames(t, published(t, first, "_"+arch+".cdx.json")) })
			t.Run("deb", func(t *testing.T) { debSays(t, published(t, first, "_"+names.deb+".deb"), names.deb) })
			t.Run("rpm", func(t *testing.T) { rpmSays(t, published(t, first, "."+names.rpm+".rpm"), names.rpm) })
		})
	}
	t.Run("twice the same", func(t *testing.T) {
		t.Parallel()
		again := r.release(t, version, goEnv(t, "GOARCH"))
		for line := range strings.Lines(read(t, filepath.Join(again, "SHA256SUMS"))) {
			if !strings.Contains(sums, line) {
				t.Errorf("not in the first build: %s", line)
			}
		}
	})
	t.Run("installed", func(t *testing.T) {
		t.Parallel()
		needRoot(t, "installing a package")
		newer := r.release(t, "1.2.4", goEnv(t, "GOARCH"))
		names := map[string][2]string{"amd64": {"_amd64.deb", ".x86_64.rpm"}, "arm64": {"_arm64.deb", ".aarch64.rpm"}}[goEnv(t, "GOARCH")]
		t.Run("deb", func(t *testing.T) {
			t.Parallel()
			packageLives(t, newDpkg(t), published(t, first, names[0]), published(t, newer, names[0]))
		})
		t.Run("systemd", func(t *testing.T) {
			t.Parallel()
			systemdRuns(t, published(t, first, names[0]))
		})
		t.Run("rpm", func(t *testing.T) {
			t.Parallel()
			packageLives(t, newRpm(t), published(t, first, names[1]), published(t, newer, names[1]))
		})
	})
}

func archiveHolds(t *testing.T, path, arch string) {
	dir := t.TempDir()
	must(t, command(t, "tar", "-C", dir, "--strip-components=1", "-xzf", path))
	for _, name := range []string{
		"LICENSE", "README.md", "CHANGELOG.md", "probe-agent.yaml", "probe-agent.service",
		"probe-agent.1.gz", "completion.bash", "completion.zsh", "completion.fish",
	} {
		if read(t, filepath.Join(dir, name)) == "" {
			t.Errorf("%s is empty", name)
		}
	}
	program := filepath.Join(dir, "probe-agent")
	programIsFor(t, program, arch)
	if arch != goEnv(t, "GOARCH") {
		return
	}
	if said := must(t, exec.CommandContext(t.Context(), program, "version")); !strings.HasPrefix(said, "probe-agent "+version+"\ncommit "+commit+" ("+commitTime+")\n") {
		t.Errorf("it says\n%s", said)
	}
}

func sbomNames(t *testing.T, path string) {
	sbom := read(t, path)
	for _, module := range []string{`"bomFormat": "CycloneDX"`, `"name": "github.com/alecthomas/kong"`, `"name": "std"`, `"alg": "SHA-256"`} {
		if !strings.Contains(sbom, module) {
			t.Errorf("it lacks %s", module)
		}
	}
}

// debSays reads a package with dpkg-deb(1).
func debSays(t *testing.T, path, arch string) {
	needProgram(t, "dpkg-deb", "dpkg")
	want := "Package: probe-agent\nVersion: " + version + "\nArchitecture: " + arch + "\n"
	if diff := cmp.Diff(want, must(t, command(t, "dpkg-deb", "--field", path, "Package", "Version", "Architecture"))); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

// rpmSays reads a package with rpm(8).
func rpmSays(t *testing.T, path, arch string) {
	needProgram(t, "rpm", "rpm")
	want := "probe-agent " + version + " " + arch + " linux\n"
	if diff := cmp.Diff(want, must(t, command(t, "rpm", "-qp", "--qf", `%{NAME} %{VERSION} %{ARCH} %{OS}\n`, path))); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if flags := must(t, command(t, "rpm", "-qp", "--qf", `[%{FILENAMES} %{FILEFLAGS:fflags}\n]`, path)); !strings.Contains(flags, "/etc/probe-agent/probe-agent.yaml cn\n") {
		t.Errorf("configuration is not config(noreplace):\n%s", flags)
	}
}
