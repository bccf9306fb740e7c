// Package storage is the S3 side of cloud-mirror: pools, the identity of an object and where its copy stands in a
// bucket, and the bucket itself.
//
// A pool is one service in one region (s3_us-west-2) and its bucket. An [Object] is the answer to "which copy?":
// service, region and canonical source URL. [Object.Key] says where that copy stands.
//
// It guarantees:
//   - A key is injective in the URL, always has three segments, and is accepted as it is by every S3-compatible server.
//   - [Bucket.Upload] stores exactly the declared bytes or nothing: bytes are counted and checksummed while they pass,
//     a mismatch is never completed, and a multipart upload that fails is aborted even if the caller's context is over.
//   - [Bucket.Location] is built from configuration and key alone, and a presigned one never outlives the credentials
//     that signed it or the object.
//
// What is copied, when and why is the caller's business; so are retries beyond those of the AWS SDK.
//
// 2026-11-22: the multipart calls are our own. Both AWS uploaders report success on a truncated stream and leave the
// upload open when the context is cancelled.
package storage
