package seal

import (
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// Object is a [storage.Object] with a sealed query. It is the form that histories and messages may
// hold.
type Object struct {
	Service string `json:"service"`
	Region  string `json:"region"`
	// URL is the part of the canonical URL that may be shown (see package redact). Histories from
	// before 2026-11-26 have the whole path here.
	URL string `json:"url"`
	// Query is the rest of the URL, sealed; empty if there is none. It begins with the question
	// mark of the query, or of the query of a URL in the path.
	Query string `json:"sealedQuery,omitempty"`
	// Hash is [storage.Object.Hash]. It distinguishes objects that differ only in their query.
	Hash string `json:"hash"`
	// Bucket identifies the bucket of the process that started the workflow, as cache.Space.Bucket
	// does. It is empty in messages, in inputs written by hand, and in those from before 2026-11-26.
	Bucket string `json:"bucket,omitempty"`
}

// Pool returns the id of the pool that the object is copied into.
func (s Object) Pool() string { return storage.PoolID(s.Service, s.Region) }

// authenticated returns the fields that the sealed query is bound to. No field has a line break, so
// they can't be confused.
func (s Object) authenticated() []byte {
	return []byte(s.Service + "\n" + s.Region + "\n" + s.URL + "\n" + s.Hash)
}
