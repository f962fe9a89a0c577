#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Language models against references made in double precision: logits, text and
# perplexity of stories260K in three formats, in budgets from the smallest up.
set -u
. "$EDGE_SRCDIR/examples/show.sh"
data=${EDGE_DATA:-$EDGE_SRCDIR/../shared/data}
models=$data/models
if [ ! -e "$models/stories260K.f32.gguf" ]; then
	echo "1..0 # SKIP no models in $data; EDGE_DATA names another folder"
	exit 0
fi
work=$(tap_folder language)
trap 'rm -rf "$work"' EXIT

# story FORMAT CACHE [budget]: $work/p.plan
story() {
	printf 'model story { import gguf "%s"; context 512; cache %s; }\nplan p { generate story; }\n' \
		"$models/stories260K.$1.gguf" "$2" >"$work/p.edge"
	"$EDGEC" compile "$work/p.edge" -o "$work/p.plan" "${@:3}"
}

# close FILE.npy REFERENCE.npy: the largest difference as a part of the largest number
difference() {
	paste <(npy_floats "$1") <(npy_floats "$2") | awk '
	{ d = $1 - $2; d = d < 0 ? -d : d; a = $2 < 0 ? -$2 : $2; if (d > worst) worst = d; if (a > most) most = a }
	END { printf "%.2g\n", worst / (most + 1e-30) }'
}

less() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }'; }

head_tokens() { # the first 64 of the reference's tokens, as a file
	local header

	header=$(od -An -tu2 -j8 -N2 "$1")
	{
		printf '\x93NUMPY\x01\x00\x76\x00'
		printf '%-117s\n' "{'descr': '<i4', 'fortran_order': False, 'shape': (64,), }"
		tail -c +$((11 + header)) "$1" | head -c 256
	} >"$2"
}

head_tokens "$models/stories260K.ref/tokens.npy" "$work/tokens.npy"
for format in f32 f16 q8_0; do
	tap_run "compile $format" story $format f32
	"$EDGERT" generate "$work/p.plan" --tokens "$work/tokens.npy" --logits "$work/logits.npy"
	d=$(difference "$work/logits.npy" "$models/stories260K.ref/logits_first64.npy")
	case $format in q8_0) limit=0.03 ;; *) limit=0.001 ;; esac
	less "$d" $limit
	tap_ok $? "$format: logits differ by $d of the largest"
	"$EDGERT" perplexity "$work/p.plan" --text "$data/text/tinystories_sample.txt" --json >"$work/perplexity.json"
	p=$(json_number "$work/perplexity.json" perplexity)
	case $format in q8_0) want=3.5847 ;; *) want=3.5811 ;; esac
	less "$(awk -v p="$p" -v w=$want 'BEGIN { d = p / w - 1; print d < 0 ? -d : d }')" 0.001
	tap_ok $? "$format: perplexity $p, wanted $want"
	[ "$(json_number "$work/perplexity.json" tokens)" = 1809 ]
	tap_ok $? "$format: of 1809 tokens"
	"$EDGERT" dump "$work/p.plan" | grep -q 'op "gather .*node "token_embd"' && ! "$EDGERT" dump "$work/p.plan" | grep -q ' lookup 0'
	tap_ok $? "$format: tokens' rows come from the output matrix"
	[ $format != q8_0 ] || continue
	"$EDGERT" generate "$work/p.plan" --prompt "Once upon a time" -n 128 2>/dev/null |
		cmp - "$models/stories260K.ref/greedy.txt"
	tap_ok $? "$format: 128 tokens of text"
done

# what a run reads when its first weights are on their way is checked too: a byte of the tokenizer, by the table of sections
at=$(od -An -v -tu4 -w4 -j64 -N1536 "$work/p.plan" | awk '{ w[NR - 1] = $1 } END { for (i = 0; i < NR; i += 12) if (w[i] == 53) print w[i + 2] }')
printf '\377' | dd of="$work/p.plan" bs=1 seek=$((at + 100)) conv=notrunc 2>/dev/null
"$EDGERT" generate "$work/p.plan" --prompt "Once" -n 1 >"$work/log" 2>&1
[ $? = 1 ] && grep -q 'is damaged: section 53 is damaged' "$work/log"
tap_ok $? "a damaged tokenizer is found"

smallest=$(story f32 f16 --budget 1KiB 2>&1 | sed -n 's/.*smallest budget that works: \([0-9]*\) bytes.*/\1/p')
[ -n "$smallest" ]
tap_ok $? "the smallest budget is $smallest"
for budget in $smallest $((smallest + 300001)); do
	tap_run "compile for $budget" story f32 f16 --budget "$budget"
	"$EDGERT" generate "$work/p.plan" --prompt "Once upon a time" -n 128 --json >"$work/text.json"
	"$EDGERT" dump "$work/p.plan" | grep -q ' lookup 0'
	tap_ok $? "$budget: rows of a table of its own"
	[ "$(json_number "$work/text.json" actual_peak_bytes device)" -le "$budget" ]
	tap_ok $? "$budget: no more than that"
	"$EDGERT" generate "$work/p.plan" --prompt "Once upon a time" -n 128 2>/dev/null |
		cmp - "$models/stories260K.ref/greedy.txt"
	tap_ok $? "$budget: the same text"
done
story f32 f16 --budget $((smallest - 1)) 2>/dev/null
tap_ok $((! $?)) "a byte less is refused"
printf 'model story { import gguf "%s"; context 512; cache f32; }\nquantize story { activations q8; }\nplan p { generate story; }\n' \
	"$models/stories260K.q8_0.gguf" >"$work/p.edge"
tap_run "activations in 8 bits" "$EDGEC" compile "$work/p.edge" -o "$work/p.plan"
"$EDGERT" perplexity "$work/p.plan" --text "$data/text/tinystories_sample.txt" --json >"$work/perplexity.json"
p=$(json_number "$work/perplexity.json" perplexity)
less "$p" 3.5883
tap_ok $? "perplexity with them: $p, at most 0.1 % above 3.5847"
"$EDGERT" generate "$work/p.plan" --prompt "Once upon a time" -n 1000 --ignore-end >/dev/null 2>"$work/log" &&
	grep -q "stopped: the plan's context of 512 tokens is full" "$work/log"
tap_ok $? "text that fills the context: $(tail -n 1 "$work/log")"
tap_run "a cache in 8 bits" story f32 q8
"$EDGERT" perplexity "$work/p.plan" --text "$data/text/tinystories_sample.txt" --json >"$work/perplexity.json"
p=$(json_number "$work/perplexity.json" perplexity)
less "$p" 3.6
tap_ok $? "perplexity with it: $p"
tap_done
