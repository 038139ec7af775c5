package envelope

// Codes of errors. Those that Cloudflare's API has were kept.
const (
	CodeTooMany         = 971   // too many requests
	CodeBody            = 1001  // not JSON, or of the wrong type
	CodeTargets         = 1002  // targets missing, too many, or not traceable
	CodeOption          = 1003  // an option out of range
	CodePacketType      = 1004  // unknown packet type
	CodeColo            = 1005  // unknown colo
	CodeTooLarge        = 1006  // body too large
	CodeField           = 1007  // unknown field (native API)
	CodeForm            = 1008  // no form that the client accepts (native API)
	CodeEncoding        = 1009  // unknown content encoding
	CodeTrace           = 1010  // no such trace (native API)
	CodeEvent           = 1011  // not the id of an event (native API)
	CodeUnavailable     = 1050  // overloaded, shutting down, not ready
	CodeInternal        = 1051  // a fault of the agent
	CodeHeaders         = 6003  // malformed credentials
	CodeMethod          = 7001  // method not allowed
	CodeRoute           = 7003  // no such route, or a malformed account id
	CodeUnauthorized    = 9109  // not permitted, or not for this account
	CodeUnauthenticated = 10000 // no valid credentials

	// CodeFailureBase plus the code of a failure is the code of the message
	// that explains it.
	CodeFailureBase = 1000
)
