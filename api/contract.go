package api

import _ "embed"

//go:embed openapi.yaml
var openAPI string

// Contract returns the OpenAPI 3.0.3 document that the package implements, as
// YAML.
func Contract() string { return openAPI }
