#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What "make install" leaves is complete: the programs start, and a program builds against the library.
set -u
. "$EDGE_SRCDIR/examples/show.sh"
work=$(tap_folder install)
trap 'rm -rf "$work"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL

# The build folder is shared with tests that run now: install from it without building anything.
if ! tap_run "make install" make -s -C "$EDGE_BUILDDIR" install prefix="$work/usr"; then
	tap_done
	exit
fi
for program in edgec edgert; do
	tap_run "$program --version" "$work/usr/bin/$program" --version
	[ -s "$work/usr/share/man/man1/$program.1" ]
	tap_ok $? "$program has a manual page"
	sed 's/\\-/-/g; s/\\f.//g' "$work/usr/share/man/man1/$program.1" >"$work/man"
	"$work/usr/bin/$program" --help | grep -oE -- '(^|[ ,])--?[A-Za-z][a-z-]*' | tr -d ' ,' | sort -u |
		while read -r option; do grep -qE -- "(^|[ \"])$option([ \",=]|\$)" "$work/man" || echo "$option"; done >"$work/untold"
	[ ! -s "$work/untold" ]
	tap_ok $? "which tells of every option$(tr '\n' ' ' <"$work/untold" | sed 's/^/, but not of /;s/but not of $//')"
done
# A source distribution is the tree's files, whatever ./demo has made in the build folder.
mkdir "$EDGE_BUILDDIR/demo" 2>/dev/null && mine=yes || mine=
if tap_run "make distdir" make -s -C "$EDGE_BUILDDIR" distdir distdir="$work/dist" top_distdir="$work/dist"; then
	git -C "$EDGE_SRCDIR" ls-files 2>/dev/null | grep -vxF .gitignore |
		while read -r f; do [ -f "$work/dist/$f" ] || echo "$f"; done >"$work/lost"
	[ -f "$work/dist/demo" ] && [ ! -s "$work/lost" ]
	tap_ok $? "every file is in it" || sed 's/^/# /' "$work/lost"
fi
[ -z "$mine" ] || rmdir "$EDGE_BUILDDIR/demo"

grep -rlE '"[a-z]+/[a-z_]+\.h"' "$work/usr/include" | xargs -r grep -hoE '"edge/[a-z_]+\.h"' | tr -d '"' | sort -u |
	while read -r h; do [ -f "$work/usr/include/$h" ] || echo "$h"; done >"$work/missing"
[ ! -s "$work/missing" ]
tap_ok $? "installed headers include installed headers alone"

cat >"$work/user.c" <<'EOC'
#include <edge/edgert.h>
#include <stdio.h>
int main(void) { return puts(edgert_version()) < 0; }
EOC
flags=$(PKG_CONFIG_PATH=$work/usr/lib/pkgconfig pkg-config --define-variable=prefix="$work/usr" --cflags --libs edgert)
tap_ok $? "pkg-config knows it: ${flags//$work/...}"
sanitize=
grep -q 'define EDGE_ASAN' "$EDGE_BUILDDIR/config.h" && sanitize="-fsanitize=address,undefined"
# shellcheck disable=SC2086 # flags are several words
tap_run "a program builds against it" ${EDGE_CC:-cc} "$work/user.c" -o "$work/user" $flags $sanitize
tap_run "and runs" env LD_LIBRARY_PATH="$work/usr/lib" "$work/user"

if command -v g++ >/dev/null; then
	printf '#include <edge/edgert.h>\n#include <edge/plan_read.h>\n' >"$work/user.cc"
	tap_run "C++ takes the headers" g++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$work/usr/include" "$work/user.cc"
fi

nm -D --defined-only "$work/usr/lib/libedgert.so" | awk '$2 ~ /[A-Z]/ { print $3 }' | grep -v '^edgert_' >"$work/foreign"
[ ! -s "$work/foreign" ]
tap_ok $? "the library exports edgert_ names alone"
ldd "$work/usr/bin/edgert" | grep -E 'OpenCL|LLVM|clang|protobuf|curl' >"$work/linked"
[ ! -s "$work/linked" ]
tap_ok $? "edgert is linked with neither OpenCL nor the compiler's libraries"
tap_done
