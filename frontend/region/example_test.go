package region_test

import (
	"fmt"

	"github.com/cloud-mirror/cloud-mirror/frontend/region"
)

func ExampleClientAddr() {
	const peer = "10.0.0.7:41234"
	forwardedFor := []string{"203.0.113.9, 198.51.100.1"} // the first entry is forged by the client

	direct, _ := region.ClientAddr(peer, forwardedFor, 0)
	fmt.Println("no proxy: ", direct)

	behindProxy, _ := region.ClientAddr(peer, forwardedFor, 1)
	fmt.Println("one proxy:", behindProxy)

	_, ok := region.ClientAddr(peer, nil, 1)
	fmt.Println("one proxy that sent no header:", ok)
	// Output:
	// no proxy:  10.0.0.7
	// one proxy: 198.51.100.1
	// one proxy that sent no header: false
}
