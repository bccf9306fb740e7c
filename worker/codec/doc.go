// Package codec encrypts the payloads of workflows in Temporal: inputs, results, signals, queries,
// heartbeats, summaries and failures. It also has the server by which Temporal's Web UI and CLI
// read them.
//
// # Guarantees
//
//   - A payload is encrypted with AES-256-GCM. Its metadata show the key's id, and nothing of its
//     content except the length.
//   - A failure shows neither its message nor its stack trace. It shows its type, which is the
//     class of an error, and whether it is retried.
//   - Payloads that are not encrypted are read as they are. So runs continue that were open when
//     encryption was switched on.
//   - A payload whose key is missing never reaches a workflow as an empty value, and never fails a
//     workflow. It fails the workflow task, which Temporal gives to another worker again and again,
//     until the bridge ends the run for the object's next request. An activity fails in a way that
//     is retried, and uses up an attempt.
//   - The server decodes nothing without a token. It answers scripts of one origin only.
//
// Ids, search attributes, names of workflows, activities, signals and task queues, and times are no
// payloads. Temporal always shows them.
//
// # Decisions
//
// 2026-11-26: summaries are encrypted as well, since the SDK passes them through the same
// converter. They name a pool, a host and a file, which the workflow's id shows as well. The Web UI
// shows them with the codec server only. Rejected: a converter that leaves them out, which would
// have to guess which payload is a summary.
//
// 2026-11-26: a list of keys may begin with the word none. Nothing is encrypted then, and the keys
// behind it still decrypt. Without it, encryption could neither be switched on nor off in a fleet
// that is upgraded one by one.
//
// 2026-11-26: the Web UI can't send a token of ours, but it sends cookies if it is told to. The
// server therefore has a page that turns a token into a cookie. A cookie opens only requests of the
// Web UI's origin, in JSON, which no other site can send.
//
// 2026-11-26: nothing is compressed. The length of a compressed payload would tell more of its
// content, and payloads have a few hundred bytes.
package codec
