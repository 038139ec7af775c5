package verify

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

// TestDocuments runs every block of shell commands in the documents: in their
// order, as root, in a copy of the repository, on a host with a path of two
// routers to example.com. For a block to be left out, the line above it has to
// be <!-- not run: the reason -->. A block that only starts `probe-agent serve`
// leaves it running for those that come after it; until there is one, an agent
// with defaults runs.
func TestDocuments(t *testing.T) {
	t.Parallel()
	needRoot(t, "making network namespaces")
	needProgram(t, "curl", "curl")
	needProgram(t, "unshare", "util-linux")
	copied := copyOfRepository(t)
	for _, document := range documents(t) {
		blocks := blocksOf(t, document)
		if len(blocks) == 0 {
			continue
		}
		name, err := filepath.Rel(absolute(t, "."), document)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			lab := kerneltest.Build(t, kernel.Chain(2))
			h := &host{lab: lab, folder: copied, hosts: filepath.Join(t.TempDir(), "hosts")}
			write(t, h.hosts, "127.0.0.1 localhost\n::1 localhost\n"+lab.Targets(false)[0].String()+" example.com\n", 0o644)
			defer h.stop(t)
			for _, b := range blocks {
				t.Run(fmt.Sprint("line ", b.line), func(t *testing.T) { h.follow(t, b) })
			}
		})
	}
}

// documents are the files that people follow.
func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		found, err := filepath.Glob(absolute(t, pattern))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	if !slices.Contains(all, absolute(t, "README.md")) {
		t.Fatalf("no README among %q", all)
	}
	return all
}

// block is a block of shell commands in a document.
type block struct {
	line     int // of its first command
	commands string
	notRun   string // why
}

var (
	fence  = regexp.MustCompile("^ *```([a-z]*)")
	reason = regexp.MustCompile(`^ *<!-- not run: (.{10,}) -->$`)
)

// blocksOf reads the blocks of a document. Blocks of a shell by any other name
// than sh would not be seen, so they are errors.
func blocksOf(t *testing.T, document string) []block {
	t.Helper()
	var blocks []block
	var above string
	language, inside := "", false
	number := 0
	for text := range strings.Lines(read(t, document)) {
		number++
		line := strings.TrimRight(text, "\n")
		match := fence.FindStringSubmatch(line)
		switch {
		case match == nil && inside && language == "sh":
			blocks[len(blocks)-1].commands += line + "\n"
		case match == nil:
			above = line
		case inside:
			inside = false
		default:
			inside, language = true, match[1]
			if slices.Contains([]string{"bash", "shell", "console", "shellsession", "zsh"}, language) {
				t.Errorf("%s:%d: commands have the language sh, not %s", document, number, language)
			}
			if language == "sh" {
				b := block{line: number + 1}
				if why := reason.FindStringSubmatch(above); why != nil {
					b.notRun = why[1]
				}
				blocks = append(blocks, b)
			}
			above = ""
		}
	}
	if inside {
		t.Errorf("%s: its last block does not end", document)
	}
	return blocks
}

// buildsAnywhere is an environment in which what was built in one folder, or
// for the image, need not be built again in another.
func buildsAnywhere() []string {
	return append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
}

// copyOfRepository returns a folder with what a checkout has, and the program,
// so that blocks can leave files behind and need not build it first.
func copyOfRepository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, command(t, "sh", "-c", `tar -C "$1" --exclude=.git --exclude=node_modules -cf - . | tar -C "$2" -xf -`, "sh", absolute(t, "."), dir))
	build := command(t, "go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "probe-agent"), "./cmd/probe-agent")
	build.Dir, build.Env = dir, buildsAnywhere()
	must(t, build)
	return dir
}
