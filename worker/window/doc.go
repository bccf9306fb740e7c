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
// 2026-11-27: three bridges on two cores had windows of 1, 1 and 2 to 7. Each bridge has its own
// usual time, and one that started few copies before a burst takes the burst's for usual. Behind
// 1,000 objects, another host's object took 2.0 to 5.0 times its idle latency in five runs.
// Rejected: at least eight pollers of workflow tasks: 2.8, 4.3 and 3.2 times, in turns with 4.0,
// 2.0 and 5.0 times without.
//
// 2026-11-27: measured once all of a burst is queued, another host's object took 2.1 times its idle
// latency behind 998 objects in the first run (`make bench ARGS="-rounds 1 -crowd 200"`). The
// figures below include the time in which the front end still reads the requests of the burst.
//
// 2026-11-27: rejected: five starts give the usual time instead of nine. Three runs of each, in
// turns: another host's object took 2.3, 2.0 and 2.7 times its idle latency, and 2.2, 2.9 and 4.9
// times with nine (ten runs with nine: 2.2 to 7.8). But the window of a bridge on a machine that
// became busy later stayed at one: behind 1,000 messages, a client of another host had no copy
// after 28 s.
//
// 2026-11-26: the window follows the time that Temporal takes to accept a workflow. The time of a
// whole copy depends on its source. Behind 1,000 queued objects of one host, an object of another
// took 95 to 450 times its idle latency without a window, and 3.1 to 5.1 times with it (make bench,
// on a machine of two cores that Temporal fills).
//
// 2026-11-27: on two cores, a window of one for each of three bridges is no fairer: another host's
// object took 4.3 times its idle latency, and 3.7 in the run before with this window. The rate fell
// from 28.6 to 23.7 copies a second. Three copies fill two cores, so the rest is a queue for
// processors.
//
// 2026-11-26: medians of many and of a few starts are compared, because single times differ in an
// idle Temporal too. With medians of five alone, the smallest of thousands was far below the usual
// one. In the simulation of a deployment for 1,000 copies a second, whose starts have a p99 of five
// times the mean, windows shrank to one, and a burst of 100,000 took 1,500 s. It takes 86 s now.
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
