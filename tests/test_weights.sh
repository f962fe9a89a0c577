#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# "weights f16;" and "weights bf16;": half the bytes in the plan and in memory,
# nearly the same result, and the same bytes whether weights stay or stream.
set -u
count=0

ok() { # STATUS TEXT
	count=$((count + 1))
	[ "$1" -eq 0 ] && echo "ok $count - $2" || echo "not ok $count - $2"
}

number() { # FILE KEY
	grep -o "\"$2\": *[0-9]*" "$1" | head -1 | grep -o '[0-9]*$'
}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# An input of f32[1,3,20,20]: the header of version 1.0, padded to 128 bytes, and floats of 1.0.
{
	header="{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 20, 20), }"
	printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "$header"
	for ((i = 0; i < 1200; i++)); do
		printf '\x00\x00\x80\x3f'
	done
} > x.npy

for format in f32 f16 bf16; do
	cat > "$format.edge" <<- EDGE
		model m {
		  weights random seed 3;
		  weights $format;
		  input x : f32[1, 3, 20, 20];
		  h = relu(conv2d(x, "c1", 48, kernel=3, pad=1));
		  h = relu(conv2d(h, "c2", 64, kernel=3, pad=1, stride=2));
		  output y = linear(flatten(global_avg_pool(h)), "fc", 1000);
		}
		plan p { run m; }
	EDGE
	"$EDGEC" compile "$format.edge" -o "$format.plan" --json > "$format.json"
	ok $? "a plan with weights in $format"
	"$EDGERT" run "$format.plan" --input x=x.npy --output-dir "$format" > log 2>&1
	ok $? "and its run"
	sed "s|^|# |" log
	smallest=$(number "$format.json" smallest_budget_bytes)
	"$EDGEC" compile "$format.edge" -o small.plan --budget "$smallest" --json > small.json &&
		"$EDGERT" run small.plan --input x=x.npy --output-dir small > log 2>&1 && cmp "$format/y.npy" small/y.npy
	ok $? "the same bytes in the smallest budget"
done
for format in f16 bf16; do
	[ $(($(number "$format.json" weights_bytes) * 20)) -le $(($(number f32.json weights_bytes) * 11)) ]
	ok $? "$format: about half the bytes"
	"$EDGE_BUILDDIR/tests/compare_npy" "$format/y.npy" f32/y.npy 1e-2 > /dev/null
	ok $? "$format: nearly the same result"
	cmp -s "$format/y.npy" f32/y.npy
	[ $? -eq 1 ]
	ok $? "$format: not the very same"
done
echo "1..$count"
