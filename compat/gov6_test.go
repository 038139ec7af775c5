package compat

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cloudflare/cloudflare-go/v6"
	"github.com/cloudflare/cloudflare-go/v6/diagnostics"
	"github.com/cloudflare/cloudflare-go/v6/option"
)

func goV6() sdk {
	const err = "*cloudflare.Error"
	return sdk{
		name:    "go-v6",
		open:    func(*testing.T) caller { return callV6 },
		unset:   []string{"result[].colos[].error", "result[].colos[].hops[].nodes[].labels"},
		classes: map[int]string{400: err, 403: err, 404: err, 429: err, 503: err},
	}
}

func callV6(t *testing.T, base string, a ask) outcome {
	t.Helper()
	for _, v := range os.Environ() {
		if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(name, "CLOUDFLARE_") {
			t.Setenv(name, value) // brings it back afterwards
			os.Unsetenv(name)
		}
	}
	t.Setenv("CLOUDFLARE_BASE_URL", base)
	for _, v := range a.credential.environment() {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	var how []option.RequestOption
	if a.once {
		how = append(how, option.WithMaxRetries(0))
	}
	client := cloudflare.NewClient(how...)
	page, err := client.Diagnostics.Traceroutes.New(t.Context(), paramsV6(a))
	if err != nil {
		return refusedV6(t, err)
	}
	if next, err := page.GetNextPage(); next != nil || err != nil {
		t.Errorf("next page is %v, %v; want none", next, err)
	}
	result, err := json.Marshal(page.Result)
	if err != nil {
		t.Fatal(err)
	}
	optional := []string{".Result.Colos.Error", ".Result.Colos.Hops.Nodes.Labels"}
	envelope := []string{".success", ".errors", ".messages"} // a page has its result only
	return outcome{Result: result, Misfits: misfitsV6("", reflect.ValueOf(*page), optional, envelope)}
}

func paramsV6(a ask) diagnostics.TracerouteNewParams {
	params := diagnostics.TracerouteNewParams{
		AccountID: cloudflare.F(a.Account),
		Targets:   cloudflare.F(a.Targets),
	}
	if a.Colos != nil {
		params.Colos = cloudflare.F(a.Colos)
	}
	if a.Options == (options{}) {
		return params
	}
	var o diagnostics.TracerouteNewParamsOptions
	if a.Options.MaxTTL != 0 {
		o.MaxTTL = cloudflare.F(int64(a.Options.MaxTTL))
	}
	if a.Options.PacketType != "" {
		o.PacketType = cloudflare.F(diagnostics.TracerouteNewParamsOptionsPacketType(a.Options.PacketType))
	}
	if a.Options.PacketsPerTTL != 0 {
		o.PacketsPerTTL = cloudflare.F(int64(a.Options.PacketsPerTTL))
	}
	if a.Options.Port != 0 {
		o.Port = cloudflare.F(int64(a.Options.Port))
	}
	if a.Options.WaitTime != 0 {
		o.WaitTime = cloudflare.F(int64(a.Options.WaitTime))
	}
	params.Options = cloudflare.F(o)
	return params
}

func refusedV6(t *testing.T, err error) outcome {
	t.Helper()
	refused, ok := errors.AsType[*cloudflare.Error](err)
	if !ok {
		t.Fatalf("the SDK failed with %T: %v", err, err)
	}
	// No fault has a page of documentation, and not every one is about a field.
	optional := []string{".Errors.DocumentationURL", ".Errors.Source"}
	envelope := []string{".result", ".success", ".messages"} // an error has its list only
	header := refused.Response.Header
	r := &refusal{Class: "*cloudflare.Error", Status: refused.StatusCode, Ray: header.Get("cf-ray"), Retry: header.Get("Retry-After")}
	for _, e := range refused.Errors {
		r.Faults = append(r.Faults, fault{int(e.Code), e.Message, e.Source.Pointer})
	}
	return outcome{Refused: r, Misfits: misfitsV6("", reflect.ValueOf(*refused), optional, envelope)}
}

// fieldV6 is what the SDK records of each field that it decoded.
type fieldV6 interface {
	IsMissing() bool
	IsInvalid() bool
}

// misfitsV6 collects from every struct that the SDK decoded what its JSON
// record says: fields that were missing, of another type, or unknown. Paths
// are made of Go names; unknown fields have their JSON name.
func misfitsV6(path string, v reflect.Value, optional, unknown []string) []string {
	var found []string
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			found = append(found, misfitsV6(path, v.Index(i), optional, unknown)...)
		}
	case reflect.Struct:
		record := v.FieldByName("JSON")
		for _, f := range reflect.VisibleFields(v.Type()) {
			if tag := f.Tag.Get("json"); tag == "" || tag == "-" {
				continue
			}
			at := path + "." + f.Name
			switch state := record.FieldByName(f.Name).Interface().(fieldV6); {
			case state.IsInvalid():
				found = append(found, at+" has another type")
			case !state.IsMissing():
				found = append(found, misfitsV6(at, v.FieldByIndex(f.Index), optional, unknown)...)
			case !slices.Contains(optional, at):
				found = append(found, at+" is missing")
			}
		}
		for _, name := range record.FieldByName("ExtraFields").MapKeys() {
			if at := fmt.Sprintf("%s.%s", path, name); !slices.Contains(unknown, at) {
				found = append(found, at+" is unknown")
			}
		}
	}
	return found
}
