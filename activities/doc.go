// Package activities holds the activities of the workflows, most of them of CopyObject.
//
//   - HeadSource looks first: for a copy that the bucket already has, and at the cache. It sends
//     nothing to the source.
//   - StreamCopy sends the first request to the source, a plain GET. It stores a small object from
//     this one response. It describes a large object, and a second StreamCopy, on the task queue of
//     large objects, copies it. Package copier moves the bytes.
//   - UpdateCache tells the front ends how the copy ended.
//   - AbortUpload cleans up after a copy that will not be made.
//   - SweepUploads cleans up after workflows and workers that could not.
//   - PurgeCopy finishes a purge that failed halfway. It is the only activity of the workflow
//     PurgeCopy.
//   - Audit compares a source with its copy. Refresh has the bucket keep a copy that it would
//     delete soon. Both are the only activities of the workflows AuditCopy and RefreshCopy.
//
// The workflow decides when and how often an activity runs, and whether as a local one. HeadSource
// and UpdateCache must end within a second or two if redis and the bucket answer.
//
// # Guarantees
//
//   - Each activity can be run again at any point: it finds or overwrites the results of an earlier
//     run.
//   - A history (inputs, results, failures, heartbeats) holds no query of a URL, no credentials,
//     and no body of a source. A failure is at most 1 KB.
//   - Every activity fails at once, and changes nothing, if its source belongs to another pool or
//     is no object.
//   - UpdateCache publishes a copy only if the bucket has it: with the copy id and the size of the
//     run or, for a copy that was found, with its size and no older generation.
//   - An attempt that an operator paused or reset says so, and so do copies that an operator
//     failed, cancelled or terminated. Cancelled, terminated and purged copies are no failed
//     copies.
//   - The observer counts the bytes of each copy that was made, once. Bytes that an earlier attempt
//     stored, and bytes that the S3 server copied, are bytes of the copy.
//   - An error becomes non-retryable only here, from the errors of origin, cache and copier.
//   - An attempt of StreamCopy resumes from the parts that earlier attempts stored, and finds a
//     copy that they finished. If it fails, its upload is left to the next attempt, or to
//     AbortUpload.
//   - On servers with conditional writes, a copy never overwrites a newer copy, nor an object that
//     it has not seen.
//   - An object that is smaller than the minimum of its requests is not stored, and is no failure:
//     UpdateCache records its size, and clients with such a minimum get the source. A copy that the
//     bucket already has is used, whatever its size.
//   - An attempt that was handed over, that an operator paused, or that waited for its turn uses up
//     none of the attempts of its copy. An attempt that dies with its worker does. So does an
//     attempt that had to give its holds back, and lost all fetched bytes.
//   - No copy ends as too slow unless a copy from another host waits for slots or memory.
//   - After the end of their context, HeadSource and UpdateCache start no further write.
//   - No copy fails because redis is down. Only UpdateCache fails then, and the next client's
//     request HEADs the bucket.
//   - An audit changes nothing, unless AuditPurge is set and the source has another object. A
//     refresh never loses a copy, and never restores one that was purged.
//
// # Decisions
//
// 2026-11-27: a failed attempt writes the number of attempts, and the time of the next one, into the
// entry. The SDK does not tell an attempt that time, so it follows from [RetryPauses], which the retry
// policies have too. A copy that succeeds writes as often as before. The entry of an outcome stays as it
// is: an attempt that Temporal gave up must not hide it. The write reads the entry before, because a
// generation tells purges apart, and not the attempts of one copy.
//
// 2026-11-26: UpdateCache HEADs the copy, because an operator can complete any activity by hand. A
// missing copy fails its run, and its entry is a transient error, so that the next request makes
// the copy. Rejected: to copy again in the same run. An operator who completed the activity would
// see a green run and a second download, and no reason. The HEAD costs each copy one call of S3.
//
// 2026-11-26: a copy that was found by a later attempt is not counted. Its attempt may have died
// before it could count it. Then the counters lack this copy.
//
// 2026-11-26: a terminated workflow runs no code, so the running StreamCopy records the
// termination. It asks Temporal, because a heartbeat of an attempt that timed out is refused in the
// same way. If the run has no running StreamCopy, the lease expires, and clients restart the copy.
//
// 2026-11-26: PurgeCopy makes the first generation once, and keeps it in its heartbeat. Each
// further generation would end copies that started since, at every attempt. It leaves a copy that
// is newer than the purge.
//
// 2026-11-26: [storage.Pool.DownloadActive] is the only setting by which a copy has another header
// than a plain GET of the source. Whether a type is active is decided by a list of active types,
// and all types that do not parse. A list of harmless types was rejected: most build artifacts have
// types that no list has, and browsers download those anyway. PDF is not active: browsers show it
// in an origin of its own.
//
// 2026-11-26: the result of StreamCopy for a small object has no number as its size, like that of a
// large object. A workflow of an earlier build fails instead of publishing a copy that does not
// exist. A worker of an earlier build ignores the minimum, and copies. Its UpdateCache records a
// permanent failure of the same class, which lives for cache.negative_ttl (see [TooSmallUpdate]).
//
// 2026-11-26: an audit that suspects a change by a HEAD confirms it by a plain GET, closed unread.
// A source's response to HEAD often differs from its response to GET (see package origin), and a
// false alarm could purge every copy. Rejected: to audit by GETs alone, which costs the source
// more.
//
// 2026-11-26: the last attempt of Audit and of Refresh reports its failure as a result, so that
// their workflows end as completed. They make no copy, and must not page a person. The counters and
// the results show the failure.
//
// 2026-11-26: a refresh that was overtaken by a purge deletes the object only if no newer copy is
// published or being made. The copy onto itself may have replaced a new copy of the same bytes,
// which S3 can't tell apart by its ETag. That object stays, with the old generation: front ends
// serve it by the new copy's entry, and make another copy after that.
//
// 2026-11-25: a digest that a request expects never fails a copy. Before, a client with a wrong digest
// kept all others from the object. StreamCopy computes the digest instead, and the front end compares
// it. A copy in parts has it only in the cache, because the metadata is fixed before the digest is
// known.
//
// 2026-11-25: a copy that the bucket deletes too soon is recorded as a failure. Clients that wait would
// otherwise request one copy after the other.
//
// 2026-11-25: the activity counts its attempts, not the server. StreamCopy's retry policies have no
// limit, and [Progress].Free counts the attempts that used up none. So the activity knows how many
// failed: all attempts less the free ones. It ends its series after [MaxAttempts] by a non-retryable
// error with [Failure].Exhausted, which the workflow takes like a series that the server ended. The
// alternative was that the workflow schedules StreamCopy again after each wait. It costs six events of
// the history each time, and a copy may wait for hours. Recorded histories replay, since a policy is
// no command. An activity that an earlier build scheduled keeps its limit of eight. Workers of earlier
// builds never end a series without a limit, so a rollback needs the open runs terminated.
//
// 2026-11-25: the minimum average rate applies only while a copy from another host waits. Many copies
// on our own slow link are all below it, and would all become unmirrorable. Copies of the same host
// gain nothing if one of them ends.
//
// 2026-11-25: a copy that waits for its turn hands its task back after 2 s. A slot supplier of
// Temporal knows nothing of a task's source, so a worker accepts four times as many tasks as copies
// may run, and [copier.Budget] decides which of them run.
//
// 2026-11-25: HeadSource no longer HEADs the source, although its name says so: the name is in every
// history. The size decides the task queue, and a body can't pass from one activity to the next. So
// StreamCopy runs twice for a large object. While workers of earlier builds run as well, they fail
// with SourceChanged where they can't know the source's headers (see undescribed), and can't decode
// a result without a copy (see StreamCopyResult.MarshalJSON). Clients get the source then.
//
// 2026-11-25: failures in a row are counted in the heartbeat, because the server counts attempts but
// does not tell an attempt how earlier attempts failed.
//
// 2026-11-25: every key in a history is lowerCamelCase, because a history keeps its keys for ever.
// origin.Meta had underscores (content_type) before. Both spellings decode, so recorded histories
// replay and open runs continue. A rollback to a build before this date does not decode the new
// spelling: it would drop the Content-* headers and the range support of sources that a later build
// described. The same holds for a fleet of both builds. Terminate open runs before such a rollback.
// No release has the old spelling.
//
// 2026-11-23: the first heartbeat of an attempt carries the upload's id, because the SDK sends it
// at once, before any part is stored. It throttles later heartbeats and may lose them, so ListParts
// tells which parts the bucket has.
//
// 2026-11-22: a source's query is sealed (see package seal), so that only an activity can read it.
// It may be a signature, and the workflow must carry it so that a run can be retried from its
// history alone.
package activities
