// Package token checks bearer tokens against a file of tokens, and limits guesses.
//
// The file has a line for each token: its name, its scopes, and the token or its SHA-256 in hex.
// Empty lines, and lines that begin with #, are ignored.
//
//	# name      scopes         token
//	ci-2026-11  purge,copies   sha256:0f5b…(64 hex digits)
//	dashboard   status         q7Yw…(32 characters or more)
//
// # Guarantees
//
//   - A right token is accepted at any time and from any address, however many wrong ones were
//     sent.
//   - A wrong token is counted, and the client's address is logged. After 10 wrong tokens in a
//     minute, an address gets a [LimitError] for each further one.
//   - Guesses take bounded memory, and about 200 lines of the log a minute at most.
//   - The time of a check reveals nothing about the tokens in the file.
//   - A changed file is read within seconds. A broken one changes nothing: the last good list stays
//     in force, one line of the log gives the reason, and a metric is 1.
//   - No token, and no part of one, gets into logs, errors or metrics. Names of tokens do.
//
// # Decisions
//
// 2026-11-26: a right token is accepted from an address that is limited. Otherwise an attacker
// behind the same NAT address could keep operators from purging. The limit therefore does not slow
// down a guess that is right. The length of tokens does: 32 random characters are out of reach for
// any rate. The package refuses shorter ones in the file. It can't know the length of a token of
// which the file holds only the SHA-256.
//
// 2026-11-26: the file can hold SHA-256 digests, without a salt and without a slow hash. Those
// protect short passwords. A random token of 32 characters needs neither, and each check stays
// cheap.
//
// 2026-11-26: the whole file is read every 5 s, instead of only its times and its inode. That finds
// every change, also a swapped symbolic link of a Kubernetes secret, and a file of this size costs
// nothing.
//
// 2026-11-26: a file without a token is broken. An editor or a script that truncates the file
// before it writes must not lock all operators out. To revoke the last token, replace it with
// another.
//
// 2026-11-26: a window of a minute begins with an address's first wrong token. A token bucket would
// need a second table for the lines of the log.
package token
