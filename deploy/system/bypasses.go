package system

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

// bypasses knows what an operator has switched off. The caller runs it.
func (s *parts) bypasses() *cache.Bypasses {
	count := promauto.With(s.registry).NewGauge(prometheus.GaugeOpts{
		Name: "cloud_mirror_bypasses", Help: "Hosts and pools whose copies an operator has switched off.",
	})
	return &cache.Bypasses{OnChange: func(names []string) {
		count.Set(float64(len(names)))
		if len(names) == 0 {
			s.log.Info().Msg("copies are switched on again")
			return
		}
		s.log.Warn().Strs("bypassed", names).Msg("copies are switched off")
	}}
}
