package sqs

import (
	"maps"
	"strconv"
	"time"
)

// settings holds the queue attributes that clients have set, as they sent them. It omits defaults.
type settings map[string]string

// attributeRange is the range and the default of a numeric attribute.
type attributeRange struct{ low, high, initial int }

// rangeOf returns the range of a numeric attribute. The numbers come from SetQueueAttributes:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
func rangeOf(name string) (attributeRange, bool) {
	switch name {
	case "DelaySeconds":
		return attributeRange{0, 900, 0}, true
	case "MaximumMessageSize":
		return attributeRange{1024, 1 << 20, 1 << 20}, true
	case "MessageRetentionPeriod":
		return attributeRange{60, 1_209_600, 345_600}, true
	case "ReceiveMessageWaitTimeSeconds":
		return attributeRange{0, 20, 0}, true
	case "VisibilityTimeout":
		return attributeRange{0, 43_200, 30}, true
	}
	return attributeRange{}, false
}

// number returns a numeric attribute, or its default. Stored values have passed checkAttribute.
func (s settings) number(name string) int {
	if n, err := strconv.Atoi(s[name]); err == nil {
		return n
	}
	r, _ := rangeOf(name)
	return r.initial
}

func (s settings) seconds(name string) time.Duration {
	return time.Duration(s.number(name)) * time.Second
}

// checkAttribute returns an error unless a client may set the attribute to the value.
func (s *Server) checkAttribute(name, value string) error {
	if r, ok := rangeOf(name); ok {
		if n, err := strconv.Atoi(value); err != nil || n < r.low || n > r.high {
			return errorf("InvalidAttributeValue",
				"Invalid value for the parameter %s: %q is not in %d to %d", name, value, r.low, r.high)
		}
		return nil
	}
	switch name {
	case "RedrivePolicy":
		_, err := s.parseRedrive(value)
		return err
	case "Policy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled":
		return nil
	}
	return errorf("InvalidAttributeName", "Unknown Attribute %s", name)
}

// setAttributes sets attributes that have passed checkAttribute. An empty value removes one.
func (s *Server) setAttributes(q *queue, attributes map[string]string) error {
	for name, value := range attributes {
		if value == "" {
			delete(q.settings, name)
		} else {
			q.settings[name] = value
		}
	}
	redrive, err := s.parseRedrive(q.settings["RedrivePolicy"])
	if err != nil {
		return err
	}
	q.redrive = redrive
	return nil
}

// hasAttributes reports whether the queue already has the attributes. If so, CreateQueue succeeds.
func (s *Server) hasAttributes(q *queue, attributes map[string]string) bool {
	have := s.allAttributes(q)
	for name, value := range attributes {
		if name == "RedrivePolicy" {
			want, err := s.parseRedrive(value)
			if err != nil || (want == nil) != (q.redrive == nil) || want != nil && *want != *q.redrive {
				return false
			}
			continue
		}
		if have[name] != value {
			return false
		}
	}
	return true
}

// allAttributes returns the answer of GetQueueAttributes to All.
func (s *Server) allAttributes(q *queue) map[string]string {
	visible, inFlight, delayed := q.counts(s.clock.Now())
	all := map[string]string{
		"QueueArn":                              s.arn(q.name),
		"CreatedTimestamp":                      strconv.FormatInt(q.created.Unix(), 10),
		"LastModifiedTimestamp":                 strconv.FormatInt(q.modified.Unix(), 10),
		"ApproximateNumberOfMessages":           strconv.Itoa(visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(inFlight),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(delayed),
	}
	maps.Copy(all, q.settings)
	for _, name := range []string{
		"DelaySeconds", "MaximumMessageSize", "MessageRetentionPeriod",
		"ReceiveMessageWaitTimeSeconds", "VisibilityTimeout",
	} {
		all[name] = strconv.Itoa(q.settings.number(name))
	}
	return all
}
