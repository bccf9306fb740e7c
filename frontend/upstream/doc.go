// Package upstream resolves the paths of mirror requests: to which upstream a path leads, and
// whether the object behind it is immutable. It does no I/O.
//
// # Guarantees
//
//   - The URL of a [Match] begins with the root of a configured upstream. The rest of it is the
//     request's path and query, byte for byte.
//   - A path is copied only if a rule names it. An unknown path is mutable.
//   - A path that two servers could read differently is never copied: dot segments, and encoded
//     slashes. A query with a signature isn't either.
package upstream
