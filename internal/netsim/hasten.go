package netsim

import (
	"reflect"
	"time"
)

// Hasten makes everything in the scenario happen that many times faster, what
// it expects included: durations are divided, rates multiplied. It is for a
// scenario of the caller's own, not yet made into a network.
func (s *Scenario) Hasten(factor int) {
	hasten(reflect.ValueOf(s).Elem(), factor)
}

func hasten(v reflect.Value, factor int) {
	switch {
	case v.Type() == durationType:
		v.SetInt(v.Int() / int64(factor))
	case v.Type() == reflect.TypeFor[RateLimit]():
		limit := v.Addr().Interface().(*RateLimit)
		limit.Rate *= float64(factor)
	case v.Type() == reflect.TypeFor[Guesser]():
		g := v.Addr().Interface().(*Guesser)
		g.Rate *= factor
		g.For /= time.Duration(factor)
	case v.Kind() == reflect.Pointer && !v.IsNil():
		hasten(v.Elem(), factor)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			hasten(v.Index(i), factor)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				hasten(v.Field(i), factor)
			}
		}
	}
}
