#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# edgert as one static file (musl): native plans run, and where there is no
# dlopen a plan for OpenCL is refused with a reason.
set -u
. "$EDGE_SRCDIR/examples/show.sh"

skip() {
	printf 'ok %d # SKIP %s\n' $((++tap_count)) "$1"
	tap_done
	exit
}

command -v musl-gcc >/dev/null || skip "no musl-gcc (Debian: musl-tools)"
! grep -q '^#define EDGE_ASAN 1' "$EDGE_BUILDDIR/config.h" || skip "a sanitized build: the static runtime would be the same"

build=$EDGE_BUILDDIR/static
static=$build/edgert
work=$(tap_folder static)
trap 'rm -rf "$work"' EXIT

if ! "$EDGE_SRCDIR/build-aux/cross.sh" "$build" static CFLAGS=-O1 >"$work/build.log" 2>&1; then
	tail -n 30 "$work/build.log" | sed 's/^/# /'
	tap_ok 1 "the runtime builds with musl"
	tap_done
	exit
fi
tap_ok 0 "the runtime builds with musl"
! readelf -lW "$static" | grep -qE 'INTERP|DYNAMIC'
tap_ok $? "it needs no loader and no library: $(stat -c %s "$static") bytes"
tap_run "the native backend passes the conformance suite" "$build/tests/conformance/test_device"

digits=$EDGE_SRCDIR/examples/digits
cat >"$work/digits.edge" <<-EOF
	include "$digits/digits.edge";
	device driver { backend opencl; }
	plan native { run digit; }
	plan opencl { on driver; run digit; }
EOF
for plan in native opencl; do
	tap_run "digits compile: $plan" "$EDGEC" compile "$work/digits.edge" --plan $plan -o "$work/$plan.plan"
done
image=image=$digits/digit-3.npy
tap_run "a native plan runs" "$static" run "$work/native.plan" --input "$image" --output-dir "$work/static"
tap_run "as with the shared C library" "$EDGERT" run "$work/native.plan" --input "$image" --output-dir "$work/shared"
cmp "$work/static/probability.npy" "$work/shared/probability.npy"
tap_ok $? "the same bytes"

"$static" run "$work/native.plan" --io uring --input "$image" --output-dir "$work/ring" --report "$work/ring.json" >"$work/log" 2>&1 &&
	cmp "$work/ring/probability.npy" "$work/shared/probability.npy" &&
	"$EDGERT" run "$work/native.plan" --io uring --input "$image" --output-dir "$work/ring" --report "$work/shared.json" >>"$work/log" 2>&1 &&
	[ "$(grep '"io"' "$work/ring.json")" = "$(grep '"io"' "$work/shared.json")" ]
tap_ok $? "reads go through a ring where they do in the other build:$(grep '"io"' "$work/ring.json")"

"$static" run "$work/opencl.plan" --input "$image" --output-dir "$work/none" 2>"$work/err"
[ $? = 1 ] && grep -q 'no OpenCL driver: ' "$work/err" && [ ! -e "$work/none" ]
tap_ok $? "a plan for OpenCL is refused: $(cat "$work/err")"
# CPUs of other times: the lesser variant of the plan's two, and none
qemu=$(command -v qemu-x86_64-static || command -v qemu-x86_64)
if [ "$(uname -m)" = x86_64 ] && [ -n "$qemu" ]; then
	"$qemu" -cpu Haswell "$static" run "$work/native.plan" --input "$image" --output-dir "$work/v3" >"$work/log" 2>/dev/null &&
		"$EDGE_BUILDDIR/tests/compare_npy" "$work/v3/probability.npy" "$work/shared/probability.npy" 1e-5 >>"$work/log"
	tap_ok $? "a CPU without 512-bit registers runs the code for x86-64-v3"
	"$qemu" -cpu Haswell "$static" run "$work/native.plan" --io uring --input "$image" --output-dir "$work/v3" --report "$work/v3.json" >"$work/log" 2>&1 &&
		! grep -q '"io": "uring"' "$work/v3.json"
	tap_ok $? "and threads read where the system has no ring"
	"$qemu" -cpu Nehalem "$static" run "$work/native.plan" --input "$image" --output-dir "$work/none" 2>"$work/err"
	[ $? = 1 ] && grep -q 'plan holds native code for x86-64-v3, x86-64-v4, this CPU is x86-64 ' "$work/err"
	tap_ok $? "a CPU that is older than both is told so"
else
	printf 'ok %d # SKIP no qemu-x86_64 (Debian: qemu-user-static) to be an older CPU\n' $((++tap_count))
fi
"$static" devices >"$work/devices" 2>&1 && grep -q '^native' "$work/devices"
tap_ok $? "the native device is listed"
tap_done
