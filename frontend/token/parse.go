package token

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	// minLength is the shortest token, in characters. 32 random hex digits have 128 bits.
	minLength = 32
	// minDifferent is the least number of different characters in a token. 32 random hex digits
	// have fewer once in 10^8 tokens.
	minDifferent = 8
	// digestPrefix begins the SHA-256 of a token.
	digestPrefix = "sha256:"
)

// namePattern is a name that a line of the log can hold.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

type digest = [sha256.Size]byte

// entry is one token of the file. It holds no token.
type entry struct {
	name   string
	scopes []Scope
	digest digest
}

// list is a whole file.
type list []entry

// find returns the entry of a token, or nil. It compares the digest with all entries in constant
// time, so that its timing reveals nothing about them.
func (l list) find(token string) (found *entry) {
	got := sha256.Sum256([]byte(token))
	for i := range l {
		if subtle.ConstantTimeCompare(got[:], l[i].digest[:]) == 1 {
			found = &l[i]
		}
	}
	return found
}

// parse reads a file. Its errors name a line, and never hold a part of a token.
func parse(text []byte) (l list, err error) {
	number := 0
	for line := range bytes.Lines(text) {
		number++
		fields := strings.Fields(string(line))
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		e, err := parseLine(fields)
		if err == nil {
			err = l.clash(e)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		l = append(l, e)
	}
	if len(l) == 0 {
		return nil, errors.New("no token in it")
	}
	return l, nil
}

func (l list) clash(e entry) error {
	for _, other := range l {
		if other.name == e.name {
			return errors.New("another line has the same name")
		}
		if other.digest == e.digest {
			return errors.New("another line has the same token")
		}
	}
	return nil
}

func parseLine(fields []string) (e entry, err error) {
	if len(fields) != 3 {
		return e, fmt.Errorf("%d fields, not 3: a name, scopes separated by commas, and a token", len(fields))
	}
	// A field in the wrong place can be a token: no error repeats a field.
	if !namePattern.MatchString(fields[0]) {
		return e, errors.New("the name has other characters than letters, digits, '.', '_' and '-', or more than 64")
	}
	e.name = fields[0]
	for s := range strings.SplitSeq(fields[1], ",") {
		if !Scope(s).known() {
			return e, fmt.Errorf("a scope is none of %v", scopes())
		}
		if !slices.Contains(e.scopes, Scope(s)) {
			e.scopes = append(e.scopes, Scope(s))
		}
	}
	e.digest, err = parseToken(fields[2])
	return e, err
}

func parseToken(s string) (d digest, err error) {
	if text, ok := strings.CutPrefix(s, digestPrefix); ok {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != len(d) {
			return d, errors.New("sha256: is not followed by 64 hex digits")
		}
		return digest(b), nil
	}
	different := map[rune]bool{}
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return d, errors.New("the token has other characters than printable ASCII")
		}
		different[r] = true
	}
	if len(s) < minLength || len(different) < minDifferent {
		return d, fmt.Errorf("the token has fewer than %d random characters", minLength)
	}
	return sha256.Sum256([]byte(s)), nil
}
