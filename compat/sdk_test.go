package compat

import (
	"encoding/json"
	"net/http"
	"testing"
)

// account is an account id of the form that Cloudflare's have.
const account = "023e105f4ecef8ad9ca31a8372d0c353"

// sdk is one of the official SDKs: how it is called, and what is known of it.
type sdk struct {
	name string
	// open makes the SDK ready, or skips the test when it cannot be run here.
	open func(t *testing.T) caller
	// lost are the fields of an answer that the SDK's types do not have.
	lost []string
	// unset are the fields of the SDK's types that an answer need not have.
	unset []string
	// classes are the exceptions that it raises, by HTTP status.
	classes map[int]string
	// blind marks an SDK whose errors do not show the field at fault.
	blind bool
	// portless marks an SDK that has no option for the port.
	portless bool
	// unclassed marks an SDK that says of what it has tried in vain that it has
	// given up, and no more.
	unclassed bool
}

// caller makes one request through an SDK that has been given base as its base
// URL and a credential, and nothing else.
type caller func(t *testing.T, base string, a ask) outcome

// showing returns a caller that shows c where an ask has no credential.
func (call caller) showing(c credential) caller {
	return func(t *testing.T, base string, a ask) outcome {
		t.Helper()
		if a.credential == (credential{}) {
			a.credential = c
		}
		return call(t, base, a)
	}
}

// sdks are those that the agent is held to.
func sdks() []sdk { return []sdk{goV6(), goV0(), typescript()} }

// ask is a request. The zero options are not sent by SDKs that have a choice.
type ask struct {
	Account string   `json:"account_id"`
	Targets []string `json:"targets"`
	Colos   []string `json:"colos,omitempty"`
	Options options  `json:"options,omitzero"`

	credential credential
	// once keeps the SDK from trying again by itself.
	once bool
}

// credential is what a client shows: a token, or a key and its email address.
type credential struct{ token, email, key string }

// environment returns it as the variables that the SDKs read.
func (c credential) environment() []string {
	if c.token != "" {
		return []string{"CLOUDFLARE_API_TOKEN=" + c.token}
	}
	return []string{"CLOUDFLARE_EMAIL=" + c.email, "CLOUDFLARE_API_KEY=" + c.key}
}

type options struct {
	MaxTTL        int    `json:"max_ttl,omitempty"`
	PacketType    string `json:"packet_type,omitempty"`
	PacketsPerTTL int    `json:"packets_per_ttl,omitempty"`
	Port          int    `json:"port,omitempty"`
	WaitTime      int    `json:"wait_time,omitempty"`
}

// outcome is what the user of an SDK gets.
type outcome struct {
	// Result is what the SDK made of the answer, written as JSON again.
	Result json.RawMessage `json:"result"`
	// Misfits are the fields at odds with the SDK's types, by its own account.
	Misfits []string `json:"misfits"`
	// Refused is the SDK's exception, nil when there was none.
	Refused *refusal `json:"refused"`
}

// refusal is an exception as far as its fields tell.
type refusal struct {
	Class  string  `json:"class"`
	Status int     `json:"status"`
	Ray    string  `json:"ray"`         // id of the request
	Retry  string  `json:"retry_after"` // when to ask again, in seconds
	Faults []fault `json:"faults"`
}

type fault struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Pointer string `json:"pointer"`
}

// trace is the part of a result about one target.
type trace struct {
	Target string
	Colos  []struct {
		Colo    struct{ Name, City string }
		Error   string
		TimeMS  int     `json:"traceroute_time_ms"`
		Summary summary `json:"target_summary"`
		Hops    []hop
	}
}

type summary struct {
	IP, Name    string
	PacketCount int     `json:"packet_count"`
	Min         float64 `json:"min_rtt_ms"`
	Mean        float64 `json:"mean_rtt_ms"`
	Max         float64 `json:"max_rtt_ms"`
}

type hop struct {
	TTL   int `json:"packets_ttl"`
	Sent  int `json:"packets_sent"`
	Lost  int `json:"packets_lost"`
	Nodes []node
}

type node struct {
	summary

	Labels []string
}

// traces sends a through the tap and returns what the SDK made of the answer,
// which must be all of the answer and nothing else.
func (s sdk) traces(t *testing.T, call caller, p *tap, a ask) []trace {
	t.Helper()
	got := call(t, p.url+"/client/v4", a)
	x := p.only(t)
	if got.Refused != nil {
		t.Fatalf("refused: %+v", *got.Refused)
	}
	if x.status != http.StatusOK {
		t.Fatalf("status %d: %s", x.status, x.answer)
	}
	s.checkSent(t, x.request, a)
	s.checkRead(t, x.answer, got)
	return decode(t, got.Result)
}

func decode(t *testing.T, result json.RawMessage) []trace {
	t.Helper()
	var traces []trace
	if err := json.Unmarshal(result, &traces); err != nil {
		t.Fatalf("what the SDK read: %v\n%s", err, result)
	}
	return traces
}
