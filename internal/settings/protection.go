package settings

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// Protects says what a setting's tag of that name means. Such a setting restricts
// who may use the agent, what it probes, how much, or to whom it reveals what. A
// reload does not lift one just because the configuration no longer mentions it:
// an emptied or incomplete file looks like that (ADR 39).
type Protects string

// The values of the tag. Every setting has one.
const (
	ProtectsNot     Protects = "no"      // or its default is as strict as any value
	ProtectsPresent Protects = "present" // as long as there is any value
	ProtectsItems   Protects = "items"   // each item of the list protects
	ProtectsLimit   Protects = "limit"   // an upper limit, 0: none
	ProtectsMinimum Protects = "minimum" // a lower value protects less
	ProtectsMaximum Protects = "maximum" // a higher value protects less
	ProtectsByValue Protects = "value="  // followed by the value that protects
)

// protects returns the tag of a setting.
func protects(flag *kong.Flag) Protects { return Protects(flag.Tag.Get("protects")) }

// valid reports whether the tag is one of those above.
func (p Protects) valid() bool {
	switch p {
	case ProtectsNot, ProtectsPresent, ProtectsItems, ProtectsLimit, ProtectsMinimum, ProtectsMaximum:
		return true
	}
	return strings.HasPrefix(string(p), string(ProtectsByValue))
}

// weaker reports whether a setting's value fresh protects less than before.
func (p Protects) weaker(before, fresh reflect.Value) bool {
	switch p {
	case ProtectsNot:
		return false
	case ProtectsPresent:
		return before.Len() > 0 && fresh.Len() == 0
	case ProtectsItems:
		return lacksItem(before, fresh)
	case ProtectsLimit:
		old, now := limitOf(before), limitOf(fresh)
		return old != 0 && (now == 0 || now > old)
	case ProtectsMinimum:
		return fresh.Int() < before.Int()
	case ProtectsMaximum:
		return fresh.Int() > before.Int()
	}
	strict, ok := strings.CutPrefix(string(p), string(ProtectsByValue))
	return ok && isValue(before, strict) && !isValue(fresh, strict)
}

// lacksItem reports whether the list fresh lacks an item of the list before.
func lacksItem(before, fresh reflect.Value) bool {
	kept := make(map[any]bool)
	for _, item := range fresh.Seq2() {
		kept[item.Interface()] = true
	}
	for _, item := range before.Seq2() {
		if !kept[item.Interface()] {
			return true
		}
	}
	return false
}

// limitOf returns an upper limit, 0 for none.
func limitOf(v reflect.Value) float64 {
	if limit, ok := reflect.TypeAssert[interface{ limit() float64 }](v); ok {
		return limit.limit()
	}
	return float64(v.Int())
}

// isValue reports whether a setting has the value that is written as text.
func isValue(v reflect.Value, text string) bool {
	want := reflect.New(v.Type())
	read, ok := reflect.TypeAssert[encoding.TextUnmarshaler](want)
	return ok && read.UnmarshalText([]byte(text)) == nil && v.Equal(want.Elem())
}

// Lifted returns the settings that fresh weakens by giving them another value.
// That one is weakened because it is no longer mentioned, or because the file was
// cut off, is an error.
func (v *Values) Lifted(fresh *Values) (lifted []string, err error) {
	var wrong []error
	for i, flag := range fresh.flags {
		if !protects(flag).weaker(v.flags[i].Target, flag.Target) {
			continue
		}
		switch {
		case !fresh.Config.has(flag.Name):
			wrong = append(wrong, fmt.Errorf("config: %s no longer has %s, and a reload does not lift what protects: %s", fresh.Config.path, flag.Name, liftedBy(flag)))
		case fresh.Config.truncates(&v.Config):
			wrong = append(wrong, fmt.Errorf("config: %s is the beginning of the file in use, with a shorter %s: if it was not cut off, put a comment at its end", fresh.Config.path, flag.Name))
		default:
			lifted = append(lifted, flag.Name)
		}
	}
	return lifted, errors.Join(wrong...)
}

// liftedBy says how to set a flag to its default on purpose.
func liftedBy(flag *kong.Flag) string {
	switch {
	case flag.IsSlice():
		return fmt.Sprintf("write %q if that is intended, or restart", flag.Name+": []")
	case flag.Default != "":
		return fmt.Sprintf("write %q if that is intended, or restart", flag.Name+": "+flag.Default)
	}
	return "restart if that is intended"
}
