// Package report prints the figures of a benchmark as a table, beside their targets and their
// ratios to baselines.
//
// # Guarantees
//
//   - A figure that misses a target is marked. It is no error.
//   - A row has as many ratios as the table has baselines.
//
// # Decisions
//
// 2026-11-22: ratios to a baseline of the same run stand beside absolute figures. On a noisy
// machine a ratio says more.
package report
