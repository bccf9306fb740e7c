// Package copier moves one object from an HTTP source into an S3 bucket. It knows nothing of Temporal, redis, or why.
//
// It guarantees:
//   - What appears in the bucket is exactly what the source declared, counted, checksummed and, where there is a digest,
//     compared with it, or nothing appears.
//   - A copy that ended in the middle goes on from the parts that the bucket has, if the source serves ranges that are
//     pinned by a strong ETag. What is fetched again are the parts that were under way, and with a digest those that came
//     after the last [State] as well.
//   - Memory is bounded by [Memory], whatever the sizes and the number of copies; parts that are larger than a buffer may
//     be are kept in files while they are under way.
//   - A source is cut that sends nothing, or less than a minimum rate, but never for the time that a large object takes.
//
// It leaves to its caller: retries, and aborting the upload of a copy that will not go on (see [State]). It aborts by
// itself only uploads that nobody can go on with: other ones under the same key, one that is known to be bad, and one
// that its caller could not note.
package copier
