#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The command line of edgert: exit statuses, messages, files, on plans made by hand.
set -u
. "$EDGE_SRCDIR/examples/show.sh"
work=$(tap_folder cli)
trap 'rm -rf "$work"' EXIT
make="$EDGE_BUILDDIR/tests/make_axpy"
compare="$EDGE_BUILDDIR/tests/compare_npy"

# expect STATUS PATTERN TEXT ARGUMENT...: exit status, and a pattern in the message
expect() {
	local status=$1 pattern=$2 text=$3 got

	shift 3
	"$EDGERT" "$@" >"$work/out" 2>"$work/err"
	got=$?
	[ "$got" = "$status" ] && grep -qE -- "$pattern" "$work/err" "$work/out"
	tap_ok $? "$text"
	[ "$got" = "$status" ] || sed "s/^/# exit $got: /" "$work/err"
}

"$make" "$work/s.plan" 24 20000 3 4 1
"$make" "$work/r.plan" 6 20000 1 6 1
"$make" "$work/h.plan" 12 20000 2 3 1 staging
x="x=$work/s.plan.x.npy"

# ---- usage
expect 2 'usage:' "no command"
expect 0 'usage:' "--help" --help
expect 0 'usage:' "--help after a command" run --help
expect 0 '^edgert [0-9]' "--version" --version
expect 2 'no command "fly"' "an unknown command" fly
expect 2 'needs a plan' "no plan" run
expect 2 'has no option "--fast"' "an unknown option" run "$work/s.plan" --fast
expect 2 'needs a value' "an option without its value" run "$work/s.plan" --input
expect 2 'NAME=FILE' "an input without a name" run "$work/s.plan" --input x.npy
expect 2 'number from 1' "no times" run "$work/s.plan" --repeat 0
expect 2 'too much' "two plans" run "$work/s.plan" "$work/r.plan"
expect 1 'does not generate text' "generate from another plan" generate "$work/s.plan" --prompt a
expect 1 'does not generate text' "perplexity of another plan" perplexity "$work/s.plan" --text "$work/s.plan"
expect 2 'needs --prompt' "generate without a prompt" generate "$work/s.plan"
expect 2 'nothing else' "verify with too much" verify "$work/s.plan" "$work/s.plan"

# ---- plans
expect 1 'could not open.*No such file' "no such plan" run "$work/none.plan"
expect 1 'not a file' "a folder" run "$work"
: >"$work/empty.plan"
expect 1 'is empty' "an empty file" verify "$work/empty.plan"
expect 1 'damaged|not a plan' "no plan at all" verify "$work/s.plan.x.npy"
head -c 3000 "$work/s.plan" >"$work/short.plan"
expect 1 'damaged' "a short plan" run "$work/short.plan" --input "$x"
expect 0 'sound.*24 weight chunks' "verify" verify "$work/s.plan"
cp "$work/s.plan" "$work/bad.plan"
size=$(stat -c %s "$work/bad.plan")
printf '\377' | dd of="$work/bad.plan" bs=1 seek=$((size - 5000)) conv=notrunc status=none
expect 1 'chunk 23 .*does not match' "verify finds a damaged chunk" verify "$work/bad.plan"
expect 0 'step 25 output' "dump" dump "$work/s.plan"
"$EDGERT" dump "$work/s.plan" >"$work/dump1"
"$EDGERT" dump "$work/s.plan" | cmp -s - "$work/dump1"
tap_ok $? "two dumps are equal"

if ! "$EDGERT" devices --json 2>/dev/null | grep -q '"opencl"'; then
	printf 'ok %d # SKIP no OpenCL device here\n' $((++tap_count))
	expect 1 'no OpenCL driver' "run says so" run "$work/s.plan" --input "$x"
	tap_done
	exit
fi
expect 0 '"threads": [1-9]' "devices --json" devices --json

# ---- without a driver
EDGE_OPENCL=$work/libnone.so expect 1 'no OpenCL driver: could not load .*libnone' "no driver" run "$work/s.plan" --input "$x"
EDGE_OPENCL=$work/libnone.so expect 0 sound "verify needs none" verify "$work/s.plan"

# ---- tensors
expect 1 'missing input "x"' "a missing input is named" run "$work/s.plan"
expect 1 'inputs are x f32\[1,20000\]' "with type and shape" run "$work/s.plan"
expect 1 'no input "z"' "an unknown input" run "$work/s.plan" --input "z=$work/s.plan.x.npy"
expect 1 'no input "y_0"' "an output is no input" run "$work/s.plan" --input "y_0=$work/s.plan.x.npy"
expect 1 'given twice' "an input given twice" run "$work/s.plan" --input "$x" --input "$x"
"$make" "$work/o.plan" 1 300 1 1 1
expect 1 'x" is f32\[1,20000\] and .* holds f32\[1,300\]' "a wrong shape" run "$work/s.plan" --input "x=$work/o.plan.x.npy"
sed 's/<f4/<i4/' "$work/s.plan.x.npy" >"$work/i4.npy"
expect 1 'holds i32\[1,20000\]' "a wrong type" run "$work/s.plan" --input "x=$work/i4.npy"
sed 's/<f4/>f4/' "$work/s.plan.x.npy" >"$work/big.npy"
expect 1 'big-endian' "a big-endian tensor" run "$work/s.plan" --input "x=$work/big.npy"
sed 's/False/True /' "$work/s.plan.x.npy" >"$work/fortran.npy"
expect 1 'ascontiguousarray' "a tensor in Fortran order" run "$work/s.plan" --input "x=$work/fortran.npy"
head -c 4000 "$work/s.plan.x.npy" >"$work/cut.npy"
expect 1 'truncated' "a truncated tensor" run "$work/s.plan" --input "x=$work/cut.npy"
expect 1 'No such file' "no such tensor" run "$work/s.plan" --input "x=$work/none.npy"
expect 1 'whose name contains' "no such device" run "$work/s.plan" --input "$x" --device 'no such device'

# ---- runs
for plan in s r h; do
	expect 0 'y:0 : f32\[1,20000\] -> .*y_0.npy' "run ($plan)" run "$work/$plan.plan" --input "x=$work/$plan.plan.x.npy" \
		--output-dir "$work/new/$plan" --report "$work/$plan.json" --trace "$work/$plan.trace" --repeat 3
	"$compare" "$work/new/$plan/y_0.npy" "$work/$plan.plan.y.npy" 0
	tap_ok $? "its output is exact ($plan)"
	[ "$(ls "$work/new/$plan")" = y_0.npy ]
	tap_ok $? "no temporary file is left ($plan)"
	for space in device host; do
		planned=$(json_number "$work/$plan.json" planned_peak_bytes $space)
		[ -n "$planned" ] && [ "$planned" = "$(json_number "$work/$plan.json" actual_peak_bytes $space)" ]
		tap_ok $? "planned is actual, $space ($plan): $planned"
	done
	for key in cold_ms warm_ms load_ms steps kernels bytes_streamed stall_ms flops gflops peak_rss_bytes driver_rss_bytes threads; do
		[ -n "$(json_number "$work/$plan.json" $key)" ] || echo "$key"
	done >"$work/keys"
	[ ! -s "$work/keys" ]
	tap_ok $? "the report has its keys ($plan)"
	grep -q '"traceEvents"' "$work/$plan.trace" && grep -q '"axpy"' "$work/$plan.trace" && grep -q '"I/O"' "$work/$plan.trace"
	tap_ok $? "the trace has its lanes ($plan)"
done
if command -v python3 >/dev/null; then
	python3 -c 'import json, sys
for f in sys.argv[1:]: json.load(open(f))' "$work"/*.json "$work"/*.trace
	tap_ok $? "reports and traces are JSON"
fi
expect 0 'from start to result' "execute" execute "$work/s.plan" --input "$x" --threads 1
expect 0 'from start to result' "run past the page cache" run "$work/s.plan" --input "$x" --io direct --output-dir "$work/direct"
"$compare" "$work/direct/y_0.npy" "$work/s.plan.y.npy" 0
tap_ok $? "gives the same output"
for cached in 0 1; do
	EDGE_CACHE_DIR=$work/cache expect 0 result "run $cached with an empty cache" run "$work/s.plan" --input "$x" --report "$work/c.json"
	[ "$(json_number "$work/c.json" programs_cached)" = $cached ]
	tap_ok $? "programs from the cache: $cached"
done
EDGE_CACHE_DIR=$work/cache expect 0 '"programs_cached": 0' "bench --no-cache" bench "$work/s.plan" -n 2 --json --no-cache
EDGE_CACHE_DIR=$work/s.plan expect 0 result "a cache that is a file" run "$work/s.plan" --input "$x"
expect 0 'result' "run --resident" run "$work/r.plan" --input "$x" --resident
expect 1 'not resident' "run --resident of a streaming plan" run "$work/s.plan" --input "$x" --resident
expect 1 'chunk 23 .*does not match' "a damaged chunk ends the run" run "$work/bad.plan" --input "$x" --output-dir "$work/bad"
[ ! -e "$work/bad/y_0.npy" ]
tap_ok $? "and writes nothing"
expect 1 'could not create' "an output directory that is a file" run "$work/r.plan" --input "$x" --output-dir "$work/r.plan"
expect 1 'could not create' "a report into nowhere" run "$work/r.plan" --input "$x" --report "$work/no/such/folder.json"

# ---- bench
expect 0 'T and T' "bench" bench "$work/s.plan" -n 3
expect 0 '"lower_bound_ratio"' "bench --json" bench "$work/s.plan" -n 3 --json
expect 0 '"warm_bound_ratio"' "bench --json, of warm runs" bench "$work/s.plan" --cold -n 2 --json
expect 0 '"limited_bound_ratio"' "bench --json, the bound of the plan's memory" bench "$work/s.plan" -n 3 --json
expect 0 '"cold_ms"' "bench --cold --json" bench "$work/s.plan" --cold -n 2 --json
expect 0 '"warm_ms"' "bench of a resident plan" bench "$work/r.plan" -n 3 --json --input "$x"
expect 1 'No such file' "bench --cold without a plan" bench "$work/none.plan" --cold

"$EDGE_BUILDDIR/examples/embed/embed" "$work/s.plan" >"$work/out" 2>&1 && grep -q '^y:0:' "$work/out"
tap_ok $? "the embedding example runs"
! "$EDGE_BUILDDIR/examples/embed/embed" "$work/none.plan" >"$work/out" 2>&1 && grep -q 'No such file' "$work/out"
tap_ok $? "and says why it cannot"
tap_done
