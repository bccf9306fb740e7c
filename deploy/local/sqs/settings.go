package sqs

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"time"
)

// settings are the attributes of a queue that clients may set, as given; defaults are not stored.
type settings map[string]string

// limit is the range and the default of a numeric attribute.
type limit struct{ low, high, initial int }

// limits are those of SetQueueAttributes:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
func limits(name string) (limit, bool) {
	switch name {
	case "DelaySeconds":
		return limit{0, 900, 0}, true
	case "MaximumMessageSize":
		return limit{1024, 1 << 20, 1 << 20}, true
	case "MessageRetentionPeriod":
		return limit{60, 1_209_600, 345_600}, true
	case "ReceiveMessageWaitTimeSeconds":
		return limit{0, 20, 0}, true
	case "VisibilityTimeout":
		return limit{0, 43_200, 30}, true
	}
	return limit{}, false
}

// number is a numeric attribute. Values were checked when they were set.
func (s settings) number(name string) int {
	if n, err := strconv.Atoi(s[name]); err == nil {
		return n
	}
	l, _ := limits(name)
	return l.initial
}

func (s settings) seconds(name string) time.Duration {
	return time.Duration(s.number(name)) * time.Second
}

// check says whether a client may set the attribute to the value.
func (s *Server) check(name, value string) error {
	if l, ok := limits(name); ok {
		if n, err := strconv.Atoi(value); err != nil || n < l.low || n > l.high {
			return failf("InvalidAttributeValue", "Invalid value for the parameter %s: %q is not in %d to %d", name, value, l.low, l.high)
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
	return failf("InvalidAttributeName", "Unknown Attribute %s", name)
}

// redrivePolicy is the value of the attribute RedrivePolicy.
type redrivePolicy struct {
	Target          string   `json:"deadLetterTargetArn"`
	MaxReceiveCount looseInt `json:"maxReceiveCount"`
}

// looseInt is a number that clients write with or without quotation marks; real SQS takes both.
type looseInt int

// UnmarshalJSON takes 3 and "3".
func (n *looseInt) UnmarshalJSON(b []byte) error {
	i, err := strconv.Atoi(strings.Trim(string(b), `"`))
	*n = looseInt(i)
	return err
}

// parseRedrive decodes a RedrivePolicy; nil for the empty string, by which a client removes the policy.
func (s *Server) parseRedrive(value string) (*redrivePolicy, error) {
	if value == "" {
		return nil, nil
	}
	p := &redrivePolicy{}
	if err := json.Unmarshal([]byte(value), p); err != nil {
		return nil, failf("InvalidAttributeValue", "RedrivePolicy is not valid: %v", err)
	}
	if p.MaxReceiveCount < 1 || p.MaxReceiveCount > 1000 {
		return nil, failf("InvalidAttributeValue", "RedrivePolicy: maxReceiveCount %d is not in 1 to 1000", p.MaxReceiveCount)
	}
	if s.byARN(p.Target) == nil {
		return nil, failf("InvalidAttributeValue", "RedrivePolicy: the dead-letter queue %q does not exist", p.Target)
	}
	return p, nil
}

// apply sets attributes that were checked before. An empty value removes one.
func (s *Server) apply(q *queue, attributes map[string]string) error {
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

// same says whether a queue has the attributes already, which makes CreateQueue succeed on it.
func (s *Server) same(q *queue, attributes map[string]string) bool {
	have := s.describe(q)
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

// describe is what GetQueueAttributes answers for All.
func (s *Server) describe(q *queue) map[string]string {
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
	for _, name := range []string{"DelaySeconds", "MaximumMessageSize", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds", "VisibilityTimeout"} {
		all[name] = strconv.Itoa(q.settings.number(name))
	}
	return all
}
