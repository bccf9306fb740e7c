// Package schedules sets up the Temporal schedules of a deployment: one for each pool, which sweeps
// the unfinished uploads of the pool's bucket.
//
// # Guarantees
//
//   - A second [Setup] changes nothing.
//   - A schedule whose definition differs is updated. It stays paused if it is paused, and keeps
//     its note.
//   - After Setup, a schedule needs only the first key of worker.payload_keys.
//   - A schedule is deleted only if its pool is not configured, and its definition names this
//     deployment. Other schedules stay.
//   - If a pool's schedule names another deployment, Setup fails: the two would take each other's
//     tasks.
//
// # Decisions
//
// 2026-11-26: a schedule's action carries the name of its deployment, the copy-request queue, in
// its memo. Two deployments may not share a namespace, but if they do, a prefix of ids alone would
// let one delete the other's schedules. Temporal can't update the memo of a schedule itself.
//
// 2026-11-26: a sweep that was missed for more than [CatchupWindow] is skipped: the next sweep does
// the same work. Temporal's default is a year. [Jitter] keeps the sweeps of all pools from starting
// in one second.
package schedules
