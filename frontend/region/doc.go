// Package region finds the AWS region that a client calls from, for requests that do not name one.
//
// It guarantees:
//   - Lookups never block and never do I/O. They see one whole document of IP ranges, the latest good one.
//   - A document that cannot be had or is not good changes nothing but that it is reported and asked for again sooner.
//   - A client cannot choose its region by a header of its own, given that the number of trusted proxies is right.
//   - The same document and configuration give the same answers, whatever the order in the document.
//
// What an address without a region gets is up to the caller. It imports nothing of ours.
//
// Decided in November 2026, on what the document (https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-syntax.html)
// may say of one address:
//   - GLOBAL, or nothing, is no region: such an entry is passed over, so that a less specific one with a region counts.
//   - One prefix with two regions is in neither, and hides what is less specific: a guess would cost as much as none, and
//     the network around it is known to be wrong.
package region
