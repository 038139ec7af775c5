package verify

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

// composeFile is below the repository's top.
const composeFile = "deploy/compose.yaml"

// composeTraces has docker-compose start the image as the file says, and traces
// over HTTP. In place of Docker there is podman, which understands the same
// requests; its host network is that of a lab.
func composeTraces(t *testing.T, p *podman) {
	needProgram(t, "docker-compose", "docker-compose")
	lab := kerneltest.Build(t, kernel.Chain(1))
	must(t, p.command(t, "tag", "agent", "probe-agent:latest"))
	socket := p.serveDocker(t, lab)
	compose := func(args ...string) *kernel.Cmd {
		cmd := lab.Command(t.Context(), "docker-compose", append([]string{"--file", absolute(t, composeFile), "--project-name", "verify"}, args...)...)
		cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+socket)
		return cmd
	}

	// A key that the file's specification does not know is an error here.
	must(t, compose("config", "--quiet").Cmd)
	up := compose("up", "--no-build", "--no-color")
	stdout, err := up.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	log := agentLog{Scanner: bufio.NewScanner(stdout)}
	if !log.listening() {
		t.Fatalf("it does not listen (%v):\n%s", up.Wait(), log.said.String())
	}
	target := lab.Targets(false)[0].String()
	if diff := cmp.Diff([]string{lab.Routers[0].IPv4.String(), target}, trace(t, lab, "127.0.0.1:8080", target)); diff != "" {
		t.Errorf("hops (-want +got):\n%s", diff)
	}
	must(t, compose("down").Cmd)
	log.rest()
	if err := up.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log.said.String())
	}
}

// serveDocker answers Docker's requests at a socket, whose path it returns, for
// the length of the test.
func (p *podman) serveDocker(t *testing.T, lab *kernel.Lab) string {
	t.Helper()
	// It is handed the socket as systemd would, so that requests can wait for it.
	path := filepath.Join(p.dir, "docker")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	listener.SetUnlinkOnClose(false)
	socket, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	// The limits are those of runFlags, which docker-compose has no flag for.
	limits := filepath.Join(p.dir, "containers.conf")
	write(t, limits, "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n", 0o644)
	service := lab.Command(afterTest(t), "sh", append([]string{"-c", `LISTEN_PID=$$ exec podman "$@"`, "sh"}, append(p.flags, "system", "service", "--time", "0")...)...)
	service.Env = append(os.Environ(), "LISTEN_FDS=1", "CONTAINERS_CONF="+limits)
	service.ExtraFiles = []*os.File{socket}
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := service.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		service.Wait() // its exit code tells only that it was interrupted
	})
	return path
}
