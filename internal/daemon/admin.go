package daemon

import (
	"net/http"
	"net/http/pprof"
)

// AdminHandler serves net/http/pprof at /debug/pprof/, and the handlers given
// at their paths. It is for those who run the process: profiles show what is in
// its memory.
func AdminHandler(routes map[string]http.Handler) http.Handler {
	mux := http.NewServeMux()
	for path, handler := range routes {
		mux.Handle(path, handler)
	}
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
