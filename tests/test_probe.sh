#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Device blocks that the runtime measures: the compiler takes them, every number is
# there and above zero, plans made with one run here; what cannot be probed says why.
set -u
count=0

ok() { # STATUS TEXT
	count=$((count + 1))
	[ "$1" -eq 0 ] && echo "ok $count - $2" || echo "not ok $count - $2"
}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# has FILE SETTING...: each stands once, with a number above zero
has() {
	local file=$1 setting
	shift
	for setting; do
		[ "$(grep -c "^	$setting [0-9.]*[1-9][0-9.]*\( [A-Za-z/]*\)\?;$" "$file")" -eq 1 ] || {
			echo "# $file: no $setting above zero"
			return 1
		}
	done
}

network() { # FILE DEVICE UNITS: a device block and a network on it
	{
		cat "$1"
		echo "model m { weights random seed 3; input x : f32[4,512]; output y = relu(linear(x, \"a\", $3)); }"
		echo "plan p { on $2; run m; }"
	} > network.edge
}

"$EDGERT" probe --name bench_1 --threads 1 -o native.edge > log 2>&1
ok $? "a probe of this CPU"
has native.edge threads storage requests memory compute launch latency start seek request cached page touch
ok $? "it measures everything that schedules of native plans ask for"
! grep -q '^	requests [2-9]' native.edge || grep -q '^	reading \(threads\|uring\);$' native.edge
ok $? "several reads at a time go through what was faster: $(grep '^	reading' native.edge)"
grep -q '^device bench_1 {' native.edge && grep -q '^	threads 1;' native.edge && grep -q '^	backend native;' native.edge
ok $? "name and threads are as asked"
network native.edge bench_1 8192
"$EDGEC" compile network.edge -o network.plan > log 2>&1 && "$EDGERT" bench network.plan -n 2 > log 2>&1
ok $? "a plan for it compiles and runs"
"$EDGERT" probe network.plan > out.edge 2> log && has out.edge storage compute && grep -q '^device here {' out.edge
ok $? "a plan's disk can be probed, onto standard output"
[ "$(ls)" = "$(printf '%s\n' log native.edge network.edge network.plan out.edge)" ]
ok $? "nothing is left behind"

refused() { # STATUS WORDS TEXT: what probe says and returns with the arguments that follow
	local want=$1 words=$2 text=$3
	shift 3
	"$EDGERT" probe "$@" > out 2> log
	[ $? -eq "$want" ] && grep -q -- "$words" log
	ok $? "$text"
}
refused 2 '"9lives" cannot be a device' "a name that is no identifier" --name 9lives
refused 2 '"cuda" is no backend' "a backend that there is not" --backend cuda
refused 2 'threads' "no threads" --threads 0
refused 1 'abacus' "a device that there is not" --device abacus
refused 1 'missing.plan' "a plan that there is not" missing.plan
network native.edge bench_1 24
"$EDGEC" compile network.edge -o network.plan > log 2>&1
refused 1 '"network.plan" is too small to measure the disk' "a plan that is too small" network.plan
refused 2 'takes one plan' "two plans" network.plan network.plan
refused 1 'nowhere' "a folder that there is not" -o nowhere/x.edge

if "$EDGERT" devices 2> /dev/null | grep -q '^opencl'; then
	"$EDGERT" probe --backend opencl --name gpu -o opencl.edge > log 2>&1
	ok $? "a probe of an OpenCL device"
	has opencl.edge storage requests memory compute launch start
	ok $? "it measures what schedules of OpenCL plans ask for"
	if has opencl.edge upload 'capacity elementwise' 'capacity reusable' > log; then
		sed -i 's/^}/	kernels gpu; weights texture; copies kernels;\n}/' opencl.edge
		network opencl.edge gpu 24
		"$EDGEC" check network.edge > log 2>&1
		ok $? "capacities of its kernels are settings of the language"
	else
		count=$((count + 1))
		echo "ok $count - capacities # SKIP this device has no images, or its kernels cannot carry"
	fi
fi
echo "1..$count"
