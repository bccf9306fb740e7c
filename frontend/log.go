package frontend

import "github.com/rs/zerolog"

// redirectLog logs redirects: a sample at level info, or all of them at level debug.
type redirectLog struct {
	log   zerolog.Logger
	level zerolog.Level
}

func newRedirectLog(log zerolog.Logger, sample uint32) redirectLog {
	if sample == 0 {
		return redirectLog{log, zerolog.DebugLevel}
	}
	return redirectLog{log.Sample(&zerolog.BasicSampler{N: sample}), zerolog.InfoLevel}
}

// event is disabled, at almost no cost, for a redirect that is not logged.
func (l redirectLog) event() *zerolog.Event { return l.log.WithLevel(l.level) }
