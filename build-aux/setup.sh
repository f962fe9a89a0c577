#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# setup.sh - what ./demo and ./check share: packages, and an up-to-date build.
#
# Sourced from the top folder. Everything here does nothing when there is
# nothing to do, so that a second run costs seconds.

# The one list of Debian packages that a build needs, and what only the tests need.
# shellcheck disable=SC2034 # used by those who source this
BUILD_PACKAGES=(
	autoconf automake libtool pkg-config make gcc libc6-dev flex bison
	clang-14 lld-14 libclang-14-dev libprotobuf-c-dev protobuf-c-compiler libxxhash-dev libcjson-dev libcurl4-openssl-dev
	libjpeg62-turbo-dev libpng-dev
	opencl-c-headers ocl-icd-libopencl1 pocl-opencl-icd
)
# shellcheck disable=SC2034
CHECK_PACKAGES=(python3 python3-numpy shellcheck)

say() {
	printf '%s\n' "$*"
}

die() {
	printf '%s\n' "$*" >&2
	exit 1
}

# missing_packages NAME...: those that are not installed, one a line.
missing_packages() {
	local installed name

	installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n "s/^installed //p" || true)
	for name in "$@"; do
		grep -qxF -e "$name" <<<"$installed" || printf '%s\n' "$name"
	done
}

# ensure_packages NAME...: install what is missing, as root or through sudo.
ensure_packages() {
	local missing as_root=() log

	if ! command -v dpkg-query >/dev/null; then
		say "not a Debian system: taking it that these are here: $*"
		return
	fi
	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} -gt 0 ] || return 0

	if [ "$(id -u)" != 0 ]; then
		if sudo -n true 2>/dev/null; then
			as_root=(sudo -n)
		else
			say "these packages are needed: ${missing[*]}" >&2
			die "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
		fi
	fi
	say "installing ${missing[*]}"
	log=$(mktemp)
	if ! { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
		"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
			apt-get -q install -y --no-install-recommends "${missing[@]}"; } \
		>"$log" 2>&1 </dev/null; then
		tail -n 20 "$log" >&2
		rm -f "$log"
		die "could not install them; try: apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
	fi
	rm -f "$log"
}

# build_in DIR [CONFIGURE ARGUMENT...]: bring DIR up to date; quiet unless it fails.
build_in() {
	local dir=$1 log=$1.log

	shift
	: >"$log"
	if [ ! -x configure ] || [ ! -f Makefile.in ] || [ configure.ac -nt configure ]; then
		say "preparing configure"
		autoreconf -fi >>"$log" 2>&1 || build_failed "$log"
	fi
	mkdir -p "$dir"
	if [ ! -f "$dir/Makefile" ] || [ "$(cat "$dir/.configured" 2>/dev/null)" != "$*" ]; then
		say "configuring $dir"
		(cd "$dir" && ../configure "$@") >>"$log" 2>&1 || build_failed "$log"
		printf '%s\n' "$*" >"$dir/.configured"
	fi
	if ! make -C "$dir" -q all >/dev/null 2>&1; then
		say "building $dir"
		make -C "$dir" -j"$(nproc)" all >>"$log" 2>&1 || build_failed "$log"
	fi
}

build_failed() {
	tail -n 30 "$1" >&2
	die "could not build; the whole log is in $1"
}
