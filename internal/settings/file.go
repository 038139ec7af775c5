package settings

import (
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"probe-agent/internal/config"
	"probe-agent/internal/inputfile"
)

// ConfigFile is a flag that names a configuration file. The settings of the
// file are the other flags of its subcommand; a flag on the command line wins
// over its environment variable, and that over the file.
type ConfigFile struct {
	path   string
	loaded *loadedFile // not nil when there is a path
}

// loadedFile is the content of a configuration file, nil until it is loaded.
// Kong copies flag values, so they share it by a pointer.
type loadedFile struct{ *config.File }

// UnmarshalText implements encoding.TextUnmarshaler.
func (v *ConfigFile) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("the name of the file is empty")
	}
	*v = ConfigFile{path: string(text), loaded: new(loadedFile)}
	return nil
}

// String returns the name of the file, empty without one.
func (v ConfigFile) String() string { return v.path }

// has reports whether the file mentions a setting.
func (v *ConfigFile) has(setting string) bool {
	if v.path == "" {
		return false
	}
	_, ok := v.loaded.Lookup(setting)
	return ok
}

// truncates reports whether the file is the beginning of the one that was read
// from the same path before.
func (v *ConfigFile) truncates(before *ConfigFile) bool {
	return v.path != "" && v.path == before.path && v.loaded.Truncates(before.loaded.File)
}

// BeforeResolve loads the file, once kong knows its name.
func (ConfigFile) BeforeResolve(parsed *kong.Context, path *kong.Path, ctx context.Context, files *inputfile.Opener) error { //nolint:revive // kong calls it
	command := parsed.Selected()
	named, _ := parsed.FlagValue(path.Flag).(ConfigFile)
	if named.path == "" || command == nil || !hasFlag(command, path.Flag) {
		return nil
	}
	if checksOnly(parsed, command) {
		files = &inputfile.Opener{Streams: true}
	}
	file, err := config.Load(ctx, files, named.path, settingsOf(command))
	if err != nil {
		return err
	}
	named.loaded.File = file
	parsed.AddResolver(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		values, ok := file.Lookup(flag.Name)
		if !ok || len(values) == 0 || inEnvironment(flag) || !hasFlag(command, flag) {
			return nil, nil //nolint:nilnil // how a resolver says that it has no value
		}
		return strings.Join(values, ","), nil
	}))
	return nil
}

// checksOnly reports whether a command has been told to check its settings and
// to end, so that it may read them from a pipe.
func checksOnly(parsed *kong.Context, command *kong.Node) bool {
	for _, flag := range command.Flags {
		if only, _ := parsed.FlagValue(flag).(bool); only && flag.Name == "check-config" {
			return true
		}
	}
	return false
}

// settingsOf returns the flags of a subcommand as settings of a file, but for
// those that make sense on the command line only.
func settingsOf(command *kong.Node) []config.Setting {
	var settings []config.Setting
	for _, flag := range command.Flags {
		if flag.Name == "help" || isCommandLine(flag) {
			continue
		}
		settings = append(settings, config.Setting{
			Key:   flag.Name,
			List:  flag.IsSlice(),
			Check: func(value string) error { return checkValue(flag, value) },
		})
	}
	return settings
}

// checkValue reads a value as its flag would, and forgets it.
func checkValue(flag *kong.Flag, value string) error {
	scan := kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: value})
	target := reflect.New(flag.Target.Type()).Elem()
	return flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, target)
}

// inEnvironment reports whether a flag's variable is set.
func inEnvironment(flag *kong.Flag) bool {
	return slices.ContainsFunc(flag.Tag.Envs, func(name string) bool {
		_, ok := os.LookupEnv(name)
		return ok
	})
}

func hasFlag(command *kong.Node, flag *kong.Flag) bool {
	return slices.Contains(command.Flags, flag)
}

// isCommandLine reports whether a flag makes sense on the command line only.
func isCommandLine(flag *kong.Flag) bool {
	_, names := reflect.TypeAssert[ConfigFile](flag.Target)
	return names || flag.Tag.Has("command-line")
}
