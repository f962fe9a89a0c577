#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The runtime built for aarch64, and plans with aarch64 code, under qemu: the
# conformance suite, real networks (or the digits), memory of different sizes,
# and pages larger than the plan's, where the code is copied before it runs.
set -u
. "$EDGE_SRCDIR/examples/show.sh"
host=aarch64-linux-gnu
compare="$EDGE_BUILDDIR/tests/compare_npy"
models=${EDGE_DATA:-none}/models

skip() {
	printf 'ok %d # SKIP %s\n' $((++tap_count)) "$1"
	tap_done
	exit
}

command -v $host-gcc >/dev/null || skip "no $host-gcc (Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross)"
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64) || skip "no qemu-aarch64 (Debian: qemu-user-static)"
! grep -q '^#define EDGE_ASAN 1' "$EDGE_BUILDDIR/config.h" || skip "a sanitized build: the runtime for aarch64 would be the same"

build=$EDGE_BUILDDIR/aarch64
run=("$qemu" -L "/usr/$host")
work=$(tap_folder aarch64)
trap 'rm -rf "$work"' EXIT
export EDGE_OPENCL=/nonexistent

if ! "$EDGE_SRCDIR/build-aux/cross.sh" "$build" $host --without-uring CFLAGS=-O1 >"$work/build.log" 2>&1; then
	tail -n 30 "$work/build.log" | sed 's/^/# /'
	tap_ok 1 "the runtime builds for $host"
	tap_done
	exit
fi
tap_ok 0 "the runtime builds for $host"
tap_run "the native backend passes the conformance suite" "${run[@]}" "$build/tests/conformance/test_device"
"${run[@]}" "$build/edgert" devices 2>/dev/null | grep -q '^native *aarch64'
tap_ok $? "the CPU is known"

# tap_log STATUS TEXT FILE: a failure shows the file
tap_log() {
	tap_ok "$1" "$2"
	[ "$1" = 0 ] || sed 's/^/# /' "$3"
}

# check_run TEXT PLAN OUTPUT REFERENCE TOLERANCE QEMU-OPTIONS -- INPUT...: one run, its output compared
check_run() {
	local text=$1 plan=$2 output=$3 reference=$4 tolerance=$5 options=()

	shift 5
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	"${run[@]}" ${options[@]+"${options[@]}"} "$build/edgert" run "$plan" "$@" --output-dir "$work/out" >"$work/run.log" 2>&1 &&
		"$compare" "$work/out/$output.npy" "$reference" "$tolerance" >>"$work/run.log"
	tap_log $? "$text" "$work/run.log"
}

# network NAME INPUT: as one that stays in memory, as one that is streamed, with large pages
network() {
	local net=$1 ref=$models/$1.ref small

	cat >"$work/$net.edge" <<-EOF
		device board { backend native; cpu aarch64; threads 2; }
		model net { import onnx "$models/$net.onnx"; }
		plan p { on board; run net; }
	EOF
	"$EDGEC" compile "$work/$net.edge" -o "$work/$net.plan" --json >"$work/json" 2>"$work/log"
	tap_log $? "$net compiles" "$work/log"
	for k in 0 1 2; do
		check_run "$net: pair $k is within 1e-4" "$work/$net.plan" logits "$ref/output_${k}_logits.npy" 1e-4 -- \
			--input "$2=$ref/input_${k}_$2.npy"
	done
	cp "$work/out/logits.npy" "$work/whole.npy"
	check_run "$net: the same bytes with pages of 64 KiB" "$work/$net.plan" logits "$work/whole.npy" 0 -p 65536 -- \
		--input "$2=$ref/input_2_$2.npy"
	small=$(json_number "$work/json" smallest_budget_bytes)
	tap_run "$net compiles for $small bytes" "$EDGEC" compile "$work/$net.edge" --budget "$small" -o "$work/small.plan"
	check_run "$net: the same bytes" "$work/small.plan" logits "$work/whole.npy" 0 -- --input "$2=$ref/input_2_$2.npy"
}

if [ -d "$models" ]; then
	network kwt1 mfcc
	network resnet20_cifar10 input
else
	printf 'ok %d # SKIP no real networks at %s: the digits instead\n' $((++tap_count)) "$models"
fi

digits=$EDGE_SRCDIR/examples/digits
cat >"$work/digits.edge" <<-EOF
	include "$digits/digits.edge";
	device board { backend native; cpu aarch64; threads 2; }
	device here { backend native; cpu x86-64-v3, x86-64-v4, aarch64; }
	plan there { on board; run digit; }
	plan anywhere { on here; run digit; }
EOF
for plan in there anywhere; do
	tap_run "digits compile: $plan" "$EDGEC" compile "$work/digits.edge" --plan $plan -o "$work/$plan.plan"
done
image=image=$digits/digit-3.npy
tap_run "a plan for three instruction sets runs here" "$EDGERT" run "$work/anywhere.plan" --input "$image" --output-dir "$work/here"
"${run[@]}" "$build/edgert" run "$work/anywhere.plan" --io uring --input "$image" --output-dir "$work/here" --report "$work/here.json" >"$work/run.log" 2>&1 &&
	! grep -q '"io": "uring"' "$work/here.json"
tap_log $? "a runtime that was built without io_uring reads with threads" "$work/run.log"
for plan in there anywhere; do
	check_run "digits: $plan, as here" "$work/$plan.plan" probability "$work/here/probability.npy" 1e-5 -- --input "$image"
done
# every layer of the language, here and there
cat >"$work/layers.edge" <<-EOF
	include "$EDGE_SRCDIR/tests/corpus/edge/good-layers.edge";
	device every { cpu x86-64-v3, aarch64; threads 2; }
	plan rows { on every; run rows; }
	plan image { on every; run image; }
EOF

# layers PLAN INPUT...: each output as here
layers() {
	local plan=$1 inputs=() name text

	shift
	for name; do
		inputs+=(--input "$name=$work/$name.npy")
	done
	tap_run "every layer compiles: $plan" "$EDGEC" compile "$work/layers.edge" --plan "$plan" -o "$work/$plan.plan"
	tap_run "and runs here" "$EDGERT" run "$work/$plan.plan" "${inputs[@]}" --output-dir "$work/$plan"
	"${run[@]}" "$build/edgert" run "$work/$plan.plan" "${inputs[@]}" --output-dir "$work/$plan-there" >"$work/run.log" 2>&1
	tap_log $? "and there" "$work/run.log"
	for name in "$work/$plan"/*.npy; do
		name=${name##*/}
		text=$("$compare" "$work/$plan-there/$name" "$work/$plan/$name" 1e-4)
		tap_ok $? "$plan: $name is the same${text:+, $text}"
	done
}

if command -v python3 >/dev/null; then
	python3 - "$work" <<-'EOF'
		import random, struct, sys

		def save(name, descr, code, shape, values):
		    head = repr({"descr": descr, "fortran_order": False, "shape": shape})
		    head += " " * (-(len(head) + 11) % 64) + "\n"
		    with open(sys.argv[1] + "/" + name + ".npy", "wb") as f:
		        f.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode())
		        f.write(struct.pack("<%d%s" % (len(values), code), *values))

		random.seed(1)
		normal = lambda n: [random.gauss(0, 1) for _ in range(n)]
		save("x", "<f4", "f", (2, 6, 8), normal(96))
		save("ids", "<i8", "q", (2, 3), [random.randrange(6) for _ in range(6)])
		save("picture", "<f4", "f", (1, 4, 12, 10), normal(480))
		save("line", "<f4", "f", (1, 4, 20), normal(80))
		save("flag", "|b1", "B", (2, 6, 8), [random.randrange(2) for _ in range(96)])
	EOF
	layers rows x ids flag
	mv "$work/picture.npy" "$work/x.npy"
	layers image x line
else
	printf 'ok %d # SKIP no python3: inputs for all layers cannot be made\n' $((++tap_count))
fi

if ! "$EDGERT" devices 2>/dev/null | grep -q '^native *aarch64'; then
	"$EDGERT" run "$work/there.plan" --input "$image" --output-dir "$work/none" 2>"$work/err"
	[ $? = 1 ] && grep -q 'plan holds native code for aarch64, this CPU is x86-64' "$work/err" && [ ! -e "$work/none" ]
	tap_log $? "a plan for another CPU is refused" "$work/err"
fi
tap_done
