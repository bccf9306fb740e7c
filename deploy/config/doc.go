// Package config reads the configuration of a deployment: one YAML file and the environment. Every
// setting except those of the pools has a variable, which overrides the file.
//
// It also converts the settings into the options of the rooms (convert.go). The product and its
// benchmarks thus copy alike.
//
// # Guarantees
//
//   - A mistake stops the start with one line that names the key. Unknown keys and variables are
//     mistakes. So are values that do not parse, patterns that do not compile, and settings that
//     are missing or out of range.
//   - No error repeats a secret.
//
// # Decisions
//
// 2026-11-24: the configuration makes the copiers, so that the worker and its benchmark share them.
//
// 2026-11-22: Temporal's address is not a setting. It follows Temporal's own convention
// (TEMPORAL_ADDRESS, temporal.toml), as AWS's credentials follow the AWS SDK's default chain.
package config
