package stack

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
)

const loopback = "127.0.0.1"

// Free ports come from below the range that Linux and macOS take outgoing connections' ports from: otherwise such a
// connection might sit on a port at the moment when a child that died is started again.
const (
	freeFrom  = 10_000
	freeTo    = 32_000
	blockSize = 100
)

// plan is who listens where.
type plan struct {
	frontEnds, frontEndAdmins, workerAdmins, s3 []int
	temporal, temporalUI, temporalHTTP, metrics int
	sqs, redis, origin, minio                   int
	guard                                       net.Listener // holds a block of free ports; nil if none was needed
	next                                        int          // port of the block
	claimed                                     map[int]string
}

// allocate assigns a port to everybody and checks that each of them is free.
func allocate(o Options) (*plan, error) {
	p := &plan{claimed: map[int]string{}}
	err := p.assign(o)
	if err != nil {
		p.release()
		return nil, err
	}
	return p, nil
}

// release gives the block of free ports back, which must outlive the processes that use them.
func (p *plan) release() {
	if p.guard != nil {
		_ = p.guard.Close()
	}
}

// assign claims the ports that were set before it derives others from them: a front end must step over ADMIN_PORT even
// though that is claimed for another purpose later in the list.
func (p *plan) assign(o Options) error {
	ports := o.Ports
	for _, s := range ports.settings() {
		if o.ServicesOnly && s.product {
			continue
		}
		if err := p.claimSetting(s); err != nil {
			return err
		}
	}
	p.temporal, p.temporalUI, p.sqs, p.redis, p.origin = ports.Temporal, ports.TemporalUI, ports.SQS, ports.Redis, ports.Origin
	for i := range Regions() {
		p.s3 = append(p.s3, p.following(ports.S3, i))
	}
	if o.ServicesOnly {
		return p.fill(&p.temporal, &p.temporalHTTP, &p.metrics, &p.sqs, &p.redis, &p.minio, &p.s3[0], &p.s3[1], &p.s3[2])
	}
	if err := p.assignProduct(o); err != nil {
		return err
	}
	return p.fill(&p.temporal, &p.temporalUI, &p.temporalHTTP, &p.metrics, &p.sqs, &p.redis, &p.origin, &p.s3[0], &p.s3[1], &p.s3[2])
}

func (p *plan) following(port, i int) int {
	if port == 0 {
		return 0
	}
	return port + i
}

func (p *plan) claimSetting(s portSetting) error {
	first := *s.port
	if first == 0 {
		return nil
	}
	for i := range s.span {
		setting := fmt.Sprintf("%s=%d", s.variable, first)
		if i > 0 {
			setting += fmt.Sprintf(" (which takes port %d too)", first+i)
		}
		if err := p.claim(first+i, setting); err != nil {
			return err
		}
	}
	return nil
}

// claim takes a port for a setting, in the words that a complaint would use.
func (p *plan) claim(port int, setting string) error {
	if port > maxPort {
		return fmt.Errorf("%s is beyond the last port, %d: choose a lower one", setting, maxPort)
	}
	if other, ok := p.claimed[port]; ok {
		return fmt.Errorf("%s and %s claim the same port: choose another for one of them", other, setting)
	}
	if !free(port) {
		variable, _, _ := strings.Cut(setting, "=")
		return fmt.Errorf("%s: port %d on %s is taken by another program: stop that one, or set %s to another port", setting, port, loopback, variable)
	}
	p.claimed[port] = setting
	return nil
}

// assignProduct gives front ends and workers their ports. An admin listener that nobody asked for by number steps over
// ports that other programs hold; a front end does not, because people count on its number.
func (p *plan) assignProduct(o Options) error {
	p.frontEnds, p.frontEndAdmins = []int{o.Ports.FrontEnd}, []int{o.Ports.Admin}
	for i := 1; i < o.FrontEnds; i++ {
		port := p.after(p.frontEnds[i-1], false)
		if port != 0 {
			setting := fmt.Sprintf("FRONTEND_PORT=%d (front end %d of FRONTENDS=%d, on port %d)", o.Ports.FrontEnd, i+1, o.FrontEnds, port)
			if err := p.claim(port, setting); err != nil {
				return err
			}
		}
		p.frontEnds = append(p.frontEnds, port)
	}
	last := o.Ports.Admin
	admin := func(name string) error {
		last = p.after(last, true)
		if last == 0 {
			return nil
		}
		return p.claim(last, fmt.Sprintf("ADMIN_PORT=%d (%s on port %d)", o.Ports.Admin, name, last))
	}
	for i := 1; i < o.FrontEnds; i++ {
		if err := admin(FrontEndName(i)); err != nil {
			return err
		}
		p.frontEndAdmins = append(p.frontEndAdmins, last)
	}
	for _, region := range Regions() {
		if err := admin(WorkerName(region)); err != nil {
			return err
		}
		p.workerAdmins = append(p.workerAdmins, last)
	}
	for _, list := range [][]int{p.frontEnds, p.frontEndAdmins, p.workerAdmins} {
		for i := range list {
			if err := p.fill(&list[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// after is the next port that nothing claims, and, if asked, that no other program holds; 0 after 0.
func (p *plan) after(port int, mustBeFree bool) int {
	if port == 0 {
		return 0
	}
	for port++; port <= maxPort; port++ {
		if _, ok := p.claimed[port]; !ok && (!mustBeFree || free(port)) {
			break
		}
	}
	return port
}

// fill puts free ports where there is none yet.
func (p *plan) fill(ports ...*int) error {
	for _, port := range ports {
		if *port != 0 {
			continue
		}
		if err := p.reserve(); err != nil {
			return err
		}
		for ; p.next < freeTo; p.next++ {
			if _, ok := p.claimed[p.next]; !ok && free(p.next) {
				break
			}
		}
		*port, p.claimed[p.next] = p.next, "a free port"
		p.next++
	}
	return nil
}

// reserve makes a block of ports this plan's own among all plans of all processes: whoever listens on the first port of
// a block has the block. Asking the kernel for free ports one by one would not do, as they are only used later.
func (p *plan) reserve() error {
	if p.guard != nil {
		return nil
	}
	blocks := rand.Perm((freeTo - freeFrom) / blockSize)
	for _, block := range blocks {
		first := freeFrom + block*blockSize
		l, err := listen(first)
		if err == nil {
			p.guard, p.next = l, first+1
			return nil
		}
	}
	return fmt.Errorf("no free ports between %d and %d on %s", freeFrom, freeTo, loopback)
}

func free(port int) bool {
	l, err := listen(port)
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// listen takes no context, as there is nothing to wait for: the address needs no look-up.
func listen(port int) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", address(port))
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

func httpURL(port int) string { return "http://" + address(port) }
