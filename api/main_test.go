package api

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3filter"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// What is no JSON is text to the contract.
	for _, mediaType := range []string{"application/x-ndjson", "text/event-stream", "application/yaml"} {
		openapi3filter.RegisterBodyDecoder(mediaType, openapi3filter.PlainBodyDecoder)
	}
	goleak.VerifyTestMain(m)
}
