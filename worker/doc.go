// Package worker is where cloud-mirror meets Temporal: the worker that runs copies, the bridge that starts them from the
// copy-request queue, the schedules that sweep uploads, and the logger between the SDK and zerolog.
//
// It guarantees:
//   - A message leaves the queue only after Temporal has durably accepted the workflow, or the message is shown to be no
//     copy request. While Temporal is away the bridge keeps its messages, invisible to others and not counted as failed.
//   - A request for an object whose copy is running starts no second one.
//   - A worker does not start unless the search attributes are registered, since workflows would be blocked for ever.
//   - A worker that is told to stop hands its copies over.
//
// What a copy does is the workflows' and activities' business.
package worker
