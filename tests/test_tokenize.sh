#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The tokens of texts, by vocabularies of every kind: corpus/gguf/tokens.txt lists those of llama.cpp.
set -u
. "$EDGE_SRCDIR/examples/show.sh"
corpus=$EDGE_SRCDIR/tests/corpus/gguf
work=$(tap_folder tokenize)
trap 'rm -rf "$work"' EXIT

for kind in gpt-2 llama-bpe qwen2 smollm unnamed spm spm-plain; do
	printf 'model m { import gguf "%s"; context 32; }\nplan p { generate m; }\n' "$corpus/good-$kind.gguf" >"$work/p.edge"
	tap_run "compile $kind" "$EDGEC" compile "$work/p.edge" -o "$work/$kind.plan"
	for mode in special plain; do
		wrong=0
		count=0
		option=()
		[ $mode = special ] || option=(--plain)
		while IFS='|' read -r text want; do
			printf '%b' "$text" >"$work/text"
			got=$("$EDGERT" tokenize "$work/$kind.plan" --text "$work/text" "${option[@]}")
			count=$((count + 1))
			[ "$got" = "$want" ] || {
				wrong=$((wrong + 1))
				printf '# %s: got %s, wanted %s\n' "$text" "$got" "$want"
			}
		done < <(awk -F '\t' -v k=$kind -v m=$mode '$1 == k && $2 == m { gsub(/\|/, "\\x7c", $3); print $3 "|" $4 }' "$corpus/tokens.txt")
		[ $wrong = 0 ] && [ $count -ge 20 ]
		tap_ok $? "$kind: $count texts, names of special tokens are ${mode/special/tokens}"
	done
done
"$EDGERT" tokenize "$work/spm.plan" --prompt 'hello<unk>' --json >"$work/json"
[ "$(json_number "$work/json" count)" = 5 ] && grep -q '"pieces"' "$work/json"
tap_ok $? "as JSON"
"$EDGERT" tokenize "$work/spm.plan" 2>/dev/null
[ $? = 2 ]
tap_ok $? "without a text: wrong usage"
"$EDGERT" tokenize "$work/spm.plan" --text "$work/none" 2>/dev/null
[ $? = 1 ]
tap_ok $? "of no file: it fails"
tap_done
