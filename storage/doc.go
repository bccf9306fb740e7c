// Package storage is the S3 side of cloud-mirror: pools, the identity of an object and where its copy stands in a
// bucket, and the bucket itself.
//
// A pool is one service in one region (s3_us-west-2) and its bucket. An [Object] is the answer to "which copy?":
// service, region and canonical source URL. [Object.Key] says where that copy stands.
//
// It guarantees:
//   - A key is injective in the URL, always has three segments, and is accepted as it is by every S3-compatible server.
//   - An object appears by [Bucket.Put], [Bucket.CompleteUpload] or [Bucket.CopyFrom], all of it or not at all: the
//     server compares its checksum with ours before it shows it, and length and checksum of what it then holds are
//     compared once more. A reply that is lost is settled by a look.
//   - None of them replaces an object other than the one it was told of, on servers that have conditional writes.
//   - [Bucket.Location] is built from configuration and key alone, and a presigned one never outlives the credentials
//     that signed it or the object.
//
// What is copied, when and why is the caller's business; so are retries beyond those of the AWS SDK.
//
// 2026-11-22: the multipart calls are our own. Both AWS uploaders report success on a truncated stream and leave the
// upload open when the context is cancelled, one can't resume, and neither can upload CRC64NVME in parts.
//
// 2026-11-23: payloads are not signed. The checksum is, and guards them against accidents; TLS guards them against
// everything else. To hash them once more costs more than all the rest of a copy.
package storage
