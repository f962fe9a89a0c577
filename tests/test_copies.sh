#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Weights that launches carry into images: results over odd shapes and many
# budgets are those of rectangles that a queue writes, to the last bit, and so is
# the peak that was planned. Resizing is in between, since it reads images' values.
set -u
count=0

ok() { # STATUS TEXT
	count=$((count + 1))
	[ "$1" -eq 0 ] && echo "ok $count - $2" || echo "not ok $count - $2"
}

number() { # FILE KEY
	grep -o "\"$2\": *[0-9]*" "$1" | head -1 | grep -o '[0-9]*$'
}

if ! "$EDGERT" devices 2> /dev/null | grep -qi opencl; then
	echo "1..0 # SKIP no OpenCL device"
	exit 0
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# floats NAME SHAPE COUNT: numbers around zero, each a different multiple of 1/64
floats() {
	local i
	{
		printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': ($2), }"
		for ((i = 0; i < $3; i++)); do # 1 + k/64 and its negative: exponent 127, six bits of k
			printf "\\x00\\x00\\x$(printf '%02x' $((128 + (i * 37 + 11) % 64 * 2)))\\x$(printf '%02x' $((63 + i % 2 * 128)))"
		done
	} > "$1.npy"
}

network() { # FILE SETTINGS
	cat > "$1" <<- EDGE
		device d { backend opencl; kernels gpu; weights texture; $2 }
		model m { weights random seed 5; input x : f32[5,61]; input im : f32[1,3,9,6];
		  a = relu(linear(x, "a", 331)); b = relu(linear(a, "b", 333)); output o = im * 3 + 1;
		  c = relu(linear(b, "c", 329)); g = relu(conv2d(im, "g", 67, 3, pad=1)); h = resize(g, [7,9], mode="linear");
		  output y = relu(linear(c, "y", 327)); i = relu(conv2d(h, "h", 71, 3, pad=1)); output z = resize(i, scale=2); }
		plan p { on d; run m; }
	EDGE
}

floats x "5,61" 305
floats im "1,3,9,6" 162
network queue.edge "copies queue;"
network kernels.edge "copies kernels; capacity elementwise 400 GB/s; capacity reusable 400 GB/s;"

run() { # PLAN DIR
	"$EDGERT" run "$1" --input x=x.npy --input im=im.npy --repeat 2 --output-dir "$2" \
		--report report.json > log 2>&1
}

peaks() { # REPORT KEY
	grep -A3 "\"$2\"" "$1" | grep -o '[0-9]\+' | head -2 | tr '\n' ' '
}

"$EDGEC" compile queue.edge -o queue.plan --json > queue.json 2> log && run queue.plan want
ok $? "a network on images"
sed 's/^/# /' log
small=$(number queue.json smallest_budget_bytes)
full=$(number queue.json weights_bytes)
loads=0 same=0 exact=0 fits=0
for file in kernels; do
	shares="0 25"
	for share in $shares; do
		budget=$((small + (full - small) * share / 100))
		"$EDGEC" compile $file.edge -o p.plan --budget $budget > log 2>&1 && run p.plan got || {
			sed 's/^/# /' log
			fits=1
			continue
		}
		n=$("$EDGERT" dump p.plan | grep -ac '^load ')
		loads=$((loads + n))
		echo "# $file, $budget bytes: $n launches carry"
		for name in o y z; do
			cmp "want/$name.npy" "got/$name.npy" || same=1
		done
		[ "$(peaks report.json planned_peak_bytes)" = "$(peaks report.json actual_peak_bytes)" ] || exact=1
	done
done
ok $fits "every budget from the smallest on works"
ok $same "the same bytes as with the queue and everything resident"
ok $exact "planned peak is actual peak"
[ $loads -gt 8 ]
ok $? "$loads launches have carried weights"
"$EDGEC" compile kernels.edge -o p.plan --budget $((small + (full - small) * 30 / 100)) > log 2>&1
"$EDGERT" verify p.plan > log 2>&1 && "$EDGERT" dump p.plan | grep -aq '^region . carried device'
ok $? "such a plan is sound and has a stage"
n=$("$EDGERT" dump p.plan | grep -ac '^load ')
"$EDGEC" explain p.plan > log 2>&1
[ "$n" -gt 0 ] && [ "$(grep -c '  carries [0-9]' log)" -eq "$n" ] && grep -q '^  region . *carried ' log &&
	[ "$("$EDGEC" explain --json p.plan | grep -c '^{"step":[0-9]*,"read":')" -eq "$n" ]
ok $? "an explanation says which launches carry"
"$EDGEC" compile kernels.edge -o p.plan --budget $((small - 1)) > log 2>&1
[ $? -eq 1 ] && grep -q "smallest budget that works: $small bytes" log
ok $? "the smallest budget is the same"
printf 'device d { backend opencl; copies kernels; }\nplan p { on d; }\n' > bad.edge
"$EDGEC" check bad.edge > log 2>&1
[ $? -ne 0 ] && grep -q 'kernels copy into textures' log
ok $? "copies in kernels need textures"
printf 'device d { capacity reusable 1 GB/s; capacity reusable 2 GB/s; }\n' > bad.edge
"$EDGEC" check bad.edge > log 2>&1
[ $? -ne 0 ] && grep -q 'given twice' log
ok $? "a capacity is given once"
# Products that can carry nothing, and tails that can: apart they gain more than eight launches cost, unless these are dear.
tails() { # SETTINGS
	cat > tails.edge <<- EDGE
		device d { backend opencl; kernels gpu; weights texture; copies kernels; capacity reusable 1 MB/s;
		  capacity elementwise 9000 GB/s; $1 }
		model m { weights random seed 5; input x : f32[300,64]; a = relu(linear(x, "a", 64));
		  b = relu(linear(a, "b", 64)); c = relu(linear(b, "c", 64)); e = relu(linear(c, "e", 64));
		  f = relu(linear(e, "f", 64)); g = relu(linear(f, "g", 64)); output y = relu(linear(g, "y", 64)); }
		plan p { on d; run m; }
	EDGE
	"$EDGEC" compile tails.edge -o tails.plan --budget 210000 > log 2>&1
	"$EDGERT" dump tails.plan | grep -a '^note "fusion"'
}
tails "upload 5 MB/s;" | grep -q 'are launches of their own'
ok $? "elementwise tails are split off where that is predicted to be faster"
tails "upload 5 GB/s; launch 1 ms;" | grep -q 'stay fused'
ok $? "and stay where it is not"
echo "1..$count"
