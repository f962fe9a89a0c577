#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What the programs say. Names in a network are other people's words: none of
# its control characters may reach the terminal, from any command.
set -u
. "$EDGE_SRCDIR/examples/show.sh"
work=$(tap_folder messages)
trap 'rm -rf "$work"' EXIT

# clean NAME COMMAND...: shows a name of the network, as bytes where it would act
clean() {
	local name=$1

	shift
	"$@" >"$work/said" 2>&1
	LC_ALL=C grep -q '\\x' "$work/said" && ! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae' "$work/said"
	tap_ok $? "$name" || head -n 5 "$work/said" | cat -v | sed 's/^/# /'
}

cp "$EDGE_SRCDIR/tests/corpus/onnx/good-terminal-name.onnx" "$work/n.onnx"
printf 'model n { import onnx "n.onnx"; }\nplan p { run n; }\n' >"$work/n.edge"
tap_run "a network with hostile names compiles" "$EDGEC" compile "$work/n.edge" -o "$work/n.plan"
clean "edgec --emit graph" "$EDGEC" compile "$work/n.edge" --emit graph
clean "edgec explain" "$EDGEC" explain "$work/n.plan"
clean "edgert dump" "$EDGERT" dump "$work/n.plan"
clean "edgert run, an input missing" "$EDGERT" run "$work/n.plan" --output-dir "$work"
clean "edgert run, no such input" "$EDGERT" run "$work/n.plan" --input $'\e=x.npy' --output-dir "$work"
clean "a file that is not there" "$EDGERT" run "$work/"$'\e.plan'
clean "... for edgec" "$EDGEC" explain "$work/"$'\e.plan'
clean "a command that is not there" "$EDGERT" $'\e'
clean "... for edgec" "$EDGEC" $'\e'
clean "an option's value" "$EDGEC" compile --budget $'\e' "$work/n.edge"
printf 'model n { import onnx "n.onnx"; input missing : f32[1]; }\nplan p { run n; }\n' >"$work/n.edge"
clean "an input that the network has not" "$EDGEC" compile "$work/n.edge" -o "$work/n.plan"
tap_done
