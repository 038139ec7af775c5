package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the linker when a release is built, where the work tree's own history
// is not at hand: -ldflags "-X main.version=1.2.3 -X main.commit=… -X main.date=…".
// date is the commit's, in the form of RFC 3339.
var version, commit, date string

type versionCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// build is what identifies a binary.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"commit_time,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from a work tree with changes
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Run prints the build, one fact a line.
func (c *versionCommand) Run(t terminal) error {
	info, _ := debug.ReadBuildInfo()
	b := buildOf(info)
	if c.JSON {
		return json.NewEncoder(t.out).Encode(b)
	}
	fmt.Fprintf(t.out, "probe-agent %s\n", b.Version)
	if b.Commit != "" {
		suffix := ""
		if b.Modified {
			suffix = ", with local changes"
		}
		fmt.Fprintf(t.out, "commit %s (%s%s)\n", b.Commit, b.Time, suffix)
	}
	fmt.Fprintf(t.out, "%s %s\n", b.Go, b.Platform)
	return nil
}

// buildOf reads the build from what the toolchain recorded; info is nil for a
// binary built without modules.
func buildOf(info *debug.BuildInfo) build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info == nil {
		info = &debug.BuildInfo{}
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	if b.Version == "" {
		b.Version = "(devel)"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	if commit != "" {
		b.Commit, b.Time, b.Modified = commit, date, false
	}
	return b
}
