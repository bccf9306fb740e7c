// Package frontend answers clients: the redirect to an object's copy, the purge, and what is needed to operate them.
//
// It guarantees:
//   - Every redirect request gets a usable answer within its wait: the copy, the source's own 4xx, a refusal of what it
//     asked for, or the original URL. No dependency that is down makes it anything else.
//   - Any number of clients and front ends that ask for one object make one copy request: only the holder of the lease
//     enqueues.
//   - A client that waits is woken by redis; it is polled for, by HEAD on the bucket, only while redis is away. As many
//     wait as may, and the rest is told to come back.
//   - A redirect that was given before is given again without the router, without a signature and without I/O, as long as
//     the cache says that its copy is there.
//   - A dependency that hangs costs those who meet it first a part of a second, and nobody after them.
//   - Object bytes never pass through here, and neither logs nor error texts hold a URL's query.
//
// What to do for a request is decided by one pure function, [decide]; flights do the I/O around it. A target is what a
// path names, a wish what its query and headers ask for. The front end never
// speaks to Temporal: it asks for copies through frontend/queue.
package frontend
