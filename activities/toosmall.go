package activities

import "fmt"

// TooSmall describes an object that is not copied because it is smaller than the minimum of every
// request for it.
type TooSmall struct {
	// Size is the object's size in bytes, as it would be stored.
	Size int64 `json:"size"`
	// MinSize is the smallest minimum of the requests when StreamCopy was scheduled, in bytes.
	MinSize int64 `json:"minSize"`
}

// String returns the outcome of the copy in words.
func (s TooSmall) String() string {
	return fmt.Sprintf("too small: %d bytes, and the minimum is %d", s.Size, s.MinSize)
}

// TooSmallUpdate returns the part of an input that makes UpdateCache record a small object. The
// failure is for workers of builds before 2026-11-26, which ignore the size. Their entry counts as
// a size of 0.
func TooSmallUpdate(s TooSmall) UpdateCacheInput {
	return UpdateCacheInput{
		TooSmall: &s,
		Failure:  &Failure{Class: ClassTooSmall, Permanent: true, Text: s.String()},
	}
}
