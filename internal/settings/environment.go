package settings

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// environmentPrefix begins the name of each environment variable that sets a
// flag.
const environmentPrefix = "PROBE_AGENT_"

// environment is a set of environment variables that begin with
// environmentPrefix.
type environment map[string]string

// readEnvironment returns those of the process.
func readEnvironment() environment {
	e := make(environment)
	for _, variable := range os.Environ() {
		if name, value, _ := strings.Cut(variable, "="); strings.HasPrefix(name, environmentPrefix) {
			e[name] = value
		}
	}
	return e
}

// variable returns the variable of a flag: --some-flag has PROBE_AGENT_SOME_FLAG,
// unless its tag names another.
func variable(flag *kong.Flag) string {
	if len(flag.Envs) > 0 {
		return flag.Envs[0]
	}
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
}

// nameVariables gives each flag its variable. Kong is told of those only that
// count as set; see isSet. Flag.Envs has them all.
func (e environment) nameVariables(node *kong.Node) {
	for _, flag := range node.Flags {
		if flag.Name == "help" {
			continue
		}
		flag.Envs = []string{variable(flag)}
		flag.Tag.Envs = slices.Clone(flag.Envs)
		if value, ok := e[flag.Envs[0]]; ok && !e.isSet(flag, value) {
			flag.Tag.Envs = nil
		}
	}
	for _, child := range node.Children {
		e.nameVariables(child)
	}
}

// isSet reports whether a flag's variable counts as set. Templates of service
// managers set variables to nothing where they mean the default. A credential is
// an exception: that it is empty is an error, and never a reason to serve
// without. What Kubernetes sets is not meant for the flag.
func (e environment) isSet(flag *kong.Flag, value string) bool {
	return (value != "" || flag.Tag.Type == nonEmptyType) && !e.ofKubernetes(flag.Envs[0])
}

// CheckEnvironment returns an error for each environment variable that is set and
// that no flag of any subcommand reads: it has no effect, and was meant to have
// one.
func CheckEnvironment(program *kong.Node) error { return readEnvironment().check(program) }

func (e environment) check(program *kong.Node) error {
	known := variablesOf(program)
	var wrong []error
	for name, value := range e {
		if value == "" || slices.Contains(known, name) || e.ofKubernetes(name) {
			continue
		}
		hint := ""
		if near, ok := nearest(name, known); ok {
			hint = "; did you mean " + near + "?"
		}
		wrong = append(wrong, fmt.Errorf("environment variable %s is not a setting%s", name, hint))
	}
	slices.SortFunc(wrong, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(wrong...)
}

func variablesOf(node *kong.Node) []string {
	var names []string
	for _, flag := range node.Flags {
		names = append(names, flag.Envs...)
	}
	for _, child := range node.Children {
		names = append(names, variablesOf(child)...)
	}
	return names
}

// ofKubernetes reports whether Kubernetes makes a variable of that name from a
// Service of the pod's namespace, called probe-agent or probe-agent-…: for each
// that has an address it sets NAME_SERVICE_HOST, NAME_SERVICE_PORT[_PORTNAME]
// and, as Docker's links did, NAME_PORT[_NUMBER_PROTOCOL[_ASPECT]].
func (e environment) ofKubernetes(name string) bool {
	made := regexp.MustCompile(`^_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)
	for host := range e {
		service, ok := strings.CutSuffix(host, "_SERVICE_HOST")
		if rest, below := strings.CutPrefix(name, service); ok && below && made.MatchString(rest) {
			return true
		}
	}
	return false
}

// nonEmptyType is the type tag of flags whose value must not be empty: without
// one of them the agent serves clients that it would refuse otherwise.
const nonEmptyType = "nonempty"

// nonEmpty reads values of such flags, from wherever they come.
func nonEmpty() kong.Mapper {
	usual := kong.NewRegistry().RegisterDefaults()
	return kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
		if text, ok := ctx.Scan.Peek().Value.(string); ok && text == "" {
			return errors.New("is set and empty; what decides who may ask must have a value, or be left out")
		}
		return usual.ForType(target.Type()).Decode(ctx, target)
	})
}
