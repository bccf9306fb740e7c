// Package region finds the AWS region that a client calls from, for requests that do not name one.
//
// # Guarantees
//
//   - Lookups never block and never do I/O. They see one whole document of IP ranges, the latest
//     valid one.
//   - A document that can't be loaded or is invalid is reported and retried sooner. It changes
//     nothing else.
//   - A client cannot choose its region by sending a header, provided that the number of trusted
//     proxies is right.
//   - The same document and configuration give the same answers, in any order of the document's
//     entries.
//
// The caller decides what to do with an address without a region. The package imports nothing of
// ours.
//
// # Decisions
//
// 2026-11-24: a document
// (https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-syntax.html) may have several entries for
// one address:
//
//   - An entry for GLOBAL, or without a region, is skipped, so that a less specific entry with a
//     region counts.
//   - A prefix with two regions is in neither, and hides less specific entries. A guess would cost
//     as much as no region, and the region of the network around it is known to be wrong.
package region
