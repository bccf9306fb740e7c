package sqs

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// attributeValue is the value of a message attribute: a string, a number in decimal, or bytes.
type attributeValue struct {
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
}

func (v attributeValue) text() string {
	if v.StringValue == nil {
		return ""
	}
	return *v.StringValue
}

func (v attributeValue) binary() bool { return strings.HasPrefix(v.DataType, "Binary") }

func (v attributeValue) bytes() []byte {
	if v.binary() {
		return v.BinaryValue
	}
	return []byte(v.text())
}

func (v attributeValue) size() int { return len(v.DataType) + len(v.bytes()) }

func (v attributeValue) check(name string) error {
	kind, _, _ := strings.Cut(v.DataType, ".")
	switch kind {
	case "String", "Number", "Binary":
	default:
		return errorf("InvalidParameterValue",
			"The message attribute '%s' has an invalid message attribute type %q, the set of supported type "+
				"prefixes is Binary, Number, and String.", name, v.DataType)
	}
	if len(v.bytes()) == 0 {
		return errorf("InvalidParameterValue",
			"The message attribute '%s' must contain a non-empty message attribute value for its type.", name)
	}
	if !v.binary() && (!utf8.ValidString(v.text()) || strings.ContainsFunc(v.text(), isForbidden)) {
		return errorf("InvalidParameterValue",
			"The message attribute '%s' contains characters outside the allowed set.", name)
	}
	return nil
}

// attributesMD5 returns the service's checksum of message attributes, or "" if there are none:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
func attributesMD5(attributes map[string]attributeValue) string {
	if len(attributes) == 0 {
		return ""
	}
	var b []byte
	field := func(value []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
		b = append(b, value...)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		v := attributes[name]
		field([]byte(name))
		field([]byte(v.DataType))
		if v.binary() {
			b = append(b, 2)
		} else {
			b = append(b, 1)
		}
		field(v.bytes())
	}
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// selects reports whether wanted, a list of names from ReceiveMessage, covers the name. An entry is
// All, .*, the name itself, or a prefix that ends in .*
func selects(wanted []string, name string) bool {
	for _, w := range wanted {
		prefix, wild := strings.CutSuffix(w, ".*")
		if w == "All" || w == name || wild && (prefix == "" || strings.HasPrefix(name, prefix+".")) {
			return true
		}
	}
	return false
}
