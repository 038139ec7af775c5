package api_test

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"probe-agent/quota"
)

func recordedCases() []recordedCase {
	return slices.Concat(answeredCases(), refusedCases(), guardedCases(), busyCases(), otherCases())
}

// answeredCases are answered with traces, in every form that there is.
func answeredCases() []recordedCase {
	bodies := []struct{ name, cloudflare, native string }{
		{"plain", `{"targets":["203.0.113.80"]}`, ""},
		{"one-colo", `{"targets":["203.0.113.80"],"colos":["DEN02"]}`, ""},
		{"colos", `{"targets":["203.0.113.80"],"colos":["ams","den"]}`, ""},
		{
			"options", `{"targets":["203.0.113.80"],"colos":["den01"],"options":{"max_ttl":20,"packet_type":"udp","packets_per_ttl":3.0,"port":33500,"wait_time":2}}`,
			`{"targets":["203.0.113.80"],"colos":["den01"],"options":{"max_ttl":20,"packet_type":"udp","packets_per_ttl":3.0,"port":33500,"wait_ms":250,"family":"ipv4"}}`,
		},
		{"rich", `{"targets":["rich.example"],"colos":["den01","ams01"],"options":{"packet_type":"tcp"}}`, ""},
		{"six", `{"targets":["six.example"],"colos":["den01","ams01"],"options":{"packets_per_ttl":5}}`, ""},
		{"halves", `{"targets":["halves.example"],"colos":["den01","ams01"],"options":{"packet_type":"gre+icmp"}}`, ""},
		{"labels", `{"targets":["labels.example"],"colos":["den01"],"options":{"packet_type":"gre","packets_per_ttl":1}}`, ""},
		{"silent", `{"targets":["silent.example"],"colos":["ams01"],"options":{"packets_per_ttl":1}}`, ""},
		{"failures", `{"targets":["absent.example","slow.example","refused.example","unsent.example","other.example","203.0.113.80"],"colos":["den01","ams01"]}`, ""},
		{"deadline", `{"targets":["endless.example","203.0.113.80"],"colos":["den01"]}`, ""},
	}
	var cases []recordedCase
	for _, b := range bodies {
		native := b.native
		if native == "" {
			native = b.cloudflare
		}
		cases = append(cases,
			recordedCase{name: "cloudflare-" + b.name, body: b.cloudflare},
			recordedCase{name: "whole-" + b.name, path: nativePath, body: native},
			recordedCase{name: "ndjson-" + b.name, path: nativePath, body: native, headers: []string{asNDJSON}},
			recordedCase{name: "sse-" + b.name, path: nativePath, body: native, headers: []string{asSSE}},
		)
	}
	const body = `{"targets":["203.0.113.80"],"colos":["den01"]}`
	return append(cases,
		recordedCase{name: "cloudflare-twice", body: `{"targets":["203.0.113.80","203.0.113.80"],"colos":["den01","den02","den"]}`},
		recordedCase{name: "cloudflare-null", body: `{"targets":["203.0.113.80"],"colos":null,"options":null}`},
		recordedCase{name: "whole-null", path: nativePath, body: `{"targets":["203.0.113.80"],"colos":null,"options":null}`},
		recordedCase{name: "cloudflare-bare-root", path: "/accounts/acme/diagnostics/traceroute", body: body, headers: []string{"Content-Type: text/plain", "api-version: 1", "X-Stainless-Lang: js"}},
		recordedCase{name: "cloudflare-unknown-fields", body: `{"targets":["203.0.113.80"],"colos":["den01"],"more":1,"options":{"more":2}}`},
		recordedCase{name: "cloudflare-gzip", body: body, gzip: true},
		recordedCase{name: "whole-gzip", path: nativePath, body: body, gzip: true},
		recordedCase{name: "whole-accept", path: nativePath, body: body, headers: []string{"Accept: text/html, application/json;q=0.5, */*;q=0.1"}},
		recordedCase{name: "cloudflare-cut", body: `{"targets":["endless.example","203.0.113.80"],"colos":["den01"]}`, cut: 1550 * time.Millisecond},
		recordedCase{name: "whole-cut", path: nativePath, body: `{"targets":["endless.example","203.0.113.80"],"colos":["den01"]}`, cut: 1550 * time.Millisecond},
		recordedCase{name: "ndjson-cut", path: nativePath, body: `{"targets":["endless.example","203.0.113.80"],"colos":["den01"]}`, cut: 1550 * time.Millisecond, headers: []string{asNDJSON}},
		recordedCase{name: "cloudflare-panic", body: `{"targets":["panic.example","203.0.113.80"]}`},
		recordedCase{name: "whole-panic", path: nativePath, body: `{"targets":["panic.example","203.0.113.80"]}`},
		recordedCase{name: "ndjson-panic", path: nativePath, body: `{"targets":["panic.example"],"colos":["den01"]}`, headers: []string{asNDJSON}},
		recordedCase{name: "sse-panic", path: nativePath, body: `{"targets":["panic.example"],"colos":["den01"]}`, headers: []string{asSSE}},
	)
}

// refusedCases are requests whose body or form is wrong.
func refusedCases() []recordedCase {
	var cases []recordedCase
	for name, body := range map[string]string{
		"empty":          ``,
		"no-json":        `{"targets":`,
		"array":          `[]`,
		"json-null":      `null`,
		"types":          `{"targets":"a","colos":[1],"options":{"max_ttl":"15","packet_type":1,"port":1.5}}`,
		"options-type":   `{"targets":["a.example"],"options":[]}`,
		"no-targets":     `{}`,
		"eleven":         `{"targets":["a","b","c","d","e","f","g","h","i","j","k"]}`,
		"bad-targets":    `{"targets":["","https://a.example/","a.example:80","[2001:db8::1]","fe80::1%eth0","10.0.0.0/8","-a","2001:db8::x","a..b","1.2.3"]}`,
		"out-of-range":   `{"targets":["a.example"],"options":{"max_ttl":65,"packets_per_ttl":11,"port":65536,"wait_time":6}}`,
		"negative":       `{"targets":["a.example"],"options":{"max_ttl":-1,"packets_per_ttl":-1,"port":-1,"wait_time":-1}}`,
		"packet-type":    `{"targets":["a.example"],"options":{"packet_type":"sctp"}}`,
		"colo":           `{"targets":["a.example"],"colos":["den01","lhr","AMS01"]}`,
		"many-faults":    `{"targets":["a b"],"colos":["` + strings.Repeat(`x","`, 40) + `x"],"options":{"max_ttl":99}}`,
		"too-large":      `{"targets":["` + strings.Repeat("a", 64<<10) + `"]}`,
		"native-options": `{"targets":["a.example"],"options":{"wait_time":1,"wait_ms":5001,"family":"ipv5"}}`,
		"native-both":    `{"targets":["a.example"],"options":{"wait_time":1,"wait_ms":500}}`,
		"unknown-field":  `{"targets":[""],"tagrets":[],"options":{"ttl":3}}`,
	} {
		cases = append(cases,
			recordedCase{name: "refused-cloudflare-" + name, body: body},
			recordedCase{name: "refused-native-" + name, path: nativePath, body: body, headers: []string{asNDJSON}},
		)
	}
	slices.SortFunc(cases, func(a, b recordedCase) int { return strings.Compare(a.name, b.name) })
	const body = `{"targets":["203.0.113.80"]}`
	return append(cases,
		recordedCase{name: "refused-accept", path: nativePath, body: body, headers: []string{"Accept: text/html"}},
		recordedCase{name: "refused-encoding", body: body, headers: []string{"Content-Encoding: br"}},
		recordedCase{name: "refused-no-gzip", body: body, headers: []string{"Content-Encoding: gzip"}},
		recordedCase{name: "refused-gzip-bomb", body: `{"targets":["` + strings.Repeat("a", 1<<20) + `"]}`, gzip: true},
		recordedCase{name: "refused-account", path: "/client/v4/accounts/a%20b/diagnostics/traceroute", body: body},
		recordedCase{name: "refused-account-long", path: "/accounts/" + strings.Repeat("a", 33) + "/diagnostics/traceroute", body: body},
		recordedCase{name: "refused-page-origin", body: body, headers: []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}},
		recordedCase{name: "refused-page-host", path: nativePath, body: body, headers: []string{"Host: evil.example"}},
	)
}

// guardedCases come to an agent that has credentials.
func guardedCases() []recordedCase {
	const body = `{"targets":["203.0.113.80"],"colos":["den01"]}`
	headers := map[string][]string{
		"token":     {"Authorization: Bearer {ops}"},
		"key":       {"X-Auth-Email: ops@example.org", "X-Auth-Key: {key}"},
		"none":      nil,
		"wrong":     {"Authorization: Bearer wrong"},
		"expired":   {"Authorization: Bearer {old}"},
		"scheme":    {"Authorization: Basic b3BzOm9wcw=="},
		"twice":     {"Authorization: Bearer {ops}", "Authorization: Bearer {ops}"},
		"key-alone": {"X-Auth-Key: {key}"},
		"bad-email": {"X-Auth-Email: a b", "X-Auth-Key: {key}"},
	}
	var cases []recordedCase
	for name, h := range headers {
		cases = append(cases,
			recordedCase{name: "guarded-cloudflare-" + name, body: body, keys: true, headers: h},
			recordedCase{name: "guarded-native-" + name, path: nativePath, body: body, keys: true, headers: h},
		)
	}
	slices.SortFunc(cases, func(a, b recordedCase) int { return strings.Compare(a.name, b.name) })
	return append(cases,
		recordedCase{name: "guarded-other-account", path: "/accounts/beta/diagnostics/traceroute", body: body, keys: true, headers: headers["token"]},
		recordedCase{name: "guarded-flood", body: body, keys: true, headers: headers["wrong"], again: 30},
	)
}

// busyCases come to an agent that has too much to do, or is about to end.
func busyCases() []recordedCase {
	const body, endless = `{"targets":["203.0.113.80"],"colos":["den01"]}`, `{"targets":["endless.example"],"colos":["den01"]}`
	oneRequest := func(l *quota.Limits) { l.Requests, l.Window = 1, 30*time.Second }
	oneTrace := func(l *quota.Limits) { l.Traces, l.TracesPerToken, l.Wait = 1, 1, 2*time.Second }
	noQueue := func(l *quota.Limits) {
		l.Traces, l.TracesPerToken, l.Queue, l.QueuePerAccount = 1, 1, 1, 1
	}
	var cases []recordedCase
	for name, path := range map[string]string{"cloudflare": cloudflarePath, "native": nativePath} {
		cases = append(cases,
			recordedCase{name: "busy-rate-" + name, path: path, body: body, limit: oneRequest, again: 1},
			recordedCase{name: "busy-queue-timeout-" + name, path: path, body: body, limit: oneTrace, beside: endless, headers: []string{asNDJSON}},
			recordedCase{name: "busy-draining-" + name, path: path, body: body, drain: true},
			recordedCase{name: "busy-no-rate-" + name, path: path, body: body, limit: func(l *quota.Limits) { l.Requests = 0 }},
		)
	}
	slices.SortFunc(cases, func(a, b recordedCase) int { return strings.Compare(a.name, b.name) })
	return append(cases,
		recordedCase{name: "busy-queue-of-one", body: body, limit: noQueue},
		recordedCase{name: "busy-one-trace-at-once", body: `{"targets":["203.0.113.80","labels.example"],"colos":["den01"]}`, limit: oneTrace},
	)
}

// otherCases are not about traces.
func otherCases() []recordedCase {
	var cases []recordedCase
	for name, path := range map[string]string{
		"root": "/", "client": "/client/v4", "accounts": "/accounts/acme", "slash": nativePath + "/", "case": "/V1/traces", "metrics": "/metrics",
	} {
		cases = append(cases, recordedCase{name: "route-" + name, path: path, body: "{}"})
	}
	for name, path := range map[string]string{"cloudflare": cloudflarePath, "native": nativePath, "healthz": "/healthz", "readyz": "/readyz"} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete, "BREW"} {
			cases = append(cases, recordedCase{name: "method-" + strings.ToLower(method) + "-" + name, method: method, path: path})
		}
	}
	slices.SortFunc(cases, func(a, b recordedCase) int { return strings.Compare(a.name, b.name) })
	return append(cases,
		recordedCase{name: "readyz-unready", method: http.MethodGet, path: "/readyz", unready: true},
		recordedCase{name: "readyz-draining", method: http.MethodGet, path: "/readyz", drain: true},
		recordedCase{name: "healthz-unready", method: http.MethodGet, path: "/healthz", unready: true},
	)
}
