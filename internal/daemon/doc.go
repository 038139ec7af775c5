// Package daemon is the life of a serving process: it listens, serves, takes
// signals, reloads the configuration and ends with honest answers. It knows
// HTTP servers and functions, and nothing of what they do.
//
// # A reload
//
// SIGHUP reads the configuration again, with the same precedence of flag,
// environment and file, and puts all of it in use or none. What can change
// while the process runs is a [Part]. Prepare reads and checks, files that the
// settings name included, and changes nothing; the commit that it returns
// swaps the result in and cannot fail. Only when every part is prepared are
// they committed. A program starts by the same way: it prepares, opens its
// sockets, commits, serves; checking a configuration is to prepare and stop.
//
// To make a setting reloadable give the component that uses it a cheap, atomic
// setter, and add a part next to the others:
//
//	{Prepare: func(_ context.Context, s *settings.Values) (func(), error) {
//		tokens, err := access.Load(s.Tokens) // its error names file and line
//		if err != nil {
//			return nil, err
//		}
//		return func() { a.guard.Replace(tokens) }, nil
//	}},
//
// Prepare must not touch the component, which does not exist yet while the
// process starts, and never will when a configuration is only checked. Settings
// that no part puts in use lack the tag reload (see package settings), and a
// reload that finds one changed says that it takes a restart.
package daemon
