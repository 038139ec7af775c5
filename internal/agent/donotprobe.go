package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"probe-agent/internal/config"
	"probe-agent/internal/inputfile"
	"probe-agent/internal/settings"
	"probe-agent/policy"
)

// doNotProbe describes the do-not-probe lists as they were read, by path.
type doNotProbe map[string]listFile

// listFile is a list and the outline of the file that it was read from.
type listFile struct {
	outline *config.Outline
	set     *policy.Set
}

// readDoNotProbe reads a list, which shares memory with what the file held
// before, or nil. It must be a whole file; see config.Outline.
func readDoNotProbe(ctx context.Context, files *inputfile.Opener, path string, before *policy.Set) (listFile, error) {
	file, err := files.Open(ctx, path)
	if err != nil {
		return listFile{}, fmt.Errorf("do-not-probe: %w", err)
	}
	defer file.Close()
	outline := new(config.Outline)
	set, err := policy.ReadList(path, io.TeeReader(file, outline), before)
	if err == nil {
		err = outline.Check("do-not-probe: " + path)
	}
	return listFile{outline, set}, err
}

// readRules returns the rules of the settings, with the do-not-probe lists, which
// share memory with those that the files held before.
func readRules(ctx context.Context, files *inputfile.Opener, s *settings.Values, before doNotProbe) (policy.Rules, doNotProbe, error) {
	rules, lists := s.Rules(), make(doNotProbe)
	var wrong []error
	for _, path := range s.DoNotProbe {
		list, err := readDoNotProbe(ctx, files, path, before[path].set)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		lists[path] = list
		rules.DoNotProbe = append(rules.DoNotProbe, list.set)
	}
	return rules, lists, errors.Join(wrong...)
}

// checkReload returns an error if a list that is read again has lost all of its
// entries, or was cut off. It names the lists.
func (lists doNotProbe) checkReload(fresh doNotProbe) error {
	var wrong []error
	for _, path := range slices.Sorted(maps.Keys(fresh)) {
		now, before := fresh[path], lists[path]
		switch {
		case now.set.Len() >= before.set.Len():
		case now.set.Len() == 0:
			wrong = append(wrong, fmt.Errorf("do-not-probe: %s has lost all of its %d entries: take it out of the setting if that is intended, or restart", path, before.set.Len()))
		case now.outline.Truncates(before.outline):
			wrong = append(wrong, fmt.Errorf("do-not-probe: %s is the beginning of the list in use, %d of %d entries: if it was not cut off, put a comment at its end", path, now.set.Len(), before.set.Len()))
		}
	}
	return errors.Join(wrong...)
}

// logShorter logs the lists that have fewer entries than before.
func (lists doNotProbe) logShorter(log *slog.Logger, fresh doNotProbe) {
	for path, before := range lists {
		if now, ok := fresh[path]; ok && now.set.Len() < before.set.Len() {
			log.Warn("do-not-probe list has fewer entries", "file", path, "before", before.set.Len(), "now", now.set.Len())
		}
	}
}
