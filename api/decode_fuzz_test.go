package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"probe-agent/api/envelope"
)

// FuzzDecode feeds bodies to the decoder. Whatever it accepts, the schema of
// the contract accepts; it comes back from its own JSON; and what it refuses,
// it refuses in a form that the contract has.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `[]`, `{}`, `{"targets":["192.0.2.1"]}`, `{"targets":[1,null,""],"colos":["den",""],"options":[]}`,
		`{"targets":["a.b","::1"],"colos":["DEN01"],"options":{"max_ttl":64,"packet_type":"gre+icmp","packets_per_ttl":1e1,"port":6.5535e4,"wait_time":-0}}`,
		`{"targets":["a"],"options":{"max_ttl":1e400,"port":"1","wait_time":1.5,"packet_type":null}}`,
		`{"targets":["a"],"targets":["b"]}`, "{\"targets\":[\"\xff\"]}", `{"targets":["\ud800"]}`, `{"targets":["a"]}x`,
	} {
		f.Add([]byte(seed))
	}
	l := loadLaw(f)
	s := newService(f, &fakeColo{name: "den01"}, &fakeColo{name: "den02"})
	f.Fuzz(func(t *testing.T, body []byte) {
		req, err := s.Decode(body)
		if err != nil {
			refused, ok := err.(*envelope.Error)
			if !ok || refused.Status != http.StatusBadRequest {
				t.Fatalf("error %#v", err)
			}
			out, err := json.Marshal(refused.Envelope())
			if err != nil {
				t.Fatal(err)
			}
			var v any
			if err := json.Unmarshal(out, &v); err != nil {
				t.Fatal(err)
			}
			if err := l.doc.Components.Schemas["Refusal"].Value.VisitJSON(v); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			return
		}
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			if strings.Contains(err.Error(), "cannot unmarshal number") {
				return // a number beyond float64 in a field that is ignored
			}
			t.Fatalf("accepted what is not JSON: %v", err)
		}
		if err := l.doc.Components.Schemas["Request"].Value.VisitJSON(v); err != nil {
			t.Fatalf("accepted against the contract: %v", err)
		}
		again, err := json.Marshal(map[string]any{"targets": req.Targets, "colos": req.Colos, "options": map[string]any{
			"max_ttl": req.Options.MaxTTL, "packet_type": req.Options.PacketType, "packets_per_ttl": req.Options.PacketsPerTTL,
			"port": req.Options.Port, "wait_time": req.Options.WaitTime,
		}})
		if err != nil {
			t.Fatal(err)
		}
		back, err := s.Decode(again)
		if diff := cmp.Diff(req, back, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	})
}

// FuzzDecodeNative holds what the decoder of the native form accepts against
// the schema, and what it refuses against that of refusals.
func FuzzDecodeNative(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{"targets":["192.0.2.1"]}`, `{"targets":["a"],"x":1,"":2,"a/b~":3}`, `{"targets":["a"],"options":{"wait_ms":5e3,"family":"ipv6"}}`,
		`{"targets":["a"],"options":{"wait_ms":1,"wait_time":1,"family":4}}`, `{"targets":["a"],"options":{"\ud800":0}}`,
	} {
		f.Add([]byte(seed))
	}
	schemas := loadLaw(f).doc.Components.Schemas
	s := newService(f, &fakeColo{name: "den01"})
	f.Fuzz(func(t *testing.T, body []byte) {
		_, err := s.DecodeNative(body)
		if err == nil {
			var v any
			if err := json.Unmarshal(body, &v); err != nil {
				t.Fatalf("accepted what is not JSON: %v", err)
			}
			if err := schemas["TracesRequest"].Value.VisitJSON(v); err != nil {
				t.Fatalf("accepted against the contract: %v", err)
			}
			return
		}
		refused, ok := err.(*envelope.Error)
		if !ok || refused.Status != http.StatusBadRequest {
			t.Fatalf("error %#v", err)
		}
		out, err := json.Marshal(refused.Envelope())
		if err != nil || len(out) > 64<<10 {
			t.Fatalf("%v, %d bytes", err, len(out))
		}
		var v any
		if err := json.Unmarshal(out, &v); err != nil {
			t.Fatal(err)
		}
		if err := schemas["Refusal"].Value.VisitJSON(v); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
}
