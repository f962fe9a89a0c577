#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# cross.sh DIR HOST|static [CONFIGURE ARGUMENT...]
#
# Builds edgert and its tests into DIR for another machine (HOST is the prefix
# of its tools, such as aarch64-linux-gnu), or as one static file with musl.
# The runtime needs no library; the headers that it is compiled with are the
# same for every machine and are taken from this one.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
[ $# -ge 2 ] || {
	echo "usage: cross.sh DIR HOST|static [CONFIGURE ARGUMENT...]" >&2
	exit 2
}
dir=$1 host=$2
shift 2
unset MAKEFLAGS MFLAGS MAKELEVEL # of a make that runs tests

mkdir -p "$dir/headers"
cd "$dir"
ln -sfn /usr/include/CL headers/CL
ln -sfn /usr/include/xxhash.h headers/xxhash.h
if [ "$host" = static ]; then
	# musl-gcc does not look where the kernel's headers are
	ln -sfn /usr/include/linux headers/linux
	ln -sfn /usr/include/asm-generic headers/asm-generic
	ln -sfn "/usr/include/$(cc -print-multiarch)/asm" headers/asm
	set -- CC=musl-gcc LDFLAGS=-static "$@"
	link=-all-static
else
	set -- --host="$host" CC="$host-gcc" "$@"
	link=
fi
if [ ! -f Makefile ]; then
	"$top/configure" --disable-compiler CPPFLAGS="-I$PWD/headers" "$@"
fi
make edgert tests/compare_npy tests/conformance/test_device ${link:+LDFLAGS="$link"}
