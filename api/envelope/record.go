package envelope

import (
	"context"

	"probe-agent/access"
	"probe-agent/internal/panics"
)

// Record is what the log has of one request. The middleware makes it and logs
// it when the request has been served; handlers fill it in. It belongs to the
// goroutine that serves the request.
type Record struct {
	TraceID   string // of a request of the native API for a trace; or empty
	RequestID string // 16 hexadecimal digits, a hyphen, the colo: the header cf-ray
	Targets   int
	Code      int              // first code of the error that it was refused with; 0: it was not
	Principal access.Principal // on whose behalf, as far as known

	CredentialsNeeded bool // reached a route that needs credentials
	Abandoned         bool // the client has gone, or was cut off
	Quiet             bool // one of a flood, which is logged for debugging only

	// Fault is a panic that ended the request. When the answer had begun, the
	// status that is logged is 500 all the same.
	Fault *panics.Error
}

type recordKey struct{}

// WithRecord returns a context that has the record.
func WithRecord(ctx context.Context, record *Record) context.Context {
	return context.WithValue(ctx, recordKey{}, record)
}

// RecordOf returns the record of the request whose context ctx is. Every request
// has one; it panics for another context.
func RecordOf(ctx context.Context) *Record {
	return ctx.Value(recordKey{}).(*Record)
}
