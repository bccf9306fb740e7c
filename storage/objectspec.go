package storage

import (
	"github.com/aws/aws-sdk-go-v2/aws"
)

// ObjectSpec describes an object to store: everything about it except its bytes.
type ObjectSpec struct {
	Key string

	ContentType        string
	ContentEncoding    string
	ContentDisposition string
	ContentLanguage    string
	// Metadata is the user metadata. It should have a [MetadataCopyID], by which a retry recognises
	// an object it stored itself.
	Metadata map[string]string

	// Replaces is the ETag of the object that may be overwritten. Empty means that no object may
	// exist. [Pool.Overwrite] turns this condition off.
	Replaces string
}

// conditions returns the preconditions for storing the object.
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
