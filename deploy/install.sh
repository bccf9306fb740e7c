#!/usr/bin/env bash
# Installs a program that the tests need, with the system's package manager. It leaves a program that
# exists alone, and removes no package. A user other than root only learns what to install.
set -eu
program=${1-}
case $program in
redis-server) apt=redis-server dnf=redis apk=redis brew=redis ;;
chromium) apt=chromium dnf=chromium apk=chromium brew="--cask chromium" ;;
aria2c) apt=aria2 dnf=aria2 apk=aria2 brew=aria2 ;;
pip3) apt=python3-pip dnf=python3-pip apk=py3-pip brew=python ;;
npm) apt=npm dnf=npm apk=npm brew=node ;;
prometheus) apt=prometheus dnf=golang-github-prometheus apk=prometheus brew=prometheus ;;
mvn) apt=maven dnf=maven apk=maven brew=maven ;;
postgres) apt=postgresql dnf=postgresql-server apk=postgresql brew=postgresql ;;
nginx) apt=nginx dnf=nginx apk=nginx brew=nginx ;;
dpkg-deb) apt=dpkg dnf=dpkg apk=dpkg brew=dpkg ;;
apt-get) apt=apt dnf=apt apk=apt brew= ;; # Homebrew has no apt
systemd-analyze) apt=systemd dnf=systemd apk= brew= ;; # Alpine and Homebrew have none
curl | wget | rclone) apt=$program dnf=$program apk=$program brew=$program ;;
*)
	echo "usage: install.sh redis-server|chromium|curl|wget|aria2c|rclone|pip3|npm|prometheus|mvn|postgres|nginx|dpkg-deb|apt-get|systemd-analyze" >&2
	exit 2
	;;
esac
# Debian keeps servers out of the PATH of users. PROGRAM_DIRS names other folders, for tests.
for dir in ${PROGRAM_DIRS-/usr/sbin /usr/lib/postgresql/*/bin}; do PATH+=:$dir; done
if command -v "$program" >/dev/null; then
	exit 0
fi
install() {
	if command -v apt-get >/dev/null; then
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove "$apt"
	elif command -v dnf >/dev/null; then
		dnf install -y -q "$dnf"
	elif command -v apk >/dev/null; then
		apk add -q "$apk"
	else
		return 1
	fi
}
# Show the package manager's output only if it fails.
if [ "$(id -u)" = 0 ] && out=$(install 2>&1); then
	exit 0
fi
[ -z "${out:-}" ] || printf '%s\n' "$out" >&2
echo "$program is missing; install it with your package manager (apt-get install $apt, dnf install $dnf${brew:+, brew install $brew}) and try again" >&2
exit 1
