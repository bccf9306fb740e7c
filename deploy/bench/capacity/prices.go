package capacity

import "github.com/cloud-mirror/cloud-mirror/deploy/config"

// A Machine is a type of EC2 instance with its list price.
type Machine struct {
	Family string
	Cores  int
	GiB    float64
	Gbit   float64 // The baseline of its network, each way
	Dollar float64 // An hour
}

// Name returns the type's name, such as c7i.xlarge.
func (m Machine) Name() string {
	sizes := map[int]string{2: "large", 4: "xlarge", 8: "2xlarge", 16: "4xlarge", 32: "8xlarge", 64: "16xlarge"}
	return m.Family + "." + sizes[m.Cores]
}

// half returns the next smaller size of the family. Prices within a family are proportional to the
// size.
func (m Machine) half() Machine {
	return Machine{Family: m.Family, Cores: m.Cores / 2, GiB: m.GiB / 2, Gbit: m.Gbit / 2, Dollar: m.Dollar / 2}
}

// Prices holds all list prices of the page: those of package config, and those of machines, SQS and
// disks. They are in USD, for us-east-1, on demand, without discounts.
type Prices struct {
	config.Prices
	FrontEnd, Bridge, Worker, Temporal, Database, Redis Machine

	// Requests1M are the prices of a million requests to SQS, up to each number in a month.
	Requests1M []Tier
	DiskGB     float64 // A GB of gp3 for a month
	BalancerGB float64 // A GB that a network load balancer processes: one NLCU-hour
}

// Tier is a price up to a number of requests in a month.
type Tier struct{ UpTo, Dollar float64 }

// NewPrices returns the list prices of 2026-11-26. They are from these pages:
//
//   - "Amazon EC2 On-Demand Pricing": Linux, us-east-1. Baselines of the network are from "Amazon
//     EC2 instance network bandwidth".
//   - "Amazon SQS pricing": standard queues
//   - "Amazon EBS pricing": gp3
//   - "Elastic Load Balancing pricing": NLCU
func NewPrices() Prices {
	small := Machine{Family: "c7i", Cores: 4, GiB: 8, Gbit: 1.5, Dollar: 0.1785}
	return Prices{
		Prices:   config.Default().Prices,
		FrontEnd: small,
		Bridge:   small,
		Worker:   small,
		Temporal: Machine{Family: "c7i", Cores: 16, GiB: 32, Gbit: 6, Dollar: 0.714},
		Database: Machine{Family: "r7i", Cores: 64, GiB: 512, Gbit: 25, Dollar: 4.2336},
		Redis:    Machine{Family: "r7i", Cores: 4, GiB: 32, Gbit: 1.5, Dollar: 0.2646},
		// The first million is free, which changes no figure of the page.
		Requests1M: []Tier{{100e9, 0.40}, {200e9, 0.30}, {1e18, 0.24}},
		DiskGB:     0.08,
		BalancerGB: 0.006,
	}
}

// sqs returns the price of a number of requests in a month.
func (p Prices) sqs(requests float64) (dollars float64) {
	from := 0.0
	for _, t := range p.Requests1M {
		if requests > from {
			dollars += (min(requests, t.UpTo) - from) / 1e6 * t.Dollar
		}
		from = t.UpTo
	}
	return dollars
}
