// Package e2e tests cloud-mirror as its users meet it: the real binary with every part around it real, killed and
// stopped as machines do. It holds tests only.
package e2e
