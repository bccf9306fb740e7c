package config

import (
	"cmp"
	"regexp"
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
