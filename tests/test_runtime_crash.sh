#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs that are killed at any moment, and disks that are full: a file under its own name is always whole, the one
# from before or the new one.
set -u

# a file system of our own can be full: a namespace in which one may be mounted, where that is allowed
if [ -z "${EDGE_MOUNTS-}" ]; then
	for how in -m -rm; do
		unshare $how mount -t tmpfs none /mnt 2>/dev/null && EDGE_MOUNTS=yes exec unshare $how "$BASH" "$0"
	done
	EDGE_MOUNTS=no
fi
. "$EDGE_SRCDIR/examples/show.sh"
work=$(tap_folder crash)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

cat >net.edge <<'END'
model net {
  weights random seed 5;
  input x : f32[256, 512];
  output y = relu(linear(x, "a", 4096));
}

plan net { run net; }
END
# npy FILE WORD: a tensor whose floats are all the same; the header ends at byte 128
npy() {
	{
		printf '\223NUMPY\1\0\166\0'
		printf '%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (256, 512), }"
		yes "$2" | head -n 131072 | tr -d '\n'
	} >"$1"
}
npy a.npy '000?' # floats near one
npy b.npy '000>' # and near a sixth

tap_run "compile" "$EDGEC" compile net.edge -o net.plan
began=$(date +%s%N)
for n in a b; do
	tap_run "run on $n" "$EDGERT" run net.plan --input "x=$n.npy" --output-dir "ref_$n" --report "ref_$n.json"
done
run_ms=$((($(date +%s%N) - began) / 2000000))
! cmp -s ref_a/y.npy ref_b/y.npy
tap_ok $? "their outputs differ"

# whole_report FILE: all of one JSON object
whole_report() {
	[ "$(head -c 1 "$1")" = '{' ] && [ "$(tail -n 1 "$1")" = '}' ] && [ -n "$(json_number "$1" flops)" ]
}

# ---- kills
mkdir out
cp ref_a/y.npy out/y.npy
cp ref_a.json report.json
cp ref_a.json trace.json
broken=0 killed=0 ended=0 writing=0 strange=0
RANDOM=11
for i in $(seq 30); do
	n=a
	[ $((i % 2)) = 0 ] || n=b
	# until it is killed: outputs and reports are written again and again
	(
		while :; do
			"$EDGERT" run net.plan --input "x=$n.npy" --output-dir out --report report.json --trace trace.json --repeat 2 &
			echo $! >pid.new && mv pid.new pid
			wait $! || exit 0
			: >ended
		done
	) >/dev/null 2>&1 &
	loop=$!
	# at any time, and as soon as an output is being written
	sleep "$(awk -v ms="$((RANDOM % (run_ms + 10)))" 'BEGIN { print ms / 1000 }')"
	patience=$((SECONDS + 2))
	while [ $((i % 3)) != 0 ] && [ $SECONDS -lt $patience ] &&
		! compgen -G 'out/y.npy.tmp*' >/dev/null && kill -0 $loop 2>/dev/null; do
		:
	done
	signal=KILL
	[ $((i % 4)) -lt 2 ] || signal=TERM
	# the run that is on; one that has just ended is followed by another
	while kill -0 $loop 2>/dev/null; do
		{ read -r running <pid && kill -$signal "$running"; } 2>/dev/null
		sleep 0.002
	done
	wait $loop
	rm -f pid pid.new
	killed=$((killed + 1))
	[ -e ended ] && ended=$((ended + 1)) && rm ended
	cmp -s out/y.npy ref_a/y.npy || cmp -s out/y.npy ref_b/y.npy || broken=$((broken + 1))
	whole_report report.json && [ "$(tail -c 2 trace.json)" = '}' ] || broken=$((broken + 1))
	[ -z "$(ls out/y.npy.tmp* report.json.tmp* trace.json.tmp* 2>/dev/null)" ] || writing=$((writing + 1))
	for f in out/*; do
		[[ $f == out/y.npy || $f == out/y.npy.tmp?????? ]] || strange=$((strange + 1))
	done
	rm -f out/y.npy.tmp* report.json.tmp* trace.json.tmp*
done
tap_ok $((broken != 0)) "after $killed kills, $ended of them after a whole run, $writing of them while a file was written, none is broken"
tap_ok $((strange != 0)) "what a killed run leaves behind has a temporary name"

# ---- no room: the same failure from a limit of this process, and from a file system
# full TEXT COMMAND...: fails with a message; files from before stay, and nothing else
full() {
	local text=$1 status

	shift
	"$@" 2>&1 | cat >log
	status=${PIPESTATUS[0]}
	[ "$status" = 1 ] && grep -qE 'error: could not write "[^"]*": ' log
	tap_ok $? "$text: $(sed -n 's/^edgert: error: //p' log | head -n 1)"
	[ "$(cat "$place/y.npy" "$place/report.json" "$place/trace.json" | tr '\n' ' ')" = "before before before " ]
	tap_ok $? "all files from before are there"
	[ -z "$(find "$place" -name '*.tmp*')" ]
	tap_ok $? "no temporary file is left"
}

all_full() {
	full "$1, output" "${@:2}" "$EDGERT" run net.plan --input x=b.npy --output-dir "$place"
	full "$1, report" "${@:2}" "$EDGERT" run net.plan --input x=b.npy --report "$place/report.json"
	full "$1, trace" "${@:2}" "$EDGERT" run net.plan --input x=b.npy --trace "$place/trace.json"
}

# limited COMMAND...: no file of it may grow
limited() { (
	trap '' XFSZ
	ulimit -f 0
	exec "$@"
); }

# prepare FOLDER: has files from before, and becomes $place
prepare() {
	place=$1
	mkdir -p "$place"
	for f in y.npy report.json trace.json; do
		echo before >"$place/$f"
	done
}

prepare limited
all_full "no file may grow" limited
if [ "$EDGE_MOUNTS" = yes ] && mkdir disk && mount -t tmpfs -o size=64k none disk; then
	prepare disk
	head -c 1000000 /dev/zero >disk/rest 2>/dev/null
	all_full "a full disk"
	rm disk/rest
	full "a disk that becomes full" "$EDGERT" run net.plan --input x=b.npy --output-dir disk --report disk/report.json
	"$EDGERT" run net.plan --input x=b.npy --report disk/report.json >log 2>&1 && whole_report disk/report.json
	tap_ok $? "with room again, the report is written"
	umount disk
else
	printf 'ok %d # SKIP no file system can be mounted here\n' $((++tap_count))
fi
tap_done
