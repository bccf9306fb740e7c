package flight

// PendingMaintenance counts the audits and refreshes that wait for a worker of the maintenance.
func (g *Group) PendingMaintenance() int { return len(g.maintenance.queue) }
