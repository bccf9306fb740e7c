package config

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// anyOwner is the pools[].bucket_owner of a pool to which s3.bucket_owner does not apply.
const anyOwner = "any"

// accountID matches the ids of AWS accounts
// (https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html).
const accountID = `^[0-9]{12}$`

// validateOwner checks a setting that holds a bucket's owner, or nothing.
func validateOwner(key, owner, suffix string) error {
	if owner != "" && !regexp.MustCompile(accountID).MatchString(owner) {
		return wrong(key, "%q is not the id of an AWS account: 12 digits, in quotes%s", owner, suffix)
	}
	return nil
}

// owners returns the accounts that must own the buckets on a server, by bucket.
func (c *Config) owners(endpoint string) map[string]string {
	owners := map[string]string{}
	for _, p := range c.Pools {
		owner := cmp.Or(p.BucketOwner, c.S3.BucketOwner)
		if p.Endpoint == endpoint && owner != "" && owner != anyOwner {
			owners[p.Bucket] = owner
		}
	}
	return owners
}

// SharedSites returns a warning for each public_url with a host in the domain of a host of
// frontend.public_names. Copies are bytes of other people: a script in one could read that domain's
// cookies, and set them. Domains are registrable ones (https://publicsuffix.org).
func (c *Config) SharedSites() (warnings []string) {
	for i, p := range c.Pools {
		u, err := url.Parse(p.PublicURL)
		if err != nil || p.PublicURL == "" {
			continue
		}
		for _, name := range c.Frontend.PublicNames {
			front, err := url.Parse("//" + name)
			if err == nil && site(u.Hostname()) == site(front.Hostname()) {
				warnings = append(warnings, fmt.Sprintf("pools[%d].public_url: %s shares a domain with %s of frontend.public_names: "+
					"active copies can reach its cookies", i, u.Hostname(), front.Hostname()))
			}
		}
	}
	return warnings
}

// site returns the registrable domain of a host, or the host if it has none, as an address.
func site(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil || net.ParseIP(host) != nil {
		return host
	}
	return domain
}
