// Package upstream resolves the paths of mirror requests: to which upstream a path leads, and
// whether the object behind it is immutable. It does no I/O.
//
// # Guarantees
//
//   - The URL of a [Match] begins with the root of a configured upstream. The rest of it is the
//     request's path and query, byte for byte.
//   - No browser and no server reads another host, or a place outside of the root, from that URL.
//   - A path is copied only if a rule names it. An unknown path is mutable.
//   - A path that two servers could read differently is never copied: dot segments, backslashes,
//     empty segments, and encoded dots, slashes, backslashes and control characters. A query with a
//     signature or a token isn't either.
//   - A match costs one or two allocations, and a refusal none.
//
// # Decisions
//
// 2026-11-26: the built-in sets are functions, not expressions. Most of their rules name a
// relation, for example that a file begins with the name of its folder. An expression cannot do
// that, and costs more.
//
// 2026-11-26: the sets are stricter than the layouts. Maven's takes <artifact>-<version>… only, not
// everything that is no metadata: the listing of a folder whose slash is missing would be copied.
//
// 2026-11-26: a GitHub tag moves if it has no digit, is v and one or two digits, has .x, or has a
// word such as nightly without a date. Projects move such tags by hand, and nothing in the path
// tells. A pass-through costs less than a stale copy. An asset of another tag can be replaced as
// well: audits find that.
//
// 2026-11-26: https:///<host> is not accepted. Clients send two slashes, and proxies merge them to
// one. Three are an empty host, and browsers skip it.
//
// 2026-11-26: a root can't have an IP address for its host. A name is always meant, and no parser
// reads it as another address. For a server of this machine, localhost is a name.
//
// 2026-11-26: the query doesn't decide whether a path is immutable, unless it grants access. A
// registry of images adds ?ns= to each blob. Objects of different queries are different objects.
package upstream
