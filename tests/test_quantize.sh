#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# "quantize m { ... }": as many bytes as the format has, nearly the same result,
# and the same bytes whether weights stay or stream.
set -u
count=0

ok() { # STATUS TEXT
	count=$((count + 1))
	[ "$1" -eq 0 ] && echo "ok $count - $2" || echo "not ok $count - $2"
}

number() { # FILE KEY
	grep -o "\"$2\": *[0-9]*" "$1" | head -1 | grep -o '[0-9]*$'
}

# ramp FILE SHAPE COUNT: float32 of a few values in turn
ramp() {
	local bytes=('\x00\x00\x80\x3f' '\x00\x00\x00\xbf' '\x00\x00\x00\x00' '\x00\x00\x40\x3f' '\x00\x00\x80\xbe')
	{
		printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': ($2), }"
		for ((i = 0; i < $3; i++)); do
			printf '%b' "${bytes[$((i * 7 % 5))]}"
		done
	} > "$1"
}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
ramp x.npy "1, 3, 12, 12" 432
ramp samples.npy "6, 3, 12, 12" 2592

# case_of NAME RULES
case_of() {
	cat > "$1.edge" <<- EDGE
		model m {
		  weights random seed 3;
		  input x : f32[1, 3, 12, 12];
		  h = relu(conv2d(x, "c1", 48, kernel=3, pad=1));
		  h = relu(conv2d(h, "c2", 64, kernel=3, pad=1, stride=2));
		  output y = linear(flatten(global_avg_pool(h)), "fc", 500);
		}
		$2
		plan p { run m; }
	EDGE
	"$EDGEC" compile "$1.edge" -o "$1.plan" --json > "$1.json" 2> log
	ok $? "$1: a plan"
	"$EDGERT" run "$1.plan" --input x=x.npy --output-dir "$1" >> log 2>&1
	ok $? "$1: its run"
	sed "s|^|# |" log
}

refused() { # TEXT RULES
	printf 'model m { weights random seed 3; input x : f32[1, 40]; output y = linear(x, "fc", 5); }\n%s\n' "$2" > bad.edge
	! "$EDGEC" compile bad.edge -o bad.plan 2> log && grep -q "$1" log
	ok $? "refused: $1"
}

case_of f32 ""
case_of q8 "quantize m { weights q8 group 64; }"
case_of q8a "quantize m { weights q8 group 64; activations q8; }"
case_of q4 'quantize m { weights q4 asymmetric; weights q8 for first, "fc"; method learned; calibrate "samples.npy"; iterations 20; }'
[ $(($(number q8.json weights_bytes) * 100)) -le $(($(number f32.json weights_bytes) * 30)) ]
ok $? "q8: little more than a quarter of the bytes"
"$EDGE_BUILDDIR/tests/compare_npy" q8/y.npy f32/y.npy 2e-2 > /dev/null
ok $? "q8: nearly the same result"
"$EDGE_BUILDDIR/tests/compare_npy" q8a/y.npy f32/y.npy 3e-2 > /dev/null && ! cmp -s q8a/y.npy q8/y.npy
ok $? "activations in q8: nearly the same result, and another one"
"$EDGEC" compile q8.edge -o knob.plan --knob activations=q8 > log 2>&1 &&
	"$EDGERT" run knob.plan --input x=x.npy --output-dir knob > log 2>&1 && cmp -s knob/y.npy q8a/y.npy
ok $? "the same as a knob"
"$EDGEC" compile f32.edge -o knob.plan --knob activations=q8 > log 2>&1 && cmp -s knob.plan f32.plan
ok $? "which changes nothing without weights in few bits"
"$EDGE_BUILDDIR/tests/compare_npy" q4/y.npy f32/y.npy 2e-1 > /dev/null
ok $? "q4: much the same result"
for f in q8 q8a q4; do
	"$EDGEC" compile "$f.edge" -o small.plan --budget "$(number "$f.json" smallest_budget_bytes)" --json > small.json &&
		"$EDGERT" run small.plan --input x=x.npy --output-dir small > log 2>&1 && cmp "$f/y.npy" small/y.npy
	ok $? "$f: the same bytes in the smallest budget"
	[ "$(number small.json streamed_bytes)" -gt 0 ]
	ok $? "$f: and weights were streamed"
done
refused "no weight is called" 'quantize m { weights q4 for "nothing"; }'
refused "needs calibration inputs" 'quantize m { weights q4 method gptq; }'
refused "no product with weights in few bits" 'quantize m { activations q8; }'
refused "32, 64 or 128" 'quantize m { weights q8 group 16; }'
refused "numbers a sample" 'quantize m { weights q8 method weighted calibrate "samples.npy"; }'
ramp wide.npy "1, 4100" 4100
printf 'model m { weights random seed 3; input x : f32[1, 4100]; output y = linear(x, "fc", 5); }\n%s\nplan p { run m; }\n' \
	'quantize m { weights q4 method gptq calibrate "wide.npy"; }' > wide.edge
"$EDGEC" compile wide.edge -o wide.plan 2> log && grep -q 'warning: method gptq was not possible for "fc' log && grep -q 'method weighted' log
ok $? "a method that was not possible: $(head -n 1 log)"
refused "^bad.edge:2.52-61: error: could not open .none.npy" 'quantize m { weights q8 method weighted; calibrate "none.npy"; }'
echo "1..$count"
