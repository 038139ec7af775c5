package compat

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	cloudflare "github.com/cloudflare/cloudflare-go"
)

// goV0 is the SDK of before, which much deployed software has. Its types are
// strict: a fraction in an integer or a number in a string fails the call.
func goV0() sdk {
	const summary = "result[].colos[].target_summary."
	return sdk{
		name: "go-v0",
		open: func(*testing.T) caller { return callV0 },
		// It reads the summary by the names that nodes have, and no labels.
		lost: []string{
			"result[].colos[].hops[].nodes[].labels",
			summary + "mean_latency_ms", summary + "std_dev_latency_ms",
			summary + "min_latency_ms", summary + "max_latency_ms",
		},
		unset:     []string{"result[].colos[].error"},
		classes:   map[int]string{400: "*cloudflare.RequestError", 403: "*cloudflare.AuthenticationError", 404: "*cloudflare.NotFoundError"},
		blind:     true,
		portless:  true,
		unclassed: true,
	}
}

func callV0(t *testing.T, base string, a ask) outcome {
	t.Helper()
	how := []cloudflare.Option{cloudflare.BaseURL(base)}
	if a.once {
		how = append(how, cloudflare.UsingRetryPolicy(0, 0, 0))
	}
	api, err := cloudflare.NewWithAPIToken(a.credential.token, how...)
	if a.credential.token == "" {
		api, err = cloudflare.New(a.credential.key, a.credential.email, how...)
	}
	if err != nil {
		t.Fatal(err)
	}
	traces, err := api.PerformTraceroute(t.Context(), a.Account, a.Targets, a.Colos, cloudflare.DiagnosticsTracerouteConfigurationOptions{
		PacketsPerTTL: a.Options.PacketsPerTTL,
		PacketType:    a.Options.PacketType,
		MaxTTL:        a.Options.MaxTTL,
		WaitTime:      a.Options.WaitTime,
	})
	if err != nil {
		return refusedV0(t, err)
	}
	result, err := json.Marshal(traces)
	if err != nil {
		t.Fatal(err)
	}
	return outcome{Result: result}
}

func refusedV0(t *testing.T, err error) outcome {
	t.Helper()
	// Every class wraps the one that holds the fields.
	refused, ok := errors.AsType[*cloudflare.Error](err)
	if !ok && gaveUpV0(err) {
		return outcome{Refused: &refusal{Class: fmt.Sprintf("%T", err)}}
	}
	if !ok {
		t.Fatalf("the SDK failed with %T: %v", err, err)
	}
	r := &refusal{Class: fmt.Sprintf("%T", err), Status: refused.StatusCode, Ray: refused.RayID}
	for _, e := range refused.Errors {
		r.Faults = append(r.Faults, fault{Code: e.Code, Message: e.Message})
	}
	return outcome{Refused: r}
}

// gaveUpV0 reports whether err is all that there is when the last try was
// answered with 429 or 5xx.
func gaveUpV0(err error) bool {
	return strings.Contains(err.Error(), "exceeded available rate limit retries") || strings.Contains(err.Error(), "please try again later")
}
