// Package conns guards the connections of an HTTP server: it bounds them, closes those that make no
// progress, and notices clients that leave while their request waits.
//
// # Guarantees
//
//   - At most Max connections are open, and at most MaxPerClient of one client: an IPv4 address, or
//     a /64 of IPv6. Max leaves descriptors for everything else in the process.
//   - A new connection takes the place of an idle one if there is one. It takes that of its own
//     client at MaxPerClient. At Max it takes that of the client with the most idle connections. A
//     client with many connections therefore loses its own ones first.
//   - A connection whose peer acknowledges nothing, or reads nothing, for Timeout is closed. So is
//     one whose peer vanished without a packet, within Timeout of its last one.
//   - A request that is served for longer than Longest, without [Progress], loses its connection.
//   - A request that waits with [Watch] learns within about a quarter of a second that its client
//     closed or reset the connection, whatever the client sent before it left.
//   - A request costs two stores of a number. Deadlines and options are set once for a connection.
//
// # Decisions
//
// 2026-11-25: the kernel counts the time without progress (TCP_USER_TIMEOUT, TCP keep-alive), per
// connection. A write deadline of net/http costs each hit 3 %. Longest is for clients that read a
// byte now and then, and for systems without that option.
//
// 2026-11-25: waiting connections are polled for POLLRDHUP, all of them by one call, four times a
// second. net/http watches a connection only until it has read one byte of the next request: a
// client that pipelines hides that it left. Rejected: a goroutine or a timer for each waiter, and
// epoll, whose sets outlive a descriptor that is closed and reused.
//
// 2026-11-25: a client that left more than 16 KiB unread behind a waiting request counts as gone.
// Once the receive window is full, the kernel can't learn that the client closed.
//
// 2026-11-25: a client that half-closed its connection counts as gone too, as for net/http: it
// looks like one that closed it. Its answer is still written.
//
// 2026-11-25: the new connection is preferred to an idle one. A refusal would punish clients that
// just came, and idle connections can be opened again by those who need them.
package conns
