//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// native has the agent trace the targets through its own API, ten in a request
// and all requests at once, live or not. Every trace has to reach its target.
func (a *agent) native(ctx context.Context, targets []netip.Addr, live bool) error {
	chunks := slices.Collect(slices.Chunk(targets, targetsPerRequest))
	errs := make([]error, len(chunks))
	var running sync.WaitGroup
	for i, chunk := range chunks {
		running.Go(func() { errs[i] = a.nativeRequest(ctx, chunk, live) })
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *agent) nativeRequest(ctx context.Context, targets []netip.Addr, live bool) error {
	body, err := json.Marshal(map[string]any{"targets": targets})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+agentAddress+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		return err
	}
	if live {
		request.Header.Set("Accept", "application/x-ndjson")
	}
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the agent answered %s", response.Status)
	}
	reached := 0
	lines := bufio.NewReader(response.Body)
	for {
		line, err := lines.ReadBytes('\n')
		reached += bytes.Count(line, []byte(`"stop":"reached"`))
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("the agent's answer: %w", err)
		}
	}
	if reached != len(targets) {
		return fmt.Errorf("%d of %d targets were reached", reached, len(targets))
	}
	return nil
}

// allocations returns how many objects the agent has allocated so far, as its
// metrics say.
func (a *agent) allocations(ctx context.Context) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+agentAddress+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if value, found := strings.CutPrefix(lines.Text(), "go_memstats_mallocs_total "); found {
			return strconv.ParseFloat(value, 64)
		}
	}
	if err := lines.Err(); err != nil {
		return 0, fmt.Errorf("the agent's metrics: %w", err)
	}
	return 0, fmt.Errorf("the agent's metrics do not have go_memstats_mallocs_total (%s)", response.Status)
}
