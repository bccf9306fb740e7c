package config

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// loopPrefix is in front of each deployment's id in CDN-Loop.
const loopPrefix = "cloud-mirror-"

// LoopID returns the deployment's name in CDN-Loop. It is derived only from the names of the queue
// and of the buckets, in any order. All processes of a deployment share them. Endpoints may differ
// between processes. Deployments with the same names need a loop_id each.
func (c *Config) LoopID() string {
	if c.Frontend.LoopID != "" {
		return loopPrefix + c.Frontend.LoopID
	}
	names := []string{c.SQS.Queue}
	for _, p := range c.Pools {
		names = append(names, p.Bucket)
	}
	slices.Sort(names[1:])
	sum := sha256.Sum256([]byte(strings.Join(names, "\n")))
	return loopPrefix + hex.EncodeToString(sum[:6])
}
