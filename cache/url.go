package cache

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// clusterSuffix is the end of the scheme of a cluster's URL.
const clusterSuffix = "+cluster"

// The errors of a URL. The library's errors contain parts of the URL, and so of its passwords.
var (
	errURL         = errors.New("is not a URL such as redis://user:password@host:6379/0, with the password percent-encoded")
	errSentinelURL = errors.New("is not a URL of sentinels, such as " +
		"redis://host1:26379/0?master_name=main&addr=host2:26379&username=user&password=secret")
	errClusterURL = errors.New("is not a URL of a cluster, such as redis+cluster://user:password@host1:6379?addr=host2:6379, " +
		"with the password percent-encoded")
	errNoMasterName = errors.New("has an empty master_name: write the name that the sentinels know the master by")
	errAddr         = errors.New("names several servers with addr: sentinels need master_name, " +
		"and a cluster needs the scheme redis+cluster or rediss+cluster")
	errClusterDB     = errors.New("has a database, but a cluster has only database 0: remove it")
	errClusterMaster = errors.New("has a master_name, but a cluster has no sentinels: remove it")
	errReplicas      = errors.New("has an option that sends reads to replicas, which may hold earlier entries: remove " +
		"read_only, replica_only, route_by_latency, route_by_latency_tolerance, route_randomly and use_disconnected_replicas")
)

// replicaOptions are the options that send reads to replicas.
var replicaOptions = []string{
	"read_only", "replica_only", "route_by_latency", "route_by_latency_tolerance", "route_randomly", "use_disconnected_replicas",
}

// target is a parsed URL. Its form decides which field is set.
type target struct {
	server    *redis.Options         // redis://, rediss:// or unix://
	sentinels *redis.FailoverOptions // the same with master_name
	cluster   *redis.ClusterOptions  // redis+cluster:// or rediss+cluster://
}

// parse parses a URL. Its error never contains the URL.
func parse(raw string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return target{}, errURL
	}
	options := u.Query()
	scheme, cluster := strings.CutSuffix(u.Scheme, clusterSuffix)
	sentinels := options.Has("master_name")
	if (cluster || sentinels) && slices.ContainsFunc(replicaOptions, options.Has) {
		return target{}, errReplicas
	}
	var t target
	switch {
	case cluster && sentinels:
		return target{}, errClusterMaster
	case cluster && (strings.Trim(u.Path, "/") != "" || options.Has("db")):
		return target{}, errClusterDB
	case cluster:
		u.Scheme = scheme
		if t.cluster, err = redis.ParseClusterURL(u.String()); err != nil {
			return target{}, errClusterURL
		}
	case sentinels && options.Get("master_name") == "":
		return target{}, errNoMasterName
	case sentinels:
		if t.sentinels, err = redis.ParseFailoverURL(raw); err != nil {
			return target{}, errSentinelURL
		}
	case options.Has("addr"):
		return target{}, errAddr
	default:
		if t.server, err = redis.ParseURL(raw); err != nil {
			return target{}, errURL
		}
	}
	return t, nil
}
