package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"probe-agent/quota"
)

// FuzzBodies posts bodies to both endpoints. Whatever one accepts, the schema of
// the contract accepts, and what it refuses, it refuses in a form that the
// contract has, and that is small.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `[]`, `{}`, `{"targets":["192.0.2.1"]}`, `{"targets":[1,null,""],"colos":["den",""],"options":[]}`,
		`{"targets":["a.b","::1"],"colos":["DEN01"],"options":{"max_ttl":64,"packet_type":"gre+icmp","packets_per_ttl":1e1,"port":6.5535e4,"wait_time":-0}}`,
		`{"targets":["a"],"options":{"max_ttl":1e400,"port":"1","wait_time":1.5,"packet_type":null}}`,
		`{"targets":["a"],"targets":["b"]}`, "{\"targets\":[\"\xff\"]}", `{"targets":["\ud800"]}`, `{"targets":["a"]}x`,
		`{"targets":["a"],"x":1,"":2,"a/b~":3}`, `{"targets":["a"],"options":{"wait_ms":5e3,"family":"ipv6"}}`,
		`{"targets":["a"],"options":{"wait_ms":1,"wait_time":1,"family":4}}`, `{"targets":["a"],"options":{"\ud800":0}}`,
	} {
		f.Add([]byte(seed))
	}
	l := loadLaw(f)
	limits := quota.Default()
	limits.Requests = 0 // no limit
	h := New(Config{Service: newService(f, &fakeColo{name: "den01"}, &fakeColo{name: "den02"}), Log: quiet(), Limiter: newLimiter(f, limits)})
	f.Fuzz(func(t *testing.T, body []byte) {
		body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) // which the contract is not asked about
		var v any
		if err := json.Unmarshal(body, &v); err != nil && strings.Contains(err.Error(), "cannot unmarshal number") {
			return // a number beyond float64, which is ignored in an unknown field
		}
		for _, path := range []string{endpoint, nativePath} {
			got := l.ask(t, h, http.MethodPost, path, string(body))
			if got.status != http.StatusOK && got.status != http.StatusBadRequest || got.status == http.StatusBadRequest && len(got.body) > 64<<10 {
				t.Errorf("%s: %d with %d bytes", path, got.status, len(got.body))
			}
		}
	})
}
