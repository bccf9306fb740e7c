// Package window limits the copies that a bridge has in flight in Temporal. A bridge that starts
// all that it has fills Temporal, and then each new copy waits for all others.
//
// # Guarantees
//
//   - A window is never below one, so that a slow Temporal never stops a bridge.
//   - It does no I/O and reads no clock.
//
// # Decisions
//
// 2026-11-27: five starts give the usual time. Each bridge has its own, and one that started few
// copies before a burst takes the burst's for usual: three bridges on two cores had windows of 1, 1
// and 2 to 7. Behind 1,000 queued objects of one host, the median object of another took 2.7, 2.0 and
// 1.4 times its idle latency in three runs. With nine starts it took 2.4 and 8.6 times in the same
// hour, and 2.0 to 7.8 before. The rate was 0.73 to 0.76 of an empty workflow's, with nine 0.78 and
// 0.81. The first object took 5 to 8 s: its message waits in SQS until the burst is old (package
// queue).
//
// 2026-11-27: rejected: to ask SQS once a second how many messages wait, and to receive a burst at once.
// The first object took 2.3 s. But in two runs of three, on two cores, a client of the burst got the
// source. The cause was not found.
//
// 2026-11-27: rejected: at least eight pollers of workflow tasks: 2.8, 4.3 and 3.2 times, in turns
// with 4.0, 2.0 and 5.0 times without.
//
// 2026-11-26: the window follows the time that Temporal takes to accept a workflow. The time of a
// whole copy depends on its source. Behind 1,000 queued objects of one host, an object of another
// took 95 to 450 times its idle latency without a window, and 3.1 to 5.1 times with it (make bench,
// on a machine of two cores that Temporal fills).
//
// 2026-11-26: medians of many and of a few starts are compared, because single times differ in an
// idle Temporal too. With medians of five alone, the smallest of thousands was far below the usual
// one. In the simulation of a deployment for 1,000 copies a second, whose starts have a p99 of five
// times the mean, windows shrank to one, and a burst of 100,000 took 1,500 s. It takes 74 s now.
//
// 2026-11-26: a copy leaves the window at its end, which its cache entry shows, or after [Flight].
// A slow source or a large object does not load Temporal. A request that Temporal has not accepted
// after 2 s leaves the window as well. Rejected: to wait for the workflow's result, which cost 8 ms
// of CPU time for each copy.
//
// 2026-11-26: a window of a fixed size was rejected. One copy for each bridge suits a machine of
// two cores, and a Temporal cluster needs a hundred.
//
// 2026-11-26: the window grows by one while all of its copies start, and shrinks by a share. So the
// windows of several bridges become equal, as those of TCP connections do. With a factor for both,
// one of three bridges kept a window of one and all of its messages waited.
//
// 2026-11-26: the usual time doubles in four minutes, unless a workflow is faster. A rise with each
// workflow made the slow starts of a long burst usual. A Temporal that has become slower for good
// keeps the window small for some minutes.
package window
