// Package calls measures the calls that a process makes to its dependencies: S3, SQS, redis and
// sources.
//
// # Guarantees
//
//   - Both labels, dependency and operation, are constants of the code. An operation that is not
//     listed is [Other].
//   - Every listed operation is counted from zero.
//   - A call that its own caller gave up is neither timed nor counted.
//   - Presigning a URL is no call. A hit from memory makes none.
//
// # Decisions
//
// 2026-11-27: one histogram and one counter hold all dependencies, so that one query of a dashboard
// compares them. A family for each dependency was rejected.
//
// 2026-11-27: each attempt of the AWS SDK is a call of its own. The time of an operation with its
// retries and pauses would hide how fast S3 answers.
//
// 2026-11-27: a source's status is no error of the source, but has a counter by its class. Clients
// choose the URLs, and a missing file is no outage.
package calls
