package system

import (
	"net/netip"

	"github.com/rs/zerolog"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// logPolicy logs which sources a process accepts, and warns of settings that open more than most
// operators mean.
func logPolicy(cfg config.Config, log zerolog.Logger) {
	allowed, wide := entriesOf(cfg.Source.Allowed)
	roots, _ := entriesOf(cfg.UpstreamRoots())
	log.Info().Bool("ensure_ssl", cfg.Source.EnsureSSL).Strs("allowed", allowed).Strs("upstreams", roots).
		Strs("allowed_networks", texts(cfg.Source.AllowedNetworks)).
		Strs("denied_networks", texts(cfg.Source.DeniedNetworks)).Msg("sources allowed")
	for _, entry := range wide {
		log.Warn().Str("entry", entry).Msg("source.allowed has an entry below which anyone can get a host")
	}
	for _, n := range cfg.Source.AllowedNetworks {
		if opensWorld(n) {
			log.Warn().Stringer("network", n).
				Msg("source.allowed_networks has a network so wide that it opens private and special-purpose networks of every kind")
		}
	}
}

// entriesOf returns the parsed entries, and those that are wide.
func entriesOf(entries []string) (all, wide []string) {
	all = []string{}
	for _, entry := range entries {
		parsed, err := origin.ParseAllowed(entry)
		if err != nil {
			continue // config.Load has refused it.
		}
		for _, a := range parsed {
			all = append(all, a.String())
			if a.Wide() {
				wide = append(wide, a.String())
			}
		}
	}
	return all, wide
}

// opensWorld reports whether an allowed network is wider than each special-purpose network that
// sources may be in. The widest are 10.0.0.0/8, and fc00::/7 of the unique local addresses.
func opensWorld(n netip.Prefix) bool {
	widest, bits := 7, n.Bits()
	if n.Addr().Is4() {
		widest = 8
	} else if n.Addr().Is4In6() && bits >= 96 {
		widest, bits = 8, bits-96
	}
	return bits < widest
}

func texts(networks []netip.Prefix) []string {
	all := []string{}
	for _, n := range networks {
		all = append(all, n.String())
	}
	return all
}
