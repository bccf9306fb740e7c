// Package conns guards the connections of an HTTP server. It bounds their number, closes those
// without progress, and notices clients that leave while their request waits.
//
// # Guarantees
//
//   - At most Max connections are open, and at most MaxPerClient of one client. A client is an IPv4
//     address, or a /64 of IPv6. Max leaves descriptors for everything else in the process.
//   - A new connection takes the place of an idle connection, if any. At MaxPerClient that belongs
//     to the same client. At Max it belongs to a client with the most idle connections, so a
//     client with many connections loses its own first.
//   - The kernel closes a connection whose peer acknowledges nothing, or reads nothing, for
//     Timeout. If the peer vanishes without a packet, it does so within Timeout of the peer's last
//     packet.
//   - A request that runs for longer than Longest, without [Progress], loses its connection.
//   - [Watch] tells a waiting request within about a quarter of a second that its client closed or
//     reset the connection. Bytes that the client sent before do not hide that.
//   - A request costs two readings of the clock. Deadlines and options are set once for a
//     connection.
//
// # Decisions
//
// 2026-11-26: the text of an answer is in a [Buffer] of its connection. A connection has one request
// at a time, so the buffer needs no lock, and a hit allocates nothing.
//
// 2026-11-25: at Max, the clients with the most idle connections lose a 64th of these at once. With
// one connection for each of 20,000 clients, each new connection had to look at all others.
//
// 2026-11-25: idle times are nanoseconds. With ticks of 250 ms many times were equal, and a burst
// closed new connections before their first request.
//
// 2026-11-25: the kernel counts the time without progress (TCP_USER_TIMEOUT, TCP keep-alive), per
// connection. A write deadline of net/http costs each hit 3 %. Longest is for clients that read a
// byte now and then, and for systems without that option.
//
// 2026-11-25: one call polls all waiting connections for POLLRDHUP, four times a second. net/http
// watches a connection only until it has read a byte of the next request. A client that pipelines
// therefore hides that it left. Rejected: a goroutine or a timer for each waiter. Rejected as well:
// epoll, because its sets outlive a descriptor that is closed and reused.
//
// 2026-11-25: a client with more than 16 KiB unread behind a waiting request counts as gone. Once
// the receive window is full, the kernel can't learn that the client closed.
//
// 2026-11-25: a half-closed connection counts as gone too, as for net/http: it looks like a closed
// connection. The answer is still written.
//
// 2026-11-25: a new connection displaces an idle connection. A refusal would punish new clients,
// and a client can reopen an idle connection when it needs it.
package conns
