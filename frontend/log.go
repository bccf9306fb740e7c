package frontend

import "github.com/rs/zerolog"

// redirectLog logs redirects: every one for debugging, or a sample of them always.
type redirectLog struct {
	log   zerolog.Logger
	level zerolog.Level
}

func newRedirectLog(log zerolog.Logger, every uint32) redirectLog {
	if every == 0 {
		return redirectLog{log, zerolog.DebugLevel}
	}
	return redirectLog{log.Sample(&zerolog.BasicSampler{N: every}), zerolog.InfoLevel}
}

// event is disabled, and has cost next to nothing, for what is not logged.
func (l redirectLog) event() *zerolog.Event { return l.log.WithLevel(l.level) }
