// Command redirects measures redirects:
//
//   - The rate and the p99 of a front end that answers from memory, and of one that reads redis for
//     every request.
//   - The memory that entries take, in redis and in a front end.
//   - How soon waiting clients receive their redirect after the entry of a copy is written.
//
// The baseline of the rates is a bare httprouter with the same response. Front ends are processes of
// the product, the bare router is a process too, and redis is a redis-server of this benchmark. wrk
// makes the load. A hit needs neither S3 nor SQS. Stubs answer where a first request does.
//
// Run it with `make bench-redirect`. ARGS="-h" lists its flags.
package main
