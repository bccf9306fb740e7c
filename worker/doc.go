// Package worker connects cloud-mirror to Temporal: the worker that runs copies, the bridge that
// starts them from the copy-request queue, and the logger between the SDK and zerolog. Package
// worker/schedules sets up the sweeps of uploads. Packages workflows and activities define the copy
// itself.
//
// # Guarantees
//
//   - A message leaves the queue only after Temporal has durably accepted the workflow, or because
//     it is not a copy request.
//   - While Temporal is unavailable, the bridge keeps its messages. They stay hidden from other
//     receivers and do not count as failed.
//   - Among the messages that a bridge holds, hosts take turns, purges come first, and lists last. A
//     bridge has few copies in flight while Temporal is busy, except while it holds as many messages
//     as it may.
//   - A request for an object with a running copy starts no second copy. The bridge signals it to
//     the running workflow, which fulfils it or copies the object again.
//   - A request that waited in the queue while an operator ended its copy starts none, until
//     cache.negative_ttl has passed.
//   - A run that no worker can continue, for example because their build does not replay it,
//     swallows no request: the bridge terminates it, and starts another.
//   - A worker does not start unless the search attributes are registered. Otherwise its workflows
//     would block for ever.
//   - A stopping worker hands its copies over.
//   - While the bridge runs, it publishes the backlog of each pool's task queues every 3 s. A value
//     expires after 15 s. Temporal's own figures are up to 5 s old
//     (matching.TaskQueueInfoByBuildIdTTL).
//   - The id of a request (package requestid) is in the memo of the workflow that it starts, and in all
//     log lines of that workflow and its activities. It travels in headers, which change no command.
//   - A workflow that belongs to a trace continues it. The headers of traces change no command.
//   - With [codec.Codec], no payload and no failure leaves the process unencrypted, except
//     the id of a trace. A worker without the key fails workflow tasks, and no workflow.
//
// # Decisions
//
// 2026-11-27: with TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID, runs are pinned to a
// worker deployment version. These are the names that Temporal's Worker Controller sets.
//   - All runs are short, so each ends on the build that began it. Rejected: the behaviour
//     AutoUpgrade, which needs builds that replay each other's runs, as without versions.
//   - All pools share one deployment, so that one command switches all regions. Its task queues
//     include those without workflows: an activity of a pinned run stays on the run's build, if
//     workers of that build poll the queue.
//   - The bridge starts no workflow eagerly then. Server 1.29 hands an eager task to the worker of
//     the caller, whatever build is current.
//   - A pinned run whose build has no worker waits, and is not stuck: its build may start again. The
//     operator moves it (deploy/UPGRADING.md).
//
// 2026-11-27: activities log each failed attempt in one line of level info. Attempts that only wait
// for their turn are at level debug: a burst has thousands. So are cancelled attempts, since their
// error says nothing.
//
// 2026-11-26: a worker accepts worker.concurrency workflow tasks of a pool, and as many local
// attempts (see package workflows). The SDK's default is 1,000 of each. A worker then takes a whole
// burst from Temporal, and its local attempts run in the order of their arrival: an object of
// another host waits for all of them. In Temporal, hosts take turns. A local attempt holds no
// connection to a source and none of the copier's memory.
//
// 2026-11-26: the bridge retries a request while Temporal does not know the search attributes.
// Temporal's services read what setup registers after up to 2 s, and dead letters wait for an
// operator. The development server reads them at once, so that only the cluster showed it.
//
// 2026-11-26: the published backlog omits copies that wait for the pause after a worker handed them
// back. They are timers of their workflows, and Temporal counts only tasks. The gate therefore
// closes late: a pause is 30 s at most, so workers hide at most what they hand back in 30 s. A
// growing backlog exceeds that, and each hidden copy is a task again after its pause. Rejected: a
// count of open workflows in each measurement. It reads the visibility store for all runs of a
// pool, counts the running copies too, and providers limit such calls to tens per second.
//
// 2026-11-26: the bridge starts workflows in turns of their hosts, and has few copies in flight
// while Temporal is busy: see package window. Temporal's fairness keys order only tasks that wait
// in a task queue. Each running workflow delays all others: by the CPU, and in queues without
// fairness, such as those of sticky workflow tasks. A host without a copy in flight needs no room
// in the window, up to twice its size. A full intake overrules the window. Then Temporal's fairness
// orders what it gets.
//
// 2026-11-26: a workflow task waits 2 s for the worker that has the workflow in memory, instead of
// 5 s. After a crash of that worker, another worker takes the task so much sooner. It replays some
// ten events.
//
// 2026-11-26: the bridge finds stuck runs by their pending workflow task: a worker failed it, and
// it is at its fourth attempt 10 s later. If no worker answered the first attempt, it is the eighth
// one, after 110 s. Workers that are frozen, killed or overloaded let attempts time out too,
// and their runs continue. The bridge looks only at a run that it is about to signal, so that an
// idle stuck run costs nothing. In these 10 s a worker of the right build takes the task during an
// upgrade. The terminated copy's bytes are lost, and a sweep frees its parts. Rejected: a longer
// time. A signal makes a new task, Temporal does not tell the age of the first one, and cache.lease
// sets the time between two signals.
//
// 2026-11-26: audits and refreshes have a task queue of their own, and at most 16 run in a pool. On
// the copies' own queue, the refreshes of objects that were stored on one day could take all of its
// tasks: Temporal's priority orders only tasks that wait. Their backlog is not published, so that
// it closes no gate for copies.
//
// 2026-11-25: brief activities (HeadSource, UpdateCache, AbortUpload) share the task queue of small
// copies. A task queue of their own would cost each copy the eager dispatch, which works only in
// the workflow's own queue. Instead a worker accepts four tasks for each copy that may run. At most
// three of them are copies: see [copier.TasksPerSlot]. Copies that wait go back to Temporal after 2
// s.
//
// 2026-11-26: the published backlog has the messages that wait in the bridge: the window keeps them
// out of Temporal. Several bridges publish in turns, each with its own messages.
//
// 2026-11-25: the published number of tasks counts all task queues of a pool. The age is that of
// tasks with waiting clients, in the queue of new copies only. A large object may wait for minutes
// without harm to small objects, and so may a list.
//
// 2026-11-25: the source's host is the fairness key. Workers made 65 waiting copies of two hosts in
// turns, instead of in their order. A server without fairness ignores the key.
//
// 2026-11-25: pollers are autoscaled. 500 cold objects requested by 50 clients had a p99 of 6.5 to
// 9.9 s with the SDK's two fixed pollers, and 3.4 to 4.1 s autoscaled, at the same rate (three
// pairs of runs on a busy machine). A higher fixed number did not help.
//
// 2026-11-22: search attributes are listed by the operator service. The client's own call omits
// those of a namespace on servers with an SQL visibility store. It is complete where the provider
// keeps the operator service to itself, and is used only there.
//
// 2026-11-22: the SDK's error log of a failed attempt is demoted to debug. The workflow retries or
// records the failure, and activities log the outcome of a copy themselves. Fields of the SDK are
// spelled as ours.
package worker
