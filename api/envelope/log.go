package envelope

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"probe-agent/access"
	"probe-agent/internal/panics"
)

// maxLogged bounds what the log repeats of one thing that a client sent, in
// bytes.
const maxLogged = 256

// Loggable returns text, which a client sent, as the log may have it: without
// secrets, and cut to 256 bytes.
func Loggable(text string) string {
	text = access.Redact(text)
	if len(text) <= maxLogged {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:maxLogged], ""), len(text))
}

// LogFault logs a panic that ended the request of that id, with its stack.
func LogFault(ctx context.Context, log *slog.Logger, requestID string, fault *panics.Error) {
	log.LogAttrs(ctx, slog.LevelError, "panic",
		slog.String("ray", requestID), slog.String("panic", Loggable(fmt.Sprint(fault.Value))), slog.String("stack", string(fault.Stack)))
}
