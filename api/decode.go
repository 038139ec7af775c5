package api

import (
	"math"

	"probe-agent/api/body"
	"probe-agent/api/envelope"
)

// decodeRequest reads a body in Cloudflare's form. Fields that it does not know
// are ignored. ok is false when the body is not a JSON object.
func decodeRequest(text []byte, wrong *envelope.Problems) (req Request, ok bool) {
	top, ok := body.Parse(text, wrong)
	if !ok {
		return Request{}, false
	}
	req = decodeLists(top, wrong)
	req.Options = decodeOptions(top.Object("options", wrong), wrong)
	return req, true
}

// decodeNative is decodeRequest for the native form, which has some more
// options and refuses fields that it does not know: what a client misspelt
// would otherwise silently be the default.
func decodeNative(text []byte, wrong *envelope.Problems) (req Request, ok bool) {
	top, ok := body.Parse(text, wrong)
	if !ok {
		return Request{}, false
	}
	top.RefuseUnknown(wrong, "targets", "colos", "options")
	req = decodeLists(top, wrong)
	options := top.Object("options", wrong)
	options.RefuseUnknown(wrong, "max_ttl", "packet_type", "packets_per_ttl", "port", "wait_time", "wait_ms", "family")
	req.Options = decodeOptions(options, wrong)
	req.Options.WaitMS = options.Integer("wait_ms", wrong)
	req.Options.Family = options.String("family", wrong)
	return req, true
}

// decodeLists reads all but the options.
func decodeLists(top body.Object, wrong *envelope.Problems) Request {
	return Request{
		Targets: top.Strings("targets", maxTargets, wrong),
		Colos:   top.Strings("colos", math.MaxInt, wrong),
	}
}

// decodeOptions reads the options that both forms have.
func decodeOptions(options body.Object, wrong *envelope.Problems) Options {
	return Options{
		MaxTTL:        options.Integer("max_ttl", wrong),
		PacketType:    options.String("packet_type", wrong),
		PacketsPerTTL: options.Integer("packets_per_ttl", wrong),
		Port:          options.Integer("port", wrong),
		WaitTime:      options.Integer("wait_time", wrong),
	}
}
