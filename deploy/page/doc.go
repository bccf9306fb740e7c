// Package page serves the page for people on the admin listener of workers: the state of the
// deployment, and a form that finds the copy of an object.
//
// # Guarantees
//
//   - The page answers within two seconds. It names each dependency that did not answer in time.
//   - A figure is measured, or the page names the place that knows it. Front ends count clients, hits
//     and breakers, so these figures need their metrics.
//   - No link, log line or URL of the page holds the URL of the form. The answer to the form shows it
//     to the reader who sent it.
//   - The page has no scripts, and its policy forbids them. Pages of other origins can't send the
//     form or frame the page.
//
// # Decisions
//
// 2026-11-27: a name in admin.metrics stands for a process at each of its addresses, since pods come
// and go. The page does not ask Kubernetes: workers have no token for its API.
//
// 2026-11-27: the state is a frame that refreshes itself. A refresh of the whole page would empty the
// form, and a script to prevent that would weaken the policy.
//
// 2026-11-27: the form is sent by POST. The URL of an object can hold a secret, and URLs are kept in
// histories and logs.
//
// 2026-11-27: admin.metrics lists all processes, the page's own included. All workers share one
// configuration, and a process that adds its own metrics would count itself twice.
package page
