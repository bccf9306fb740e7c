package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLoopIDIsOfTheDeployment checks that all processes of a deployment have the same id, and that
// other deployments have other ids.
func TestLoopIDIsOfTheDeployment(t *testing.T) {
	pools := func(buckets ...string) (all []Pool) {
		for _, b := range buckets {
			all = append(all, Pool{Region: b, Bucket: b})
		}
		return all
	}
	base := func() Config {
		c := Default()
		c.Pools = pools("a", "b", "c")
		return c
	}
	one := base()
	id := one.LoopID()
	require.Regexp(t, `^cloud-mirror-[0-9a-f]{12}$`, id)
	for name, edit := range map[string]func(*Config){
		"a worker":              func(c *Config) { c.Worker.Pools, c.Worker.AdminListen = []string{"s3_a"}, ":1" },
		"a front end":           func(c *Config) { c.Frontend.Listen = ":1" },
		"pools in other orders": func(c *Config) { c.Pools = pools("b", "c", "a") },
		"pools in reverse":      func(c *Config) { c.Pools = pools("c", "b", "a") },
		"endpoint of SQS":       func(c *Config) { c.SQS.Endpoint = "http://localhost:9324" },
		"region of SQS":         func(c *Config) { c.SQS.Region = "us-west-2" },
		"endpoint of a bucket":  func(c *Config) { c.Pools[0].Endpoint = "http://localhost:9000" },
	} {
		c := base()
		edit(&c)
		require.Equal(t, id, c.LoopID(), name)
		require.Len(t, c.Pools, 3)
	}
	permuted := base()
	permuted.Pools = pools("c", "a", "b")
	_ = permuted.LoopID()
	require.Equal(t, pools("c", "a", "b"), permuted.Pools, "the order of the pools is the operator's")
	for name, edit := range map[string]func(*Config){
		"queue":          func(c *Config) { c.SQS.Queue = "other" },
		"bucket":         func(c *Config) { c.Pools[2].Bucket = "other" },
		"fewer pools":    func(c *Config) { c.Pools = pools("a", "b") },
		"buckets joined": func(c *Config) { c.Pools = pools("a", "bc") },
		"name":           func(c *Config) { c.Frontend.LoopID = "other" },
	} {
		c := base()
		edit(&c)
		require.NotEqual(t, id, c.LoopID(), name)
	}
}
