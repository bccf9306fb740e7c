// Package copier moves one object from an HTTP source into an S3 bucket. It knows nothing of
// Temporal or redis.
//
// # Guarantees
//
//   - The bucket shows exactly the object that one plain GET returned, described by its headers, or
//     nothing. Its bytes are counted, checksummed, and compared with every digest that the source
//     gives. If they are fetched in ranges, each range agrees with a plain GET before
//     them in strong ETag, length and content coding.
//   - A source that refuses ranges is copied all the same: by fewer of them at a time, or by one
//     stream. Only the response to a plain GET can fail the copy.
//   - An interrupted copy resumes from the parts in the bucket, if the source serves ranges pinned
//     by a strong ETag. It fetches again only parts that were in flight, and with a digest also the
//     parts after the last [State].
//   - If the connections to a source share 1 to 20 MB/s, and parts have 8 MiB, the bytes that a crash loses
//     are at most those of two parts.
//   - [Memory] bounds the memory of all copies, whatever their number and the sizes of the objects.
//     A part that is larger than the largest buffer is kept in a file while it is in flight.
//   - Copies from one source host never keep out copies from others: all hosts share the memory, the
//     disk and the slots by the rule of [Budget]. A small copy waits for its connection and its
//     memory without a slot. A large copy takes its slot first.
//   - An object below the minimum of its job is not stored, nor copied by the server. Its body is
//     not read if its length is declared. An object of unknown length is judged if it ends within
//     the first MiB, and copied otherwise.
//   - An object above the limit of its pool is refused by its declared length. A body without one is
//     cut as soon as it exceeds the limit.
//   - A source that sends nothing, or less than a minimum rate, is cut. The time that a large
//     object takes is not limited.
//
// The caller retries: a part that fails ends the attempt, and the next attempt resumes
// (workflows.StreamCopyPolicy). The caller also aborts the upload of a copy that will not resume
// (see [State]). The package itself aborts only uploads that no copy can resume: others under the
// same key, an upload known to be bad, and an upload that its caller could not record.
//
// # Decisions
//
// 2026-11-26: parts are read in order if connections gain nothing. Six parts of a source of 20 MB/s
// advanced in step, so that a crash cost 40 to 48 MB of 98. Such a copy now reads one part at a
// time (see [width]), and a crash costs at most two parts. It finds out by a trial: once the rate
// of six connections is steady and low, five of them are given up for about 100 ms. If the first
// one is as fast as all of them together were, it stays alone. The five parts keep their bytes. A
// connection is given up only when it waits for the source, so that no more than the bytes on their
// way are sent twice. A source that limits each connection loses these 100 ms, once in an attempt,
// 4 % of a copy of 98 MB at 20 MB/s. A copy that ends within 1.5 s, or that runs on a busy machine,
// is not tried. A part that takes less than a second is left alone, and so is a source below 1
// MiB/s. Rejected: to read less from the later parts, which keep their connections. The kernels of
// both sides would hold megabytes of each. Rejected: to start with one connection. A source that
// limits each connection, and a far source, would pay for it with each object. Rejected: parts of
// another size. A crash would cost as much, in more parts.
//
// 2026-11-26: an object of unknown length is judged by the first buffer alone. To judge a longer
// one, a copy would have to be made and deleted, or kept in memory. It costs at least 1 MiB of
// traffic for each request in any case, so that a copy soon pays.
//
// 2026-11-25: loans are taken back, rather than never given. Without loans, one source alone would use
// a quarter of a worker. Without taking back, a slow source would keep all for hours. What a small
// copy gives back is fetched again, and a copy in parts resumes. A stream restarts, so it gives back
// last.
//
// 2026-11-25: the description is the plain GET's even for ranges. A 206 that describes the object
// otherwise would make the copy differ from the source's own response.
//
// 2026-11-25: if ranges are refused, the parts in the bucket are given up only after a plain GET
// has succeeded. An outage refuses ranges as well, and must not cost the parts.
//
// 2026-11-25: the state names the version of an upload's parts if it is not the job's. Otherwise a
// source that returns to its old version, such as two edges, would add that version's parts to them.
//
// 2026-11-25: a part takes its connection before its memory, but waits for memory without it. A part
// that was refused waits for a connection while it holds memory, so the two waits together would be a
// deadlock. The alternative, to open each part in the order of parts, costs a round trip for each.
//
// 2026-11-24: a released buffer can't be read. Package net/http may read a request's body for a
// while after the request was cancelled, and would then read another part's bytes.
//
// 2026-11-23: a worker heartbeats before it aborts other uploads under the key. If it was frozen,
// and another worker has taken over its copy, the heartbeat cancels it before it can abort that
// worker's upload.
//
// 2026-11-23: the state of the digests is saved only at a multiple of every hash's block size. In
// between, it contains bytes of the source, which must not enter a history.
//
// 2026-11-23: an upload is recorded before its first part. [Job.Checkpoint] gets its id, and the
// copier aborts it at once if the context ended meanwhile, because no later try would know it.
package copier
