package sqs

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// queueInput is the part of a request that names a queue.
type queueInput struct {
	QueueURL string `json:"QueueUrl"`
}

type emptyOutput struct{}

func (s *Server) arn(name string) string {
	return "arn:aws:sqs:" + s.region + ":" + accountID + ":" + name
}

// queueByARN returns the queue with the ARN, or nil if this server has no such queue.
func (s *Server) queueByARN(arn string) *queue {
	name, ok := strings.CutPrefix(arn, s.arn(""))
	if !ok {
		return nil
	}
	return s.queues[name]
}

// queueByURL returns the queue with the URL. Only the name in it counts, because clients may reach
// this server by several host names.
func (s *Server) queueByURL(queueURL string) (*queue, error) {
	if queueURL == "" {
		return nil, errorf("MissingParameter", "The request must contain the parameter QueueUrl.")
	}
	name := path.Base(queueURL)
	if q := s.queues[name]; q != nil {
		return q, nil
	}
	return nil, queueNotFound(name)
}

func queueURL(base, name string) string { return base + "/" + accountID + "/" + name }

type createQueueInput struct {
	QueueName  string
	Attributes map[string]string
	Tags       map[string]string `json:"tags"`
}

func (s *Server) createQueue(base string, in createQueueInput) (any, error) {
	if strings.HasSuffix(in.QueueName, ".fifo") || in.Attributes["FifoQueue"] == "true" {
		return nil, errorf("UnsupportedOperation", "FIFO queues are not supported by this server")
	}
	if ok, _ := regexp.MatchString(`^[A-Za-z0-9_-]{1,80}$`, in.QueueName); !ok {
		return nil, errorf("InvalidParameterValue",
			"Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	for name, value := range in.Attributes {
		if err := s.checkAttribute(name, value); err != nil {
			return nil, err
		}
	}
	out := map[string]string{"QueueUrl": queueURL(base, in.QueueName)}
	if q := s.queues[in.QueueName]; q != nil {
		if !s.hasAttributes(q, in.Attributes) {
			return nil, errorf("QueueNameExists",
				"A queue already exists with the same name and a different value for an attribute: %s", in.QueueName)
		}
		return out, nil
	}
	q := newQueue(in.QueueName, s.clock.Now())
	maps.Copy(q.tags, in.Tags)
	if err := s.setAttributes(q, in.Attributes); err != nil {
		return nil, err
	}
	s.queues[q.name], s.dirty = q, true
	return out, nil
}

func (s *Server) getQueueURL(base string, in struct{ QueueName string }) (any, error) {
	if s.queues[in.QueueName] == nil {
		return nil, queueNotFound(in.QueueName)
	}
	return map[string]string{"QueueUrl": queueURL(base, in.QueueName)}, nil
}

type listQueuesOutput struct {
	QueueURLs []string `json:"QueueUrls"`
}

func (s *Server) listQueues(base string, in struct{ QueueNamePrefix string }) (any, error) {
	out := listQueuesOutput{}
	for _, name := range slices.Sorted(maps.Keys(s.queues)) {
		if strings.HasPrefix(name, in.QueueNamePrefix) {
			out.QueueURLs = append(out.QueueURLs, queueURL(base, name))
		}
	}
	return out, nil
}

func (s *Server) deleteQueue(_ string, in queueInput) (any, error) {
	q, err := s.queueByURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	delete(s.queues, q.name)
	s.dirty = true
	q.notify() // Long polls answer that the queue does not exist
	return emptyOutput{}, nil
}

func (s *Server) purgeQueue(_ string, in queueInput) (any, error) {
	q, err := s.queueByURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	q.clear()
	s.dirty = true
	return emptyOutput{}, nil
}

type attributeNamesInput struct {
	queueInput
	AttributeNames []string
}

func (s *Server) getQueueAttributes(_ string, in attributeNamesInput) (any, error) {
	q, err := s.queueByURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	all := s.allAttributes(q)
	if slices.Contains(in.AttributeNames, "All") {
		return map[string]any{"Attributes": all}, nil
	}
	maps.DeleteFunc(all, func(name, _ string) bool { return !slices.Contains(in.AttributeNames, name) })
	return map[string]any{"Attributes": all}, nil
}

type setQueueAttributesInput struct {
	queueInput
	Attributes map[string]string
}

func (s *Server) setQueueAttributes(_ string, in setQueueAttributesInput) (any, error) {
	q, err := s.queueByURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	for name, value := range in.Attributes {
		if value == "" {
			continue // Removes the attribute
		}
		if err := s.checkAttribute(name, value); err != nil {
			return nil, err
		}
	}
	if err := s.setAttributes(q, in.Attributes); err != nil {
		return nil, err
	}
	q.modified, s.dirty = s.clock.Now(), true
	return emptyOutput{}, nil
}

func (s *Server) listDeadLetterSourceQueues(base string, in queueInput) (any, error) {
	dead, err := s.queueByURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	urls := []string{}
	for _, q := range s.deadLetterSources(dead) {
		urls = append(urls, queueURL(base, q.name))
	}
	return map[string]any{"queueUrls": urls}, nil
}

// deadLetterSources returns the queues that dead-letter to the given queue, sorted by name.
func (s *Server) deadLetterSources(dead *queue) []*queue {
	var sources []*queue
	for _, name := range slices.Sorted(maps.Keys(s.queues)) {
		if q := s.queues[name]; q.redrive != nil && q.redrive.Target == s.arn(dead.name) {
			sources = append(sources, q)
		}
	}
	return sources
}

type tagsInput struct {
	queueInput
	Tags    map[string]string
	TagKeys []string
}

func (s *Server) tagQueue(_ string, in tagsInput) (any, error) {
	q, err := s.queueByURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	maps.Copy(q.tags, in.Tags)
	s.dirty = true
	return emptyOutput{}, nil
}

func (s *Server) untagQueue(_ string, in tagsInput) (any, error) {
	q, err := s.queueByURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	for _, key := range in.TagKeys {
		delete(q.tags, key)
	}
	s.dirty = true
	return emptyOutput{}, nil
}

func (s *Server) listQueueTags(_ string, in queueInput) (any, error) {
	q, err := s.queueByURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Tags": q.tags}, nil
}
