package upstream

import "errors"

// Options configures one upstream.
type Options struct {
	// Name is the first segment of the upstream's paths. Empty is the host of URL. It consists of
	// lower-case letters, digits and . _ : -, and begins with a letter or a digit.
	Name string
	// URL is the root of the upstream, https or, if Insecure is set, http. Its host is a name. It has
	// neither userinfo, nor a query, nor a fragment.
	URL string
	// Insecure allows an http URL.
	Insecure bool
	// Copy lists the rules: names of built-in sets, or expressions (RE2) that begin with ^. A path
	// that matches one of them is immutable. An expression sees the path below the root as it was
	// sent, with its leading slash, and without the query.
	Copy []string
	// MinSize is the size of the smallest object that is copied, in bytes.
	MinSize int64
}

// An OptionsError reports a fault in the options of an upstream.
type OptionsError struct {
	Index int    // Of the upstream.
	Field string // "name", "url", "min_size", or "copy[i]".
	Text  string
	name  string
}

func (e *OptionsError) Error() string { return "upstream " + e.name + ": " + e.Field + ": " + e.Text }

// An Upstream is a server that clients reach through the mirror.
type Upstream struct {
	Name string
	// Root is canonical and ends in a slash.
	Root    string
	MinSize int64
}

// A Match is the result of [Set.Resolve].
type Match struct {
	Upstream *Upstream
	// URL is the URL of the source. It begins with the upstream's root.
	URL string
	// Copy is set if the object is immutable, and its copy is allowed.
	Copy bool
	// SHA256 is the digest that the path names, in lower-case hex. Empty is none. It shares memory
	// with the target.
	SHA256 string
}

// ErrUnknown means that no upstream is configured for a path.
var ErrUnknown = errors.New("no such upstream")

// A PathError refuses a path. Its text is safe for clients.
type PathError struct{ Text string }

func (e *PathError) Error() string { return e.Text }
