// Command local runs the whole of cloud-mirror on one machine, with nothing but Go installed. It
// also runs a command beside the services that tests need, the matching version of the Temporal CLI,
// and Temporal's services on PostgreSQL. `make help` in the root of the repository lists the targets
// that use it.
//
// # Guarantees
//
//   - A mistake in a setting is one line on standard error, and exit status 1.
//   - exec and temporal exit with the status of their command.
//   - run stops all processes in order at the first signal, and kills them at the second.
package main
