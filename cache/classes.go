package cache

// The classes that front ends judge entries by.
const (
	// ClassTooSmall is the class of an object that is smaller than the minimum of its request.
	// Nothing failed: it costs more to copy than it saves.
	ClassTooSmall = "SourceTooSmall"
	// ClassBadHTTPStatus is the only class of an entry with AboutObject.
	ClassBadHTTPStatus = "BadHTTPStatus"
	// ClassInternal stands for every class that is not in [Classes].
	ClassInternal = "InternalError"
)

// Classes returns the error classes of entries. Clients see no other class. Package activities and
// storage/origin define the classes that are not constants here; a test of package activities
// compares them.
func Classes() []string {
	return []string{
		ClassTooSmall, ClassBadHTTPStatus, ClassInternal,
		// Of package activities.
		"SourceChanged", "Purged", "SourceStalled", "SourceTooSlow", "HandedOver", "WaitsForTurn", "StorageFailed",
		"BucketRejected", "CacheFailed", "SealedQuery", "Cancelled", "CopyExpires", "CopyMissing", "WrongPool", "InvalidInput",
		"OperatorFailed", "Terminated", "Paused", "Reset", "AttemptEnded", "InvalidResult", "TimedOut",
		// Of package storage/origin.
		"InvalidUrl", "SourceMalformed", "RangeRefused", "SourceBusy", "SourceTooLarge", "TooManyRedirects",
		"SourceUnreachable", "SourceTruncated", "SourceUnverifiable", "SourceCorrupt",
	}
}
