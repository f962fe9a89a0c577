#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# An embedding whose few rows are read from the plan when the run asks for
# them: the same rows as a kernel chooses from the whole table, whatever the
# indices are, without memory for the table, and never a damaged row.
set -u
count=0

ok() { # STATUS TEXT
	count=$((count + 1))
	[ "$1" -eq 0 ] && echo "ok $count - $2" || echo "not ok $count - $2"
}

number() { # FILE KEY
	grep -o "\"$2\": *[0-9]*" "$1" | head -1 | grep -o '[0-9]*$'
}

# indices.npy: COUNT numbers of i64, first those that are given, then 7 i - 100
indices() { # COUNT NUMBER...
	local n=$1 i v byte
	shift
	printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "{'descr': '<i8', 'fortran_order': False, 'shape': ($n,), }"
	for ((i = 0; i < n; i++)); do
		v=${1:-$((7 * i - 100))}
		[ $# -gt 0 ] && shift
		for ((byte = 0; byte < 64; byte += 8)); do
			printf "\\x$(printf '%02x' $((v >> byte & 255)))"
		done
	done
}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# 4096 rows of 97 numbers: 512 are few enough, 520 are not.
for n in 512 520; do
	for backend in native opencl; do
		cat > "$n-$backend.edge" <<- EDGE
			device d { backend $backend; }
			model m { weights random seed 3; input ids : i64[$n];
			  output y = embedding(ids, "t", 4096, 97); output z = relu(y); }
			plan p { on d; run m; }
		EDGE
		"$EDGEC" compile "$n-$backend.edge" -o "$n-$backend.plan" --json > "$n-$backend.json" 2> log
		ok $? "$n rows, $backend: a plan"
		sed 's|^|# |' log
	done
	indices $n 0 -1 1 4095 4096 -4096 -4097 9223372036854775807 -9223372036854775808 0 0 5 > "ids-$n.npy"
done
"$EDGERT" dump 512-native.plan | grep -q '^step .* lookup 0' && ! "$EDGERT" dump 520-native.plan | grep -q ' lookup 0'
ok $? "few rows are looked up, many chosen by a kernel"
"$EDGEC" explain --json 512-native.plan | grep -q '^{"kind":"lookup",'
ok $? "an explanation says so"
[ "$(number 512-native.json device)" -lt 800000 ] && [ "$(number 520-native.json device)" -gt 1600000 ]
ok $? "the table takes no memory"
"$EDGERT" verify 512-native.plan > log 2>&1
ok $? "the plan is sound"

"$EDGERT" run 520-native.plan --input ids=ids-520.npy --output-dir want > log 2>&1
ok $? "the rows that a kernel chooses"
for backend in native opencl; do
	if ! "$EDGERT" run 512-$backend.plan --input ids=ids-512.npy --output-dir $backend --repeat 3 > log 2>&1; then
		if [ $backend = opencl ] && ! "$EDGERT" devices 2> /dev/null | grep -qi opencl; then
			count=$((count + 1))
			echo "ok $count # SKIP no OpenCL device"
			continue
		fi
		sed 's|^|# |' log
	fi
	for y in y z; do # the header is 128 bytes, the rows are 512 * 97 * 4
		cmp <(tail -c +129 $backend/$y.npy) <(tail -c +129 want/$y.npy | head -c 198656)
		ok $? "$backend: the same rows, bit by bit: $y"
	done
done

# 512 times row 0: one chunk of it is read in each run, and the report says so.
indices 512 $(printf '0 %.0s' {1..512}) > same.npy
"$EDGERT" run 512-native.plan --input ids=same.npy --output-dir same --repeat 3 --report same.json > log 2>&1 &&
	[ "$(number same.json bytes_streamed)" -ge $((97 * 4)) ] && [ "$(number same.json bytes_streamed)" -le 16384 ]
ok $? "what a run reads is its rows: $(number same.json bytes_streamed) bytes"

# The last byte of the table's first chunk that is not padding: any row of the chunk shows it.
at=$("$EDGERT" dump 512-native.plan | sed -n 's/^chunk 0 .*offset \([0-9]*\).*/\1/p')
cp 512-native.plan damaged.plan
printf '\xff' | dd of=damaged.plan bs=1 seek=$((${at:-0} + 97 * 4 - 1)) conv=notrunc 2> /dev/null
"$EDGERT" run damaged.plan --input ids=ids-512.npy --output-dir damaged > log 2>&1
[ $? -eq 1 ] && grep -q 'chunk 0 .*does not match its hash' log
ok $? "a damaged row is found"
sed 's|^|# |' log
"$EDGERT" verify damaged.plan > log 2>&1
[ $? -eq 1 ]
ok $? "and verify says so"
echo "1..$count"
