// Package permissions derives the actions of IAM that cloud-mirror needs from the requests that it
// sends. Its test compares them with the policies in deploy/terraform.
//
// # Guarantees
//
//   - A request to S3 or SQS that the package does not know is an error, and never ignored.
//   - The test fails if a policy lacks an action that a role used, and if it has one that no role
//     used. It also fails if the product's source has a call of the SDK that no process sent.
//
// # Decisions
//
// 2026-11-27: each role has a proxy of its own before each server. One proxy that tells roles apart
// by their access keys would need servers with several accounts.
//
// 2026-11-27: the calls in the source are the literals of the SDK's input types. Every call needs
// one, and no type checker is needed to find them.
package permissions
