// Package config reads the agent's configuration file: one YAML mapping of
// settings, each a value or a list of values.
//
// It is strict. A key that is no setting, a key given twice, a value of the
// wrong kind or one that its setting refuses is an error that names file, line
// and key, and all of them are told at once. It knows no setting itself: the
// caller says which there are and checks their values.
//
// A file that was not written in full is an error as far as that can be seen;
// see [Outline].
package config
