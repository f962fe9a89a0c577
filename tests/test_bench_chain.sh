#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The benchmark of several networks in one budget, on real ones: its numbers, and that what it measures is right.
set -u
. "$EDGE_SRCDIR/examples/show.sh"
work=$(tap_folder bench_chain)
trap 'rm -rf "$work"' EXIT
models=${EDGE_DATA:-none}/models
networks=(kwt1 squeezenet1.1 ultraface_rfb320)

skip() {
	printf 'ok %d # SKIP %s\n' $((++tap_count)) "$1"
	tap_done
	exit
}
chain() {
	python3 "$EDGE_SRCDIR/tests/bench/chain.py" --edgec "$EDGEC" --edgert "$EDGERT" --rounds 1 --repeat 2 "$@"
}

command -v python3 >/dev/null || skip "no python3 here"
[ -d "$models" ] || skip "no real networks at $models"
export PYTHONDONTWRITEBYTECODE=1

files=()
for n in "${networks[@]}"; do
	files+=("$models/$n.onnx")
done
tap_run "three networks in a tenth of their weights" chain --work "$work" -o "$work/chain.md" --json "$work/chain.json" "${files[@]}"
planned=$(json_number "$work/chain.json" planned_bytes)
[ -n "$planned" ] && [ "$planned" = "$(json_number "$work/chain.json" actual_bytes)" ]
tap_ok $? "planned peak is actual peak: $planned"
[ "$planned" -le "$(json_number "$work/chain.json" budget_bytes)" ] &&
	[ "$planned" -lt $(($(json_number "$work/chain.json" resident_bytes) / 2)) ]
tap_ok $? "within the budget, and less than half of what all resident takes"
[ "$(json_number "$work/chain.json" bytes_streamed)" -gt 1000000 ]
tap_ok $? "weights are streamed"
for n in kwt1 squeezenet1_1 ultraface_rfb320; do
	grep -qE "^\\| $n \\| [0-9.]+ \\|\$" "$work/chain.md"
	tap_ok $? "$n has its time"
done

# what the plan computes, again and again in the same memory
tap_run "the plan runs on real inputs" "$EDGERT" run "$work/chain.plan" --repeat 3 --output-dir "$work/out" \
	--input "kwt1.mfcc=$models/kwt1.ref/input_0_mfcc.npy" \
	--input "squeezenet1_1.data=$models/squeezenet1.1.ref/input_0_data.npy" \
	--input "ultraface_rfb320.input=$models/ultraface_rfb320.ref/input_0_input.npy"
for output in kwt1.logits squeezenet1_1.prob ultraface_rfb320.boxes ultraface_rfb320.scores; do
	n=${output%.*}
	tap_run "$output agrees with its reference" "$EDGE_BUILDDIR/tests/compare_npy" "$work/out/$output.npy" \
		"$models/${n/1_1/1.1}.ref/output_0_${output##*.}.npy" 1e-4
done

tap_run "the same network twice, in bytes" chain --budget 3MiB --json "$work/twice.json" "${files[0]}" "${files[0]}"
grep -q kwt1_again1 "$work/twice.json" && [ "$(json_number "$work/twice.json" budget_bytes)" = $((3 << 20)) ]
tap_ok $? "has two names"
! chain --budget much "${files[0]}" >"$work/log" 2>&1 && grep -q 'no budget: much' "$work/log"
tap_ok $? "a budget that is none"
! chain "$work/none.onnx" >"$work/log" 2>&1 && grep -q 'none.onnx' "$work/log"
tap_ok $? "a network that is not there"
tap_done
