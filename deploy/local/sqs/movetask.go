package sqs

import (
	"maps"
	"slices"

	"github.com/google/uuid"
)

// moveTask is a finished redrive, as ListMessageMoveTasks returns it. The state file omits it.
type moveTask struct {
	SourceArn                        string
	DestinationArn                   string `json:",omitempty"`
	Status                           string
	FailureReason                    string `json:",omitempty"`
	ApproximateNumberOfMessagesMoved int64
	StartedTimestamp                 int64
}

type startMoveInput struct {
	SourceArn      string
	DestinationArn string
}

// startMessageMoveTask redrives a dead-letter queue before it answers. Without a destination, each
// message returns to its source queue. A message that a client sent to the dead-letter queue
// directly has no source queue. It stays, and the task fails with CouldNotDetermineMessageSource.
// The real service does the same.
func (s *Server) startMessageMoveTask(_ string, in startMoveInput) (any, error) {
	dead := s.queueByARN(in.SourceArn)
	if dead == nil {
		return nil, errorf("ResourceNotFoundException",
			"The resource that you specified for the SourceArn parameter doesn't exist.")
	}
	if len(s.deadLetterSources(dead)) == 0 {
		return nil, errorf("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
	}
	if in.DestinationArn != "" && s.queueByARN(in.DestinationArn) == nil {
		return nil, errorf("ResourceNotFoundException",
			"The resource that you specified for the DestinationArn parameter doesn't exist.")
	}
	task := s.redrive(dead, in)
	s.moveTasks, s.dirty = append(s.moveTasks, task), true
	return map[string]string{"TaskHandle": uuid.NewString()}, nil
}

func (s *Server) redrive(dead *queue, in startMoveInput) moveTask {
	now := s.clock.Now()
	task := moveTask{
		SourceArn: in.SourceArn, DestinationArn: in.DestinationArn,
		Status: "COMPLETED", StartedTimestamp: now.UnixMilli(),
	}
	waiting := slices.SortedFunc(maps.Values(dead.byID), func(a, b *message) int {
		return int(a.Sequence) - int(b.Sequence)
	})
	for _, m := range waiting {
		if m.VisibleAt.After(now) {
			continue // In flight or delayed
		}
		to := s.queueByARN(m.Source)
		if in.DestinationArn != "" {
			to = s.queueByARN(in.DestinationArn)
		}
		if to == nil {
			task.Status, task.FailureReason = "FAILED", "CouldNotDetermineMessageSource"
			continue
		}
		dead.remove(m)
		m.Source = ""
		s.requeue(to, m)
		task.ApproximateNumberOfMessagesMoved++
	}
	return task
}

type listMoveInput struct {
	SourceArn  string
	MaxResults int
}

// listMessageMoveTasks lists the newest task first.
func (s *Server) listMessageMoveTasks(_ string, in listMoveInput) (any, error) {
	results := []moveTask{}
	for _, task := range slices.Backward(s.moveTasks) {
		if task.SourceArn == in.SourceArn && len(results) < max(in.MaxResults, 1) {
			results = append(results, task)
		}
	}
	return map[string]any{"Results": results}, nil
}
