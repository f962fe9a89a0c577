#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Native plans from outside: code for several instruction sets, for another
# CPU, refused with --no-native, and with pinned threads.
set -u
. "$EDGE_SRCDIR/examples/show.sh"
work=$(tap_folder native)
trap 'rm -rf "$work"' EXIT

# refused STATUS PATTERN TEXT COMMAND...: the exit status, and a pattern in what is said
refused() {
	local status=$1 pattern=$2 text=$3 got

	shift 3
	"$@" >"$work/said" 2>&1
	got=$?
	[ "$got" = "$status" ] && grep -qE -- "$pattern" "$work/said"
	tap_ok $? "$text"
	[ "$got" = "$status" ] || sed "s/^/# exit $got: /" "$work/said"
}

cat >"$work/layers.edge" <<-EOF
	include "$EDGE_SRCDIR/tests/corpus/edge/good-layers.edge";
	device every { cpu x86-64-v3, x86-64-v4, aarch64; threads 2; }
	plan rows { on every; run rows; }
	plan image { on every; run image; }
EOF
for plan in rows image; do
	tap_run "every layer compiles for three instruction sets: $plan" \
		"$EDGEC" compile "$work/layers.edge" --plan $plan -o "$work/$plan.plan"
done
tap_run "and runs here" "$EDGERT" bench "$work/image.plan" -n 1

digits=$EDGE_SRCDIR/examples/digits
cat >"$work/digits.edge" <<-EOF
	include "$digits/digits.edge";
	device phone { cpu aarch64; }
	device server { cpu x86-64-v3; }
	device driver { backend opencl; }
	plan here { run digit; }
	plan phone { on phone; run digit; }
	plan server { on server; run digit; }
	plan driver { on driver; run digit; }
EOF
for plan in here phone server driver; do
	tap_run "digits compile: $plan" "$EDGEC" compile "$work/digits.edge" --plan $plan -o "$work/$plan.plan"
done
image=image=$digits/digit-3.npy
run=(--input "$image" --output-dir "$work/out")
case $(uname -m) in
x86_64) other=phone what='aarch64, this CPU is x86-64' ;;
*) other=server what='x86-64-v3, this CPU is ' ;;
esac
refused 1 "plan holds native code for $what" "a plan for another CPU" "$EDGERT" run "$work/$other.plan" "${run[@]}"
for command in run execute; do
	refused 1 'holds machine code' "$command --no-native" "$EDGERT" $command "$work/here.plan" --no-native "${run[@]}"
done
refused 1 'holds machine code' "bench --no-native" "$EDGERT" bench "$work/here.plan" --no-native
refused 1 'holds machine code' "verify --no-native" "$EDGERT" verify "$work/here.plan" --no-native
[ ! -e "$work/out" ]
tap_ok $? "none of them wrote anything"
refused 0 'sound' "verify of a plan with code" "$EDGERT" verify "$work/here.plan"
refused 0 'sound' "verify --no-native of a plan without" "$EDGERT" verify --no-native "$work/driver.plan"
refused 2 'takes a plan and nothing else' "verify of two plans" "$EDGERT" verify "$work/here.plan" "$work/driver.plan"
tap_run "a native plan runs" "$EDGERT" run "$work/here.plan" "${run[@]}"
cp "$work/out/probability.npy" "$work/probability.npy"
tap_run "with pinned threads" "$EDGERT" run "$work/here.plan" --pin --threads 2 --repeat 3 "${run[@]}"
cmp "$work/out/probability.npy" "$work/probability.npy"
tap_ok $? "the same bytes"
printf 'device d { cpu x86-64-v9; }\n' >"$work/unknown.edge"
refused 1 'unknown instruction set "x86-64-v9"' "an unknown instruction set" "$EDGEC" check "$work/unknown.edge"
tap_done
