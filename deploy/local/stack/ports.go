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

// Free ports are below the range of outgoing connections on Linux and macOS. Otherwise such a
// connection could take the port of a child while the child restarts.
const (
	freeFrom  = 10_000
	freeTo    = 32_000
	blockSize = 100
)

// plan has the port of every listener.
type plan struct {
	frontEnds, frontEndAdmins, workerAdmins, s3 []int
	temporal, temporalUI, temporalHTTP, metrics int
	sqs, redis, origin, minio                   int
	guard                                       net.Listener // Holds the block of free ports, if there is one
	next                                        int          // Unused port of the block
	claimed                                     map[int]string
}

// allocate assigns all ports and checks that they are free.
func allocate(o Options) (*plan, error) {
	p := &plan{claimed: map[int]string{}}
	err := p.assign(o)
	if err != nil {
		p.release()
		return nil, err
	}
	return p, nil
}

// release gives back the block of free ports. Call it after the processes on these ports have
// ended.
func (p *plan) release() {
	if p.guard != nil {
		_ = p.guard.Close()
	}
}

// assign claims the ports of all settings before it derives others from them. The second front end
// must skip ADMIN_PORT, for example.
func (p *plan) assign(o Options) error {
	ports := o.Ports
	for _, s := range ports.settings() {
		if o.ServicesOnly && s.product || o.Temporal != nil && s.temporal {
			continue
		}
		if err := p.claimSetting(s); err != nil {
			return err
		}
	}
	p.sqs, p.redis, p.origin = ports.SQS, ports.Redis, ports.Origin
	for i := range Regions() {
		p.s3 = append(p.s3, following(ports.S3, i))
	}
	if err := p.assignTemporal(o); err != nil {
		return err
	}
	services := []*int{&p.sqs, &p.redis, &p.s3[0], &p.s3[1], &p.s3[2]}
	if o.ServicesOnly {
		return p.fill(append(services, &p.minio)...)
	}
	if err := p.assignProduct(o); err != nil {
		return err
	}
	return p.fill(append(services, &p.origin)...)
}

// assignTemporal assigns the ports of the stack's own Temporal.
func (p *plan) assignTemporal(o Options) error {
	if o.Temporal != nil {
		return nil
	}
	p.temporal, p.temporalUI = o.Ports.Temporal, o.Ports.TemporalUI
	ports := []*int{&p.temporal, &p.temporalHTTP, &p.metrics}
	if !o.ServicesOnly {
		ports = append(ports, &p.temporalUI)
	}
	return p.fill(ports...)
}

// following returns the ith port after port, and 0 after 0, which stands for a free port.
func following(port, i int) int {
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
			setting += fmt.Sprintf(" (which also takes port %d)", first+i)
		}
		if err := p.claim(first+i, setting); err != nil {
			return err
		}
	}
	return nil
}

// claim takes a port for a setting. Errors show the text of the setting.
func (p *plan) claim(port int, setting string) error {
	if port > maxPort {
		return fmt.Errorf("%s is beyond the last port, %d: choose a lower port", setting, maxPort)
	}
	if other, ok := p.claimed[port]; ok {
		return fmt.Errorf("%s and %s claim the same port: change one of them", other, setting)
	}
	if !free(port) {
		variable, _, _ := strings.Cut(setting, "=")
		return fmt.Errorf("%s: port %d on %s is taken by another program: stop it, or set %s to another port", setting, port, loopback, variable)
	}
	p.claimed[port] = setting
	return nil
}

// assignProduct assigns the ports of front ends and workers. A derived admin port skips ports that
// other programs hold. A derived front-end port does not, because users rely on its number.
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
	for _, w := range o.workers() {
		if err := admin(w.name); err != nil {
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

// after returns the next unclaimed port, and 0 after 0. With mustBeFree it skips ports that other
// programs hold.
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

// fill sets the ports that are 0 to free ports.
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

// reserve takes a block of ports that no other plan of any process uses. The listener on its first
// port owns the block. Free ports from the kernel would not do, because they are used later and
// could be taken by then.
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

// listen takes no context, because it does not block: the address needs no lookup.
func listen(port int) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", address(port))
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

func httpURL(port int) string { return "http://" + address(port) }

// upstreamURL has a name instead of an address, as the root of an upstream must.
func upstreamURL(port int) string { return "http://localhost:" + strconv.Itoa(port) }

// FreePorts returns n ports for programs beside a stack. No stack takes them before release is
// called. They are below 32768.
func FreePorts(n int) (ports []int, release func(), err error) {
	p := &plan{claimed: map[int]string{}}
	ports = make([]int, n)
	for i := range ports {
		if err := p.fill(&ports[i]); err != nil {
			p.release()
			return nil, nil, err
		}
	}
	return ports, p.release, nil
}
