package region

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"github.com/gaissmai/bart"
)

// global is the region of addresses that may be in many regions
// (https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-syntax.html).
const global = "GLOBAL"

// ambiguous replaces the region of a prefix for which the document has several. It is no region,
// and it hides less specific prefixes.
const ambiguous = ""

// table maps addresses to regions. It is immutable, so that any goroutine can read it.
type table struct {
	trie bart.Table[string]
}

// document is the part of AWS's IP ranges that this package reads:
// https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-syntax.html
type document struct {
	IPv4 []struct {
		Prefix string `json:"ip_prefix"`
		Region string `json:"region"`
	} `json:"prefixes"`
	IPv6 []struct {
		Prefix string `json:"ipv6_prefix"`
		Region string `json:"region"`
	} `json:"ipv6_prefixes"`
}

// parseTable makes a table of a document. One invalid prefix is enough to refuse the document: it
// shows that the document is something else.
func parseTable(body []byte) (*table, error) {
	var d document
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, fmt.Errorf("not a document of IP ranges: %w", err)
	}
	var t table
	for _, e := range d.IPv4 {
		p, err := netip.ParsePrefix(e.Prefix)
		if err != nil || !p.Addr().Is4() {
			return nil, fmt.Errorf("%q is not an IPv4 prefix", e.Prefix)
		}
		t.add(p, e.Region)
	}
	for _, e := range d.IPv6 {
		p, err := netip.ParsePrefix(e.Prefix)
		// A mapped prefix would match no client, since clients' addresses are unmapped.
		if err != nil || !p.Addr().Is6() || p.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is not an IPv6 prefix", e.Prefix)
		}
		t.add(p, e.Region)
	}
	if t.trie.Size() == 0 {
		return nil, errors.New("no prefix with a region in the document")
	}
	return &t, nil
}

// add inserts a prefix. AWS lists a prefix several times, once per service.
func (t *table) add(p netip.Prefix, region string) {
	if region == "" || region == global {
		return
	}
	if earlier, ok := t.trie.Get(p); ok && earlier != region {
		region = ambiguous
	}
	t.trie.Insert(p, region)
}

// region returns the region of the longest prefix that contains an address, or "" if it is not
// known. The address must be normalized (see [normalize]). No prefix contains an invalid address.
func (t *table) region(a netip.Addr) string {
	region, _ := t.trie.Lookup(a)
	return region
}
