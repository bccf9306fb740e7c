// Package requestid names requests, so that one request can be followed through all logs: from the
// front end through the message and the workflow to the activities.
//
// # Guarantees
//
//   - An id has 1 to 128 printable ASCII characters. It can forge no log line and no header.
//   - A valid id of a client is taken as it is. Otherwise a random one is made.
//
// # Decisions
//
// 2026-11-27: a hit has no id. Its answer needs no other process, and a random id would cost it an
// allocation. The id of a client may repeat: it is for logs, and decides nothing.
package requestid
