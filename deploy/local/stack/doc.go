// Package stack runs the whole of cloud-mirror on one machine, on the loopback interface. Its parts
// are Temporal, redis, SQS, an origin, an S3 server for each of three regions, and the processes of
// cloud-mirror. For tests it runs the services alone, and MinIO.
//
// It is for development and tests: credentials are well known, and sources on loopback addresses
// are allowed.
//
// # Guarantees
//
//   - TemporalFromEnv finds an existing Temporal. The stack then starts none, and leaves it running.
//   - Ports, settings and the state folder are checked before anything is built or started. The
//     error is one line that names the variable to change.
//   - Start returns when everything is ready. Otherwise its error has the last log lines of the
//     part that failed, and nothing is left running.
//   - A process that dies is restarted; see package supervise. Close leaves no process behind. On
//     Linux neither does a SIGKILL of this process.
//   - The state folder keeps workflows, objects and messages between runs. It keeps the cache if
//     redis-server is installed.
//
// # Decisions
//
// 2026-11-26: an existing Temporal is found by envconfig, the library of the product. Its profile is
// not copied into the state folder: that would write the user's key there. Its variables are passed
// on.
//
// 2026-11-26: only an address on the loopback interface is used without TEMPORAL_ALLOW_REMOTE. The
// stack registers search attributes, and its workers take the tasks of the namespace. A variable that
// a shell has set for another purpose must not do that to a shared Temporal.
//
// 2026-11-25: the configuration is a template, cloud-mirror.yaml.tmpl, which is also the documented
// example of one. Go types that repeated the product's settings are gone.
//
// 2026-11-23: MinIO runs for tests only, beside the S3 servers of the regions. It is an S3 server
// of another make.
package stack
