package main

import (
	"testing"

	"probe-agent/api"
)

func TestExitCodeOfAnswer(t *testing.T) {
	reached := api.ColoResult{Summary: api.TargetSummary{PacketCount: 1}}
	silent := api.ColoResult{}
	failed := api.ColoResult{Error: "Could not gather traceroute data: Code 1"}
	answer := func(colos ...api.ColoResult) *api.Response {
		r := &api.Response{Success: true}
		for _, c := range colos {
			r.Result = append(r.Result, api.TargetResult{Colos: []api.ColoResult{c}})
		}
		return r
	}
	tests := []struct {
		name     string
		response *api.Response
		want     int
	}{
		{"reached", answer(reached, reached), exitOK},
		{"one not reached", answer(reached, silent), exitPartial},
		{"one failed", answer(failed, silent, reached), exitError},
		{"refused", &api.Response{}, exitError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := codeOf(tt.response); got != tt.want {
				t.Errorf("exit code %d, want %d", got, tt.want)
			}
		})
	}
}
