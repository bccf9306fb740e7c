package activities

import (
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// SealedObject is a [storage.Object] in the form in which it may stand in a workflow's history.
type SealedObject struct {
	Service string `json:"service"`
	Region  string `json:"region"`
	// URL is canonical and without its query.
	URL string `json:"url"`
	// Query is the URL's query with its question mark, sealed; empty if there is none.
	Query string `json:"sealedQuery,omitempty"`
	// Hash is [storage.Object.Hash], which tells objects apart that differ by their query.
	Hash string `json:"hash"`
}

// Pool is the pool that the source is copied into.
func (s SealedObject) Pool() string { return storage.PoolID(s.Service, s.Region) }

// authenticated is what belongs to a sealed query and can't be exchanged: no field has a line break.
func (s SealedObject) authenticated() []byte {
	return []byte(s.Service + "\n" + s.Region + "\n" + s.URL + "\n" + s.Hash)
}
