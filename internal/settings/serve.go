package settings

import (
	"fmt"
	"log/slog"
	"time"

	"probe-agent/prober"
)

// Serve has the settings of the agent.
type Serve struct {
	Config        ConfigFile    `protects:"no" placeholder:"FILE" help:"YAML file with any of the flags below as keys. A flag wins over its environment variable, and that over the file."`
	Listen        listenAddress `protects:"no" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address to listen on (${default}). Loopback only, as long as no credentials are configured." more:"0.0.0.0:8080 listens on all IPv4 addresses, [::]:8080 and :8080 on those of both families."`
	AdminListen   listenAddress `protects:"no" placeholder:"HOST:PORT" example:"127.0.0.1:6060" help:"Loopback address to serve profiles, /metrics and health checks on, without credentials. Default: none." more:"Profiles are at /debug/pprof/."`
	Colo          coloName      `protects:"no" default:"loc01" placeholder:"NAME" help:"Short name of this place, which requests select by and answers show (${default})." more:"\"loc\" selects loc01, loc02…"`
	City          string        `protects:"no" placeholder:"TEXT" example:"Denver, CO, US" help:"This place in words, as answers show it. Default: the host name."`
	Rate          packetRate    `protects:"limit" reload:"" default:"10000" placeholder:"PPS" help:"Most probes a second, all traces together (${default}). 0 lifts the limit."`
	NearHopRate   packetRate    `protects:"limit" reload:"" default:"500" placeholder:"PPS" help:"Most probes a second to each of the first three TTLs, whose routers every trace shares (${default}). 0 lifts the limit." more:"These routers limit how many ICMP errors they send."`
	PrefixRate    packetRate    `protects:"limit" reload:"" default:"1000" placeholder:"PPS" help:"Most probes within any second to one destination prefix, a /24 of IPv4 or a /48 of IPv6, all traces together (${default}). 0 lifts the limit." more:"Traces beyond it take longer."`
	ShutdownGrace graceTime     `protects:"no" default:"20s" placeholder:"TIME" help:"How long running requests get to finish after the first signal to end (${default}). What takes longer is cut, and says so in its answer."`
	LogFormat     logFormat     `protects:"no" default:"text" placeholder:"text|json" help:"Form of the log on standard error (${default})."`
	LogLevel      logLevel      `protects:"no" reload:"" default:"info" placeholder:"LEVEL" help:"Minimum log level: debug, info, warn or error (${default})."`
	CheckConfig   bool          `protects:"no" command-line:"" help:"Validate the configuration and referenced files, then exit. Opens no socket."`
	LimitFlags
	NameFlags
	PolicyFlags
	SocketFlags
	AccessFlags
}

// Rates returns the limits of the rate of probes.
func (s *Serve) Rates() prober.Options {
	return prober.Options{Rate: float64(s.Rate), NearHopRate: float64(s.NearHopRate), PrefixRate: float64(s.PrefixRate)}
}

// Level returns the minimum log level.
func (s *Serve) Level() slog.Level {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.LogLevel)) // one of the choices
	return level
}

// maxGrace is more than any request takes.
const maxGrace = time.Minute

// graceTime is a time that a shutdown may take.
type graceTime time.Duration

func (v *graceTime) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 || d > maxGrace {
		return fmt.Errorf("%q is not a time from 0s to %v", text, maxGrace)
	}
	*v = graceTime(d)
	return nil
}

type (
	logFormat string
	logLevel  string
)

func (v *logFormat) UnmarshalText(text []byte) error { return oneOf((*string)(v), text, v.Choices()) }

// Choices returns all values.
func (*logFormat) Choices() []string { return []string{"text", "json"} }

func (v *logLevel) UnmarshalText(text []byte) error { return oneOf((*string)(v), text, v.Choices()) }

// Choices returns all values.
func (*logLevel) Choices() []string { return []string{"debug", "info", "warn", "error"} }
