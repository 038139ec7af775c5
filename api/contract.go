package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"net/http"
	"time"
)

//go:embed openapi.yaml
var openAPI string

// contractPath is where Contract is served, to anybody.
const contractPath = "/openapi.yaml"

// Contract returns the OpenAPI 3.0.3 document that the package implements, as
// YAML.
func Contract() string { return openAPI }

// serveContract answers with the contract, or that the client has it already.
func serveContract() http.HandlerFunc {
	document := []byte(openAPI)
	tag := fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(document)))
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/yaml") // RFC 9512
		w.Header().Set("Cache-Control", "no-cache")        // keep it, but ask each time
		w.Header().Set("ETag", tag)
		// ServeContent knows ranges and further conditions, and answers them
		// outside of the envelope: it gets to see this condition only.
		conditional := http.Request{Method: r.Method, Header: http.Header{"If-None-Match": r.Header["If-None-Match"]}}
		http.ServeContent(w, &conditional, "", time.Time{}, bytes.NewReader(document))
	}
}
