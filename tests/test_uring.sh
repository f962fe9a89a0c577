#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Streamed networks read through io_uring: the same bytes and the planned memory, whether the device block or the
# command line asks for it. A system that refuses it is as good (tests/test_runtime.c refuses it by itself).
set -u
. "$EDGE_SRCDIR/examples/show.sh"
work=$(tap_folder uring)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
models=${EDGE_DATA:-none}/models

# way REPORT: how weights came
way() {
	sed -n 's/.*"io": "\([a-z]*\)".*/\1/p' "$1"
}

# run PLAN IO INPUT...: outputs in IO, the report in IO.json
run() {
	local plan=$1 io=$2

	shift 2
	"$EDGERT" run "$plan" --io "$io" "$@" --output-dir "$io" --repeat 3 --report "$io.json" >log 2>&1
}

# compare TEXT PLAN INPUT...: read in all ways
compare() {
	local text=$1 plan=$2 io status=0

	shift 2
	for io in buffered direct uring; do
		run "$plan" $io "$@" || status=1
		grep -A 3 actual_peak_bytes $io.json | grep -v peak >actual
		grep -A 3 planned_peak_bytes $io.json | grep -v peak | cmp -s - actual || status=1
		diff -r buffered $io >>log || status=1
	done
	tap_ok $status "$text: the same bytes in the same memory, buffered, $(way direct.json), $(way uring.json)"
	[ $status = 0 ] || sed 's/^/# /' log
	rm -rf buffered direct uring
}

# network NAME INPUT: with the least memory, and with half of what its weights want beside
network() {
	local least

	printf 'model net { import onnx "%s"; }\nplan p { run net; }\n' "$models/$1.onnx" >net.edge
	"$EDGEC" compile net.edge -o net.plan --json >json 2>log || tap_ok 1 "$1 compiles"
	least=$(json_number json smallest_budget_bytes)
	for budget in "$least" $(((least + $(json_number json planned_peak_bytes device)) / 2)); do
		"$EDGEC" compile net.edge --budget "$budget" -o net.plan >log 2>&1 || tap_ok 1 "$1 compiles for $budget bytes"
		compare "$1 in $budget bytes" net.plan --input "$2=$models/$1.ref/input_0_$2.npy"
	done
}

if [ -d "$models" ]; then
	network kwt1 mfcc
	network resnet20_cifar10 input
else
	printf 'ok %d # SKIP no real networks at %s: random ones alone\n' $((++tap_count)) "$models"
fi

python3 - <<'P' || { printf 'ok %d # SKIP no python3 to make an input\n' $((++tap_count)); tap_done; exit; }
import struct
head = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 512)}"
head += " " * (-(len(head) + 11) % 64) + "\n"
open("x.npy", "wb").write(b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode() +
                          struct.pack("<2048f", *[(i * 37 % 101 - 50) / 50 for i in range(2048)]))
P
# more than 16 MiB, so that they come past the page cache by themselves
for reading in threads uring; do
	cat >$reading.edge <<-EOF
		device here { requests 4; reading $reading; }
		model m { weights random seed 3; input x : f32[4,512]; h = relu(linear(x, "a", 4096)); output y = linear(h, "b", 1024); }
		plan p { on here; within 6 MiB; run m; }
	EOF
	tap_run "a plan whose device reads by $reading" "$EDGEC" compile $reading.edge -o $reading.plan
	sync $reading.plan
	dd if=$reading.plan iflag=nocache count=0 2>log # evicts it
	"$EDGERT" dump $reading.plan | grep -q 'reads through io_uring'
	[ $? = "$([ $reading = uring ]; echo $?)" ]
	tap_ok $? "it says so"
	run $reading.plan auto --input x=x.npy
	tap_ok $? "it runs: $(way auto.json)"
	mv auto by-$reading
	cp auto.json by-$reading.json
done
diff -r by-threads by-uring >log
tap_ok $? "with the same bytes"
if [ "$(way by-threads.json)" = direct ] && [ "$(way by-uring.json)" != buffered ]; then
	[ "$(way by-uring.json)" = "$(run uring.plan uring --input x=x.npy; way uring.json)" ]
	tap_ok $? "by what the device block says"
else
	printf 'ok %d # SKIP a slow disk, or one that the page cache cannot be told to forget\n' $((++tap_count))
fi
compare "by hand" threads.plan --input x=x.npy
"$EDGERT" run threads.plan --io ring --input x=x.npy --output-dir none 2>err
[ $? = 2 ] && grep -q 'io is auto, buffered, direct or uring, not "ring"' err
tap_ok $? "a way that there is not is refused"
tap_done
