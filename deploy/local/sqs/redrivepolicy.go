package sqs

import (
	"encoding/json"
	"strconv"
	"strings"
)

// redrivePolicy is the value of the attribute RedrivePolicy.
type redrivePolicy struct {
	Target          string   `json:"deadLetterTargetArn"`
	MaxReceiveCount looseInt `json:"maxReceiveCount"`
}

var _ json.Unmarshaler = (*looseInt)(nil)

// looseInt is a number that clients send with or without quotation marks. Real SQS accepts both.
type looseInt int

// UnmarshalJSON accepts 3 and "3".
func (n *looseInt) UnmarshalJSON(b []byte) error {
	i, err := strconv.Atoi(strings.Trim(string(b), `"`))
	*n = looseInt(i)
	return err
}

// parseRedrive decodes a RedrivePolicy. It returns nil for "": with it a client removes the policy.
func (s *Server) parseRedrive(value string) (*redrivePolicy, error) {
	if value == "" {
		return nil, nil
	}
	p := &redrivePolicy{}
	if err := json.Unmarshal([]byte(value), p); err != nil {
		return nil, errorf("InvalidAttributeValue", "RedrivePolicy is not valid: %v", err)
	}
	if p.MaxReceiveCount < 1 || p.MaxReceiveCount > 1000 {
		return nil, errorf("InvalidAttributeValue",
			"RedrivePolicy: maxReceiveCount %d is not in 1 to 1000", p.MaxReceiveCount)
	}
	if s.queueByARN(p.Target) == nil {
		return nil, errorf("InvalidAttributeValue", "RedrivePolicy: the dead-letter queue %q does not exist", p.Target)
	}
	return p, nil
}
