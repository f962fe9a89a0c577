#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The step loop and the I/O thread under ThreadSanitizer: the session tests, built once more for it.
set -u
. "$EDGE_SRCDIR/examples/show.sh"
work=$(tap_folder threads)
trap 'rm -rf "$work"' EXIT
runtime="$EDGE_SRCDIR/runtime"

printf 'int main(void) { return 0; }\n' >"$work/try.c"
if ! "${EDGE_CC:-cc}" -fsanitize=thread "$work/try.c" -o "$work/try" 2>/dev/null || ! "$work/try" 2>/dev/null; then
	printf 'ok %d # SKIP no ThreadSanitizer here\n' $((++tap_count))
	tap_done
	exit
fi
tap_run "builds" "${EDGE_CC:-cc}" -std=gnu11 -O1 -g -fsanitize=thread -DHAVE_CONFIG_H -I"$EDGE_BUILDDIR" -I"$runtime" \
	-I"$runtime/include" -I"$EDGE_SRCDIR/tests" "$runtime"/{base,stream,exec,device,plan}/*.c "$runtime/version.c" \
	"$EDGE_SRCDIR"/tests/{test_runtime,plan_builder,fake_device}.c -o "$work/test" -lpthread -ldl -lm
# drivers are not built for it: only the device made for tests
if [ -x "$work/test" ]; then
	EDGE_OPENCL=/nonexistent TSAN_OPTIONS=halt_on_error=1 tap_run "no data race in sessions" "$work/test"
fi
tap_done
