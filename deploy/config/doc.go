// Package config is the configuration of a deployment: one YAML file, with every scalar setting also readable from the
// environment, which wins.
//
// It guarantees that a mistake stops the start with one line that names the key: an unknown key or variable, a value that
// does not parse, a setting that is missing or out of range, a pattern that does not compile. No error repeats a secret.
//
// It also says what the settings are to the rooms (convert.go), so that the product and its benchmarks copy alike.
//
// How to reach Temporal is not here: that follows Temporal's own convention (TEMPORAL_ADDRESS, temporal.toml), as AWS's
// credentials follow the AWS SDK's default chain.
package config
