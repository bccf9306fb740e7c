// Package storage is the S3 side of cloud-mirror: pools, the identity of an object, the key of its
// copy in a bucket, and the bucket itself.
//
// A pool is one service in one region (s3_us-west-2) and its bucket. An [Object] identifies a copy
// by service, region and canonical source URL. [Object.Key] is the copy's key in the bucket.
//
// The caller decides which objects to copy, when and why. Retries beyond those of the AWS SDK are
// the caller's too.
//
// # Guarantees
//
//   - A key is injective in the URL, always has three segments, and is accepted unchanged by every
//     S3-compatible server.
//   - [Bucket.Put], [Bucket.CompleteUpload] and [Bucket.CopyFrom] make an object visible completely
//     or not at all. The server compares its checksum with ours before it makes an uploaded object
//     visible. Then this package compares the length and checksum of the stored object once more.
//     If a reply is lost, a HEAD settles whether the write happened.
//   - On servers that keep the preconditions of their call, none of them replaces an object other
//     than [ObjectSpec.Replaces].
//   - [Bucket.Refresh] never loses an object: after an error the former object is still there,
//     unless another copy replaced it, or the server stored other bytes.
//   - Each request that can name the bucket's owner does, if [Pool.Owners] has it. S3 refuses the
//     request if another account owns the bucket.
//   - [Bucket.Location] builds a URL from configuration and the key alone. A presigned URL never
//     outlives the credentials that signed it, nor the object.
//
// # Decisions
//
// 2026-11-26: [ShortLocation] splits the URL that the SDK signed, and compares the result with it. A
// URL in another form stays whole. Our own signing was rejected: it would have to follow the SDK.
//
// 2026-11-26: a presigned URL does not name the bucket's owner. It would be a signed header, which
// the client would have to send. [Bucket.Head] names the owner before a copy's URL is presigned.
//
// 2026-11-26: setup makes each call of a copy once, and reports those that the server denies. The
// policy simulator of IAM was rejected: it takes permissions of its own and exists on AWS only.
//
// 2026-11-26: an object is refreshed by a copy onto itself. It gets another copy id, which tells a
// lost reply from a lost call. Versitygw 1.8.0 keeps the object's time then, and so
// [Bucket.Refresh] copies the object in parts there. Rejected: a lifecycle rule by tags. It can't
// extend an object's life, and takes another permission.
//
// 2026-11-25: the CORS rule allows every origin, or there is none. A list of origins can't work: a
// browser sends `Origin: null` after a redirect to another origin.
//
// 2026-11-23: payloads are not signed. The signed checksum guards them against accidents, and TLS
// against everything else. A second hash of the payload costs more than the rest of a copy.
//
// 2026-11-22: the multipart calls are our own. Both AWS uploaders report success on a truncated
// stream and leave the upload open when the context is cancelled. One of them can't resume, and
// neither can upload CRC64NVME in parts.
package storage
