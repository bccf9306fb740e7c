package activities

import "github.com/cloud-mirror/cloud-mirror/storage/seal"

// SealedObject is the object of an input, in the form that a workflow's history may hold.
type SealedObject = seal.Object
