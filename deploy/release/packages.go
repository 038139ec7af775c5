package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // registers the format
	_ "github.com/goreleaser/nfpm/v2/rpm" // registers the format
)

// packageFile says what is in a package, in nfpm's own form, below the source.
const packageFile = "deploy/packages/nfpm.yaml"

// writePackage writes a package of the stage and returns its name.
func (s *stage) writePackage(out, format string) (string, error) {
	variables := map[string]string{
		"ARCH":    s.arch,
		"VERSION": s.version,
		"STAGE":   s.dir,
	}
	config, err := nfpm.ParseFileWithEnvMapping(filepath.Join(s.source, packageFile), func(name string) string { return variables[name] })
	if err != nil {
		return "", fmt.Errorf("%s: %w", packageFile, err)
	}
	info, err := config.Get(format)
	if err != nil {
		return "", err
	}
	scripts := filepath.Join(s.source, filepath.Dir(packageFile))
	info.Scripts.PostInstall = filepath.Join(scripts, "postinstall")
	info.Scripts.PreRemove = filepath.Join(scripts, "preremove")
	info.Scripts.PostRemove = filepath.Join(scripts, "postremove")
	info.MTime = s.at
	info.RPM.BuildHost = "localhost" // not that of whoever builds
	info = nfpm.WithDefaults(info)
	packager, err := nfpm.Get(format)
	if err != nil {
		return "", err
	}
	var packed bytes.Buffer
	if err := packager.Package(info, &packed); err != nil {
		return "", err
	}
	name := packager.ConventionalFileName(info)
	return name, os.WriteFile(filepath.Join(out, name), packed.Bytes(), 0o644)
}
