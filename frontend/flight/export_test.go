package flight

// Untended counts the audits and refreshes that wait for a worker of the tender.
func (g *Group) Untended() int { return len(g.tender.queue) }
