package cache

import "time"

// keptEntry is an [Entry] in memory. Almost all entries are present ones, which have few fields: as
// an Entry, each would take three times the memory.
type keptEntry struct {
	deadline int64 // Unix milliseconds
	expires  int64 // Unix seconds; 0 for never
	size     int64
	sha256   string
	// other is any other entry. The other fields are then empty.
	other *Entry
}

// overhead is the estimated size of an entry in memory without its texts, in bytes: the node, the
// share of the table, and the unused ends of allocations.
const overhead = 136

// otherOverhead is the estimated size of an entry besides that, if it is not a present one.
const otherOverhead = 224

func keep(e Entry) keptEntry {
	k := keptEntry{deadline: e.Deadline.UnixMilli(), expires: toSeconds(e.Expires), size: e.Size, sha256: e.SHA256}
	if k.entry() == e {
		return k
	}
	other := e
	return keptEntry{other: &other}
}

// entry returns the entry that was kept. It allocates nothing.
func (k keptEntry) entry() Entry {
	if k.other != nil {
		return *k.other
	}
	return Entry{
		State: Present, Deadline: time.UnixMilli(k.deadline), Expires: fromSeconds(k.expires), Size: k.size, SHA256: k.sha256,
	}
}

// weight estimates the memory of an entry and its key, in bytes.
func weight(key string, k keptEntry) uint32 {
	n := overhead + len(key) + len(k.sha256)
	if e := k.other; e != nil {
		n += otherOverhead + len(e.Owner) + len(e.SHA256) + len(e.Class) + len(e.Text) + len(e.Run)
	}
	return uint32(min(n, 1<<30))
}
