package verify

import (
	"bufio"
	"context"
	"encoding/json"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

// maxImage is how large the image may be, in bytes.
const maxImage = 20_000_000

// patience is how long the tests wait for what must come.
const patience = 60 * time.Second

func TestImage(t *testing.T) {
	t.Parallel()
	p := newPodman(t)
	p.baseImage(t)
	// Podman 4.3 does not know by itself what BUILDPLATFORM is.
	p.build(t, "--platform", "linux/amd64,linux/arm64", "--build-arg", "BUILDPLATFORM=linux/"+goEnv(t, "GOHOSTARCH"), "--manifest", "agent")
	images := p.platforms(t, "agent")
	if got, want := slices.Sorted(maps.Keys(images)), []string{"amd64", "arm64"}; !slices.Equal(got, want) {
		t.Fatalf("images for %q, want %q", got, want)
	}
	for arch, image := range images {
		t.Run(arch, func(t *testing.T) {
			t.Parallel()
			inspected := p.inspect(t, image)
			if inspected.Architecture != arch {
				t.Errorf("it says that it is for %s", inspected.Architecture)
			}
			imageSaysWhatItIs(t, inspected)
			dir := p.mount(t, image)
			imageHasOnlyWhatItNeeds(t, dir)
			programIsFor(t, filepath.Join(dir, "usr/bin/probe-agent"), arch)
		})
	}
	t.Run("traces", func(t *testing.T) {
		t.Parallel()
		containerTraces(t, p)
	})
	t.Run("without the capability", func(t *testing.T) {
		t.Parallel()
		containerSaysWhatIsMissing(t, p)
	})
	t.Run("compose", func(t *testing.T) {
		t.Parallel()
		composeTraces(t, p)
	})
	t.Run("twice the same", func(t *testing.T) {
		t.Parallel()
		p.build(t, "--tag", "again")
		if diff := cmp.Diff(p.inspect(t, "agent").RootFS.Layers, p.inspect(t, "again").RootFS.Layers); diff != "" {
			t.Errorf("layers of a second build (-first +second):\n%s", diff)
		}
	})
}

func imageSaysWhatItIs(t *testing.T, image inspection) {
	t.Logf("%d bytes", image.Size)
	if image.Size > maxImage {
		t.Errorf("image has %d bytes, more than %d", image.Size, maxImage)
	}
	if image.User != "65532:65532" {
		t.Errorf("user is %q", image.User)
	}
	for name, want := range map[string]string{
		"org.opencontainers.image.version":  version,
		"org.opencontainers.image.revision": commit,
		"org.opencontainers.image.created":  commitTime,
		"org.opencontainers.image.licenses": "Apache-2.0",
	} {
		if got := image.Labels[name]; got != want {
			t.Errorf("label %s is %q, want %q", name, got, want)
		}
	}
	want := []string{"CMD", "/usr/bin/probe-agent", "health"}
	if !slices.Equal(image.Config.Healthcheck.Test, want) && !slices.Equal(image.Healthcheck.Test, want) {
		t.Errorf("health check is %q and %q, want %q", image.Config.Healthcheck.Test, image.Healthcheck.Test, want)
	}
}

func imageHasOnlyWhatItNeeds(t *testing.T, dir string) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files = append(files, name)
		if at := info.ModTime().UTC().Format(time.RFC3339); at != commitTime {
			t.Errorf("%s is of %s, want %s", name, at, commitTime)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"etc/group", "etc/passwd", "etc/probe-agent/probe-agent.yaml", "etc/ssl/certs/ca-certificates.crt", "usr/bin/probe-agent",
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// containerTraces starts the image in a lab and traces over HTTP.
func containerTraces(t *testing.T, p *podman) {
	lab := kerneltest.Build(t, kernel.Chain(2))
	started := time.Now()
	const name = "traces"
	container := p.command(t, append(runFlags("ns:"+lab.Host.Path(), "NET_RAW"), "--name", name, "agent", "serve", "--names", "off")...)
	stderr, err := container.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := container.Start(); err != nil {
		t.Fatal(err)
	}
	log := agentLog{Scanner: bufio.NewScanner(stderr)}
	if !log.listening() {
		t.Fatalf("it does not listen (%v):\n%s", container.Wait(), log.said.String())
	}

	target := lab.Targets(false)[0].String()
	got := trace(t, lab, "127.0.0.1:8080", target)
	t.Logf("first answer %v after podman run", time.Since(started).Round(time.Millisecond))
	want := []string{lab.Routers[0].IPv4.String(), lab.Routers[1].IPv4.String(), target}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hops (-want +got):\n%s", diff)
	}
	must(t, p.command(t, "exec", name, "/usr/bin/probe-agent", "health"))
	must(t, p.command(t, "exec", name, "/usr/bin/probe-agent", "health", "--ready"))
	confined(t, strings.TrimSpace(must(t, p.command(t, "inspect", "--format", "{{.State.Pid}}", name))))

	must(t, p.command(t, "kill", "--signal", "TERM", name))
	log.rest()
	if err := container.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, log.said.String())
	}
}

// confined demands that a process is neither root nor can become so.
func confined(t *testing.T, pid string) {
	t.Helper()
	const netRaw = "0000000000002000"
	status := make(map[string]string)
	for line := range strings.Lines(read(t, "/proc/"+pid+"/status")) {
		key, value, _ := strings.Cut(line, ":")
		status[key] = strings.TrimSpace(value)
	}
	if status["Uid"] != "65532\t65532\t65532\t65532" {
		t.Errorf("user ids are %q", status["Uid"])
	}
	if status["CapBnd"] != netRaw {
		t.Errorf("bounding set is %s, want %s", status["CapBnd"], netRaw)
	}
}

// trace asks the agent on the lab's host for one traceroute and returns the
// addresses of its hops.
func trace(t *testing.T, lab *kernel.Lab, address, target string) []string {
	t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
			err = lab.Do(func() error {
				conn, err = new(net.Dialer).DialContext(ctx, "tcp", address)
				return err
			})
			return conn, err
		},
	}}
	response, err := client.Post("http://"+address+"/client/v4/accounts/a/diagnostics/traceroute", "application/json",
		strings.NewReader(`{"targets":["`+target+`"]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Result []struct {
			Colos []struct {
				Error string
				Hops  []struct{ Nodes []struct{ IP string } }
			}
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || len(answer.Result) != 1 || len(answer.Result[0].Colos) != 1 {
		t.Fatalf("%s, %+v (error %v)", response.Status, answer, err)
	}
	var hops []string
	for _, hop := range answer.Result[0].Colos[0].Hops {
		var nodes []string
		for _, node := range hop.Nodes {
			nodes = append(nodes, node.IP)
		}
		hops = append(hops, strings.Join(nodes, " "))
	}
	return hops
}

func containerSaysWhatIsMissing(t *testing.T, p *podman) {
	for _, args := range [][]string{{"serve"}, {"trace", "127.0.0.1"}} {
		got := execute(t, p.command(t, append(append(runFlags("none"), "agent"), args...)...))
		if got.code != 2 || !strings.Contains(got.stderr, "CAP_NET_RAW is missing") || !strings.Contains(got.stderr, "--cap-add=NET_RAW") {
			t.Errorf("%v: exit code %d, %q", args, got.code, got.stderr)
		}
	}
	got := execute(t, p.command(t, append(runFlags("none"), "agent", "check")...))
	if got.code != 1 || !strings.Contains(got.stdout, "missing  capability CAP_NET_RAW") {
		t.Errorf("check: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// exists reports whether there is something at a path.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
