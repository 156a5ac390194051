#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# deps.sh: install what building and testing need, on Debian 12 or newer. Quiet when nothing is
# missing.
#
# usage: tools/deps.sh SET...     SET: build test vm bench lint fuzz
#        tools/deps.sh --list SET...     print the packages and do nothing
#
# shellcheck disable=SC2086 # lists of packages are split into words
set -eu

packages() {
	case $1 in
	build)
		echo gcc libc6-dev meson ninja-build pkg-config ccache python3 \
			liburing-dev libisal-dev libssl-dev libjansson-dev libsystemd-dev \
			libedit-dev libfuse3-dev libcmocka-dev
		;;
	test)
		# sanitizers' symbols, the second compiler, real initiators, a packet judge, an iSNS
		# server, network namespaces
		echo clang llvm libclang-rt-dev python3-pytest python3-pexpect \
			libiscsi-bin libiscsi-dev qemu-utils qemu-block-extra tshark \
			open-isns-server open-isns-utils iproute2 targetcli-fb python3-rtslib-fb \
			dbus-daemon resource-agents
		;;
	lint)
		echo clang clang-format clang-tidy binutils git mandoc python3
		;;
	fuzz)
		echo clang llvm libclang-rt-dev
		;;
	vm)
		echo python3-pytest qemu-system-x86 qemu-utils open-iscsi busybox-static cpio kmod \
			e2fsprogs xfsprogs fio sg3-utils multipath-tools dmsetup udev
		;;
	bench)
		echo tgt libiscsi-bin qemu-utils qemu-block-extra fio python3
		;;
	*)
		echo "deps.sh: no set '$1': build, test, vm, bench, lint, fuzz" >&2
		exit 2
		;;
	esac
}

list=no
if [ "${1-}" = --list ]; then
	list=yes
	shift
fi
if [ $# = 0 ]; then
	echo "usage: tools/deps.sh [--list] build|test|vm|bench|lint|fuzz..." >&2
	exit 2
fi

wanted=
for set in "$@"; do
	names=$(packages "$set")
	wanted="$wanted $names"
done
wanted=$(printf '%s\n' $wanted | sort -u)

if [ $list = yes ]; then
	printf '%s\n' "$wanted"
	exit 0
fi

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
	{
		echo "deps.sh: this is not a Debian system, nothing was installed."
		echo "These are Debian's names of what is needed; install their like and go on with meson:"
		printf '  %s\n' $wanted
	} >&2
	exit 1
fi

missing=
for p in $wanted; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) || state=
	case $state in
	installed*) ;; # one word for each architecture
	*) missing="$missing $p" ;;
	esac
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "deps.sh: packages are missing, and there is neither root nor sudo. As root run:" >&2
		echo "  apt-get install --no-install-recommends$missing" >&2
		exit 1
	fi
	sudo="sudo"
fi

echo "deps.sh: installing$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q -o DPkg::Lock::Timeout=600 \
		--no-install-recommends $missing >"$log" 2>&1
}
# the lists may be old or absent: then fetch them and try once more
if ! install; then
	if ! $sudo apt-get update -q >"$log" 2>&1 || ! install; then
		tail -n 20 "$log" >&2
		echo "deps.sh: apt-get could not install:$missing" >&2
		exit 1
	fi
fi
