// Command redirects measures redirects:
//
//   - The rate and the p99 of a front end that answers from memory, and of another that reads redis
//     for every request.
//   - The rate of the mirror route: of hits, and of paths that pass through to the source.
//   - The memory of entries, in redis and in a front end.
//   - How soon waiting clients receive their redirect after the entry of a copy is written.
//
// Run it with `make bench-redirect`. ARGS="-h" lists its flags.
//
// # Guarantees
//
//   - A response other than a redirect to a copy fails the benchmark, except on the path that
//     passes through. A missed target does not.
//   - A hit needs neither S3 nor SQS. Stubs answer where a first request does.
//
// # Decisions
//
// 2026-11-24: the baseline of the rates is a bare httprouter that gives the same response.
//
// 2026-11-24: front ends are processes of the product, the bare router is a process too, and redis
// is a redis-server. The load is wrk's.
package main
