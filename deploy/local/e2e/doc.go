// Package e2e tests the whole of cloud-mirror from the outside. The real binary has Temporal,
// redis, S3 servers and SQS around it. Package stack runs them. The tests kill, freeze, stop and
// disconnect processes, as machines and networks do. The package holds tests only.
//
// # Guarantees
//
//   - All tests share one stack with two front ends, and a worker in each of three regions. Each
//     test uses its own objects.
//   - All processes of the product have the race detector, except those of
//     TestTenThousandClientsMakeOneCopy and TestColdFloodOfOneClient.
//   - The run fails if the log of any process contains a data race, a panic, or the secret in the
//     query of the source URLs. A test that reads the secret in a history or a metric also fails.
//   - A failed run keeps the logs of all processes, and prints their folder.
//   - Each test with a source from newSource ends with an audit of its objects by package auditor.
//     A test that violates the premise of a check excepts it, with the reason. The run ends with an
//     audit of memory, goroutines and descriptors.
//   - TestMirrorClients has a ledger of each source. Its clients get immutable paths from the
//     bucket, and all other paths from the source.
//   - TestSources is the table of misbehaving sources. It compares each copy with the real curl -L.
//     TestSourceDoubles proves with curl that each double misbehaves as its row says.
//   - TestHostileInputs is the table of hostile URLs. Canaries count the connections of both
//     resolvers, and each row has one expected answer.
//
// # Decisions
//
// 2026-11-26: a source is exempt from the check of fetches if a test replaces its handler. Such a
// source decides how often it must be asked.
//
// 2026-11-26: the canaries of TestHostileInputs are on loopback, of which its processes may dial
// one address. For addresses elsewhere, the failure of the workflow proves that the guard refused
// them.
//
// 2026-11-26: clients of the mirror route include apt, which only systems with apt can run. Its
// redirects differ from those of all other clients.
//
// 2026-11-26: Maven gets a build extension. It resolves extensions without plugins, of which a
// test repository would need dozens.
//
// 2026-11-25: real clients request a front end between two recording proxies. Their own logs
// differ by version, and Go's HTTP client uses no proxy on loopback.
//
// 2026-11-25: a page in Chromium gets its fetches from the test by HTTP, and sends their results
// back. A driver such as chromedp would be one more dependency, for one function. (Since 2026-11-27,
// package chromium has that driver, for forms and pictures.)
//
// 2026-11-25: the doubles of TestSources have their ports before the first row runs. A port that
// served two doubles gave one row the cached answer of another. Workers also remember for minutes
// that a host refused ranges.
//
// 2026-11-25: TestSources runs few rows at a time. With all rows at once, clients waited 10 s for
// Temporal and not for their source.
//
// 2026-11-25: tests edit the stack's configuration as a YAML tree. Before, Go types repeated the
// product's configuration.
//
// 2026-11-24: the crowd test builds front ends without the race detector. The detector can't track
// so many goroutines.
//
// 2026-11-22: only a stuck client exceeds the bounds on durations in faults_test.go. Narrow bounds
// fail on a busy machine.
//
// 2026-11-22: a run sends a redirect with the secret after its last test. It fails if no log has a
// redirect. Otherwise the search could pass because no log could hold the secret.
package e2e
