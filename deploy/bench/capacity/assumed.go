package capacity

// A Load is the rate of requests.
type Load struct{ Redirects, Copies float64 } // A second

// Loads returns the loads of the page. The last load is the goal.
func Loads() []Load {
	return []Load{{10_000, 100}, {100_000, 1_000}, {1_000_000, 10_000}}
}

// Assumed holds the figures that no run of this repository can show.
type Assumed struct {
	Utilisation, ObjectBytes, ReceiveTime, StartTime, DeleteTime, RedisMemory, Retention Figure

	// Limits.
	LeastShards, PutsPerPrefix, GetsPerPrefix, InFlight Figure
}

// NewAssumed returns the assumptions.
func NewAssumed() Assumed {
	const day = "2026-11-26"
	return Assumed{
		Utilisation: Figure{Name: "share of a machine that the load uses", Value: 0.6,
			Run: "leaves room for bursts, and for the loss of a machine", On: day},
		ObjectBytes: Figure{Name: "mean size of an object", Value: 1, Unit: "MiB", Run: "mirror.min_size", On: day},
		ReceiveTime: Figure{Name: "a receive from SQS, with messages", Value: 10, Unit: "ms",
			Run: "typical within a region; not measured", On: day},
		StartTime: Figure{Name: "the start of a workflow, under load", Value: 30, Unit: "ms",
			Run: "three transactions, and the waits for them", On: day},
		DeleteTime: Figure{Name: "a delete from SQS", Value: 10, Unit: "ms",
			Run: "typical within a region; not measured", On: day},
		RedisMemory: Figure{Name: "share of redis's machine for entries", Value: 0.7,
			Run: "leaves room for fragmentation and buffers", On: day},
		Retention: Figure{Name: "retention of closed workflows", Value: 1, Unit: "days",
			Run: "the shortest of a global namespace", On: day},
		LeastShards: Figure{Name: "history shards of a Temporal cluster at least", Value: 512,
			Run: "their number is fixed at the first start", On: day},
		PutsPerPrefix: Figure{Name: "PUTs of one S3 prefix", Value: 3_500, Unit: "/s",
			Run: "S3 User Guide, Optimizing Amazon S3 performance", On: day},
		GetsPerPrefix: Figure{Name: "GETs and HEADs of one S3 prefix", Value: 5_500, Unit: "/s",
			Run: "S3 User Guide, Optimizing Amazon S3 performance", On: day},
		InFlight: Figure{Name: "messages of a standard queue in flight", Value: 120_000,
			Run: "SQS Developer Guide, message quotas", On: day},
	}
}
