package region

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"github.com/gaissmai/bart"
)

// global is the region of what can be in many (https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-syntax.html).
const global = "GLOBAL"

// ambiguous takes the place of the region where the document has several for one prefix: none, which hides what is less
// specific.
const ambiguous = ""

// table tells the region of an address. It does not change, so that it can be read by anybody.
type table struct {
	trie bart.Table[string]
}

// document is what is used of AWS's IP ranges, https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-syntax.html.
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

// parseTable makes a table of a document. One bad prefix is enough to refuse the document: it is not what it seems to be.
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
		// Nobody would be found in mapped ones, since clients' addresses are unmapped.
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

// add enters a prefix. AWS lists one several times, once per service.
func (t *table) add(p netip.Prefix, region string) {
	if region == "" || region == global {
		return
	}
	if earlier, ok := t.trie.Get(p); ok && earlier != region {
		region = ambiguous
	}
	t.trie.Insert(p, region)
}

// region returns the region of the longest prefix that a normal (see [normalize]) address is in, or "" if it is not known. No
// prefix contains an invalid address.
func (t *table) region(a netip.Addr) string {
	region, _ := t.trie.Lookup(a)
	return region
}
