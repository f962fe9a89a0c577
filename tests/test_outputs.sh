#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Where outputs go. A slip in a file's name costs nobody their file: sources,
# models, devices and pipes are not replaced, and a program that is stopped
# halfway leaves nothing behind.
set -u
. "$EDGE_SRCDIR/examples/show.sh"
work=$(tap_folder outputs)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work/tmp
mkdir "$TMPDIR"
cp "$EDGE_SRCDIR"/examples/digits/digits.{edge,onnx} "$EDGE_SRCDIR/examples/digits/digit-3.npy" "$work"
cp -r "$work" "$work.kept"
trap 'rm -rf "$work" "$work.kept"' EXIT
cd "$work" || exit 1

# refuses NAME WORDS FILE COMMAND...: exit status 1, an error with these words, and FILE is what it was
refuses() {
	local name=$1 words=$2 file=$3 status=0

	shift 3
	timeout 60 "$@" >said 2>&1 </dev/null || status=$?
	[ "$status" = 1 ] && grep -qF "$words" said && { [ ! -f "../${work##*/}.kept/$file" ] || cmp -s "$file" "../${work##*/}.kept/$file"; }
	tap_ok $? "$name" || sed 's/^/# /' said
}

compile() {
	"$EDGEC" compile digits.edge --plan small "$@"
}

tap_run "a plan" compile -o small.plan
cp small.plan "$work.kept"
refuses "a source is no place for its plan" "exists and is no plan" digits.edge "$EDGEC" compile digits.edge --plan small -o digits.edge
refuses "nor is the model" "exists and is no plan" digits.onnx "$EDGEC" compile digits.edge --plan small -o digits.onnx
refuses "nor a folder" "Is a directory" digits.edge "$EDGEC" compile digits.edge --plan small -o .
refuses "nor one that is not there" "No such file" digits.edge "$EDGEC" compile digits.edge --plan small -o none/x.plan
tap_run "a plan is replaced" compile -o small.plan
: >empty.plan
tap_run "so is an empty file" compile -o empty.plan
ln -s small.plan link.plan
tap_run "and what a link leads to" compile -o link.plan
[ -L link.plan ]
tap_ok $? "the link stays"
refuses "a lock file that is named must be there" "none.json" digits.edge "$EDGEC" compile digits.edge --plan small --lock none.json -o small.plan
refuses "a plan is no place for its explanation" "it is the file to read" small.plan "$EDGEC" explain small.plan --html small.plan
refuses "nor for its report" "it is a plan" small.plan "$EDGERT" run small.plan --input image=digit-3.npy --report small.plan
refuses "nor for a trace" "it is a plan" small.plan "$EDGERT" run small.plan --input image=digit-3.npy --trace small.plan
refuses "nor is a folder" "it is a folder" small.plan "$EDGERT" run small.plan --input image=digit-3.npy --report .

mkfifo pipe
refuses "a plan does not go into a pipe" "it is a pipe" digits.edge "$EDGEC" compile digits.edge --plan small -o pipe
refuses "nor comes a model out of one" "could not open" digits.edge "$EDGEC" explain pipe
for program in "$EDGEC explain small.plan --html pipe" "$EDGERT run small.plan --input image=digit-3.npy --report pipe"; do
	timeout 60 cat pipe >received &
	# shellcheck disable=SC2086 # a command and its arguments
	timeout 60 $program >said 2>&1
	status=$?
	wait $!
	[ "$status" = 0 ] && [ -s received ] && [ -p pipe ]
	tap_ok $? "${program##*/} is written to"
done

# stopped WHEN SIGNAL: the program ended by that signal, or was done before
stopped() {
	local pid status=0

	"$EDGEC" compile digits.edge --plan small -o stopped.plan >said 2>&1 &
	pid=$!
	sleep "$1"
	kill -s "$2" "$pid" 2>/dev/null
	wait "$pid" || status=$?
	[ "$status" = 0 ] || [ "$status" = $((128 + $(kill -l "$2"))) ]
}
good=0
for when in 0 0.02 0.05 0.1 0.2 0.3; do
	stopped "$when" TERM || good=1
	stopped "$when" HUP || good=1
done 2>/dev/null
tap_ok "$good" "a signal ends the compiler as one expects"
[ -z "$(ls -A "$TMPDIR")" ] && [ -z "$(find . -name "*.tmp*")" ]
tap_ok $? "and nothing is left behind" || find . | sed 's/^/# /'
tap_done
