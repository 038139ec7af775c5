package main

import (
	"runtime/debug"
	"testing"
)

func TestBuildOf(t *testing.T) {
	info := &debug.BuildInfo{
		Main: debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123abcd"},
			{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"},
			{Key: "vcs.modified", Value: "true"},
		},
	}
	got := buildOf(info)
	if got.Version != "v1.2.3" || got.Commit != "0123abcd" || got.Time != "2026-01-02T03:04:05Z" || !got.Modified {
		t.Errorf("build is %+v", got)
	}
	if got := buildOf(nil); got.Version != "(devel)" || got.Go == "" {
		t.Errorf("without build information it is %+v", got)
	}
}
