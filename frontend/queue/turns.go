package queue

import "slices"

// turns orders messages by turns of their hosts, and those of one host by their arrival.
type turns struct {
	hosts []string // Of the next turns; a host without a message is not listed
	of    map[string][]*message
}

func (t *turns) add(m *message) {
	if t.of == nil {
		t.of = map[string][]*message{}
	}
	if len(t.of[m.host]) == 0 {
		t.hosts = append(t.hosts, m.host)
	}
	t.of[m.host] = append(t.of[m.host], m)
}

// take returns the next message of a host that ok accepts, or nil. A nil ok accepts all hosts.
func (t *turns) take(ok func(host string) bool) *message {
	i := slices.IndexFunc(t.hosts, func(host string) bool { return ok == nil || ok(host) })
	if i < 0 {
		return nil
	}
	host := t.hosts[i]
	t.hosts = slices.Delete(t.hosts, i, i+1)
	m, rest := t.of[host][0], t.of[host][1:]
	if len(rest) == 0 {
		delete(t.of, host)
		return m
	}
	t.of[host] = rest
	t.hosts = append(t.hosts, host)
	return m
}
