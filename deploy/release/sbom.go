package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// writeSBOM writes what a program is made of, as the toolchain recorded it in
// the program itself: modules with versions and hashes, and the standard
// library. It has the time of the commit and no serial number, so that it is
// the same each time.
func writeSBOM(path, program string, from origin) error {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return err
	}
	agent := cdx.Component{
		BOMRef: "probe-agent", Type: cdx.ComponentTypeApplication, Name: "probe-agent", Version: from.version,
		Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
		Properties: &[]cdx.Property{{Name: "commit", Value: from.commit}},
	}
	components := []cdx.Component{{
		BOMRef: "std", Type: cdx.ComponentTypeLibrary, Name: "std", Version: info.GoVersion,
		PackageURL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go"),
	}}
	uses := []string{"std"}
	for _, module := range info.Deps {
		component, err := componentOf(module)
		if err != nil {
			return err
		}
		components = append(components, component)
		uses = append(uses, component.BOMRef)
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Timestamp: from.date, Component: &agent}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: agent.BOMRef, Dependencies: &uses}}

	var out bytes.Buffer
	if err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// componentOf describes a module. Its hash is that of go.sum, over the names
// and hashes of its files.
func componentOf(module *debug.Module) (cdx.Component, error) {
	if module.Replace != nil {
		module = module.Replace
	}
	name := fmt.Sprintf("pkg:golang/%s@%s", module.Path, module.Version)
	component := cdx.Component{BOMRef: name, Type: cdx.ComponentTypeLibrary, Name: module.Path, Version: module.Version, PackageURL: name}
	if sum, ok := strings.CutPrefix(module.Sum, "h1:"); ok {
		hash, err := base64.StdEncoding.DecodeString(sum)
		if err != nil {
			return cdx.Component{}, fmt.Errorf("hash of %s: %w", module.Path, err)
		}
		component.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(hash)}}
	}
	return component, nil
}
