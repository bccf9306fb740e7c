package region

// Prefixes is the number of prefixes that are in some region, 0 until there is a document.
func (l *Locator) Prefixes() int {
	if t := l.table.Load(); t != nil {
		return t.trie.Size()
	}
	return 0
}
