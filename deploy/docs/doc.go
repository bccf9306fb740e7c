// Package docs holds the tests of the pages in Markdown and of the API reference. It has no code
// for other packages.
//
// # Guarantees
//
//   - A Go name, file, package, test, setting, variable, metric, make target or link that a page
//     names exists.
//   - A configuration on a page loads.
//   - The operators' page lists every error class. The page of metrics lists every metric, and no other.
//   - Every body in the API reference is a named schema with the same fields as its Go type.
//
// # Decisions
//
// 2026-11-25: pages name functions in backquotes as package.Function or package.Type.Method, so
// that a test can look them up with go/parser. Links to line numbers were rejected: they are wrong
// after the next commit.
package docs
