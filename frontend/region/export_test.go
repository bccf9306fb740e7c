package region

// Prefixes returns the number of prefixes that are in some region, 0 before the first document.
func (l *Locator) Prefixes() int {
	if t := l.table.Load(); t != nil {
		return t.trie.Size()
	}
	return 0
}
