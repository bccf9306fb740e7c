// Package chromium runs a headless Chromium, in which tests and scripts drive pages.
//
// # Guarantees
//
//   - The browser reaches 127.0.0.1 only.
//   - Its processes and its profile end with the context.
//
// # Decisions
//
// 2026-11-27: chromedp drives it. A form must be filled in and pictures taken at several widths,
// which the command line of Chromium can't do.
package chromium
