package cachetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// slots is the number of slots of a cluster.
const slots = 16384

// Cluster is a redis cluster.
type Cluster struct {
	// Masters are the first masters: each has an equal share of the slots. Replicas[i] is the
	// replica of Masters[i], if the cluster has replicas.
	Masters, Replicas []*Server
	// URL is the redis.url of the cluster.
	URL string

	ids map[*Server]string
}

// StartCluster starts a cluster of masters, with a replica each if replicas is set. It returns when
// all slots are served and all replicas are in sync. Replicas take over a second after their master
// was lost. The slots of the other masters are served meanwhile.
func StartCluster(t testing.TB, masters int, replicas bool) *Cluster {
	t.Helper()
	c := &Cluster{ids: map[*Server]string{}}
	for i := range masters {
		s := c.add(t)
		s.Do("CLUSTER", "ADDSLOTSRANGE", i*slots/masters, (i+1)*slots/masters-1)
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		c.Masters = append(c.Masters, s)
	}
	if replicas {
		for range masters {
			c.Replicas = append(c.Replicas, c.add(t))
		}
	}
	all := slices.Concat(c.Masters, c.Replicas)
	for _, s := range all[1:] {
		c.meet(s)
	}
	for _, s := range all {
		s.eventually(func() bool { return c.says(s, fmt.Sprint("cluster_known_nodes:", len(all))) }, "the nodes know each other")
	}
	for i, s := range c.Replicas {
		s.eventually(func() bool {
			_, err := s.Try("CLUSTER", "REPLICATE", c.ids[c.Masters[i]])
			return err == nil
		}, "it replicates its master")
	}
	for _, s := range all {
		s.eventually(func() bool { return c.served(s) }, "all slots are served")
	}
	for _, s := range c.Masters[:len(c.Replicas)] {
		s.eventually(func() bool { return s.info("replication", "state=online") }, "the replica is in sync")
	}
	var addrs []string
	for _, s := range all {
		addrs = append(addrs, s.Addr)
	}
	c.URL = "redis+cluster://" + addrs[0] + "?addr=" + strings.Join(addrs[1:], "&addr=")
	return c
}

// add starts a node that is in no cluster yet.
func (c *Cluster) add(t testing.TB) *Server {
	t.Helper()
	ports := freePorts(t, 2)
	s := startServer(t, ports[0], "--dir", t.TempDir(), "--cluster-enabled", "yes", "--cluster-port", ports[1],
		"--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no", "--cluster-replica-validity-factor", "0")
	c.ids[s] = fmt.Sprint(s.Do("CLUSTER", "MYID"))
	return s
}

// meet introduces a node to the first master.
func (c *Cluster) meet(s *Server) {
	for i, arg := range s.args {
		if arg == "--cluster-port" {
			host, port, _ := strings.Cut(s.Addr, ":")
			c.Masters[0].Do("CLUSTER", "MEET", host, port, s.args[i+1])
		}
	}
}

// says reports whether a node's CLUSTER INFO has a text.
func (c *Cluster) says(s *Server, text string) bool {
	reply, err := s.Try("CLUSTER", "INFO")
	return err == nil && strings.Contains(fmt.Sprint(reply)+"\r\n", text+"\r\n")
}

// served reports whether a node knows the owner of every slot. Without full coverage, its state alone
// does not tell.
func (c *Cluster) served(s *Server) bool {
	return c.says(s, "cluster_state:ok") && c.says(s, fmt.Sprint("cluster_slots_ok:", slots))
}

// AddMaster adds a master without slots. It returns when all masters know it.
func (c *Cluster) AddMaster(t testing.TB) *Server {
	t.Helper()
	s := c.add(t)
	c.meet(s)
	for _, known := range append(slices.Clone(c.Masters), s) {
		known.eventually(func() bool {
			_, err := known.Try("CLUSTER", "COUNT-FAILURE-REPORTS", c.ids[s])
			return err == nil && c.served(known)
		}, "it knows the new master")
	}
	c.Masters = append(c.Masters, s)
	return s
}

// Of returns the master, or the replica that took over, of the slot of a key.
func (c *Cluster) Of(key string) *Server {
	all := slices.Concat(c.Masters, c.Replicas)
	for _, s := range all {
		_, err := s.Try("STRLEN", key)
		if err == nil && s.IsMaster() {
			return s
		}
	}
	return nil
}

// Slot returns the slot of a key.
func (c *Cluster) Slot(key string) any { return c.Masters[0].Do("CLUSTER", "KEYSLOT", key) }

// BeginMove makes a slot of one master migrate to another: each answers for the keys that it has.
func (c *Cluster) BeginMove(slot any, from, to *Server) {
	to.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", c.ids[from])
	from.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", c.ids[to])
}

// EndMove moves the keys of a slot, and then the slot.
func (c *Cluster) EndMove(t testing.TB, slot any, from, to *Server) {
	t.Helper()
	host, port, _ := strings.Cut(to.Addr, ":")
	for {
		keys, ok := from.Do("CLUSTER", "GETKEYSINSLOT", slot, 100).([]any)
		require.True(t, ok)
		if len(keys) == 0 {
			break
		}
		from.Do(append([]any{"MIGRATE", host, port, "", 0, 5000, "KEYS"}, keys...)...)
	}
	for _, s := range append([]*Server{to, from}, c.Masters...) {
		s.Do("CLUSTER", "SETSLOT", slot, "NODE", c.ids[to])
	}
}
