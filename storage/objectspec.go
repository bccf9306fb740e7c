package storage

import (
	"github.com/aws/aws-sdk-go-v2/aws"
)

// ObjectSpec is an object to store, but for its bytes.
type ObjectSpec struct {
	Key string

	ContentType        string
	ContentEncoding    string
	ContentDisposition string
	ContentLanguage    string
	// Metadata should have a [MetadataCopyID], by which a copy knows itself again.
	Metadata map[string]string

	// Replaces is the ETag of the object that may be overwritten. If it is empty there must be none.
	Replaces string
}

// conditions are the preconditions under which an object may appear.
func (b *Bucket) conditions(spec ObjectSpec) (ifMatch, ifNoneMatch *string) {
	switch {
	case b.pool.Overwrite:
		return nil, nil
	case spec.Replaces != "":
		return &spec.Replaces, nil
	default:
		return nil, aws.String("*")
	}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
