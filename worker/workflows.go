package worker

import "github.com/cloud-mirror/cloud-mirror/workflows"

// RegisterWorkflows registers all workflows of this build with a Temporal worker or a replayer.
func RegisterWorkflows(r interface{ RegisterWorkflow(w any) }) {
	r.RegisterWorkflow(workflows.CopyObject)
	r.RegisterWorkflow(workflows.SweepUploads)
	r.RegisterWorkflow(workflows.AuditCopy)
	r.RegisterWorkflow(workflows.RefreshCopy)
	r.RegisterWorkflow(workflows.PurgeCopy)
}
