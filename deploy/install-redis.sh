#!/usr/bin/env bash
# Installs redis-server, which the tests need, with the system's package manager. A user other than
# root only learns what to install.
set -eu
install() {
	if command -v apt-get >/dev/null; then
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server
	elif command -v dnf >/dev/null; then
		dnf install -y -q redis
	elif command -v apk >/dev/null; then
		apk add -q redis
	else
		return 1
	fi
}
# Show the package manager's output only if it fails.
if [ "$(id -u)" = 0 ] && out=$(install 2>&1); then
	exit 0
fi
[ -z "${out:-}" ] || printf '%s\n' "$out" >&2
echo "redis-server is missing; install it with your package manager (apt-get install redis-server, dnf install redis, brew install redis) and try again" >&2
exit 1
