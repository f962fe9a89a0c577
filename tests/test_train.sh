#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What people see of training: files, reports, pictures, checkpoints; and what happens when it is cut off.
set -u
. "$EDGE_SRCDIR/examples/show.sh"
make_plan=$PWD/tests/make_train_plan
work=$(tap_folder train)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# says PATTERN TEXT COMMAND...: the command fails with exit 1 and a message
says() {
	local pattern=$1 text=$2 status

	shift 2
	"$@" >out 2>err
	status=$?
	grep -Eq "$pattern" err || status=wrong
	[ $status = 1 ] || sed 's/^/# /' err
	[ $status = 1 ]
	tap_ok $? "$text"
}

tap_run "a plan" "$make_plan" t.plan 240 "evaluate every 80;"
tap_run "another one" "$make_plan" other.plan 240 "evaluate every 120;"

# ---- one run that nothing disturbs
tap_run "train" "$EDGERT" train t.plan -o whole.ply --report r.json --svg r.svg --html r.html --html-views 2
[ "$(head -c 3 whole.ply)" = ply ]
tap_ok $? "a .ply is there"
missing=
for key in steps seconds ms_per_step gaussians cap peak_rss_bytes curve loss device_bytes evaluations; do
	grep -q "\"$key\"" r.json || missing+=" $key"
done
[ -z "$missing" ]
tap_ok $? "the report has its keys$missing"
[ "$(json_number r.json planned_peak_bytes device)" = "$(json_number r.json actual_peak_bytes device)" ]
tap_ok $? "the peak is the planned one: $(json_number r.json actual_peak_bytes device) bytes"
if grep -q '^#define EDGE_ASAN 1' "$EDGE_BUILDDIR/config.h"; then
	printf 'ok %d # SKIP a sanitized process takes more memory\n' $((++tap_count))
else
	beside=$(($(json_number r.json peak_rss_bytes) - $(json_number r.json planned_peak_bytes device)))
	[ "$beside" -le $((8 << 20)) ]
	tap_ok $? "the process takes $beside bytes beside the device's, pages and pictures included"
fi
[ "$(json_number r.json gaussians | head -n 1)" -le "$(json_number r.json cap)" ]
tap_ok $? "and no more Gaussians than the cap"
grep -q '</svg>' r.svg && grep -q polyline r.svg
tap_ok $? "a drawing"
[ "$(grep -o 'data:image/png;base64,' r.html | wc -l)" = 4 ] && ! grep -Eq 'src="[^d]|href=' r.html
tap_ok $? "a page with two pairs of pictures and nothing from elsewhere"
tap_run "execute does the same" "$EDGERT" execute t.plan -o again.ply --threads 1
cmp -s whole.ply again.ply
tap_ok $? "and gets the same bits on one thread"

# ---- looking at it
tap_run "eval" "$EDGERT" eval t.plan --scene whole.ply
"$EDGERT" eval t.plan --scene whole.ply --json >e.json
[ -n "$(json_number e.json psnr)" ] && [ "$(grep -c '"name"' e.json)" = 3 ]
tap_ok $? "three views were held out"
tap_run "render all" "$EDGERT" render t.plan --scene whole.ply --all --output-dir all
[ "$(find all -name 'v*.png' | wc -l)" = 10 ]
tap_ok $? "ten pictures"
tap_run "render one" "$EDGERT" render t.plan --scene whole.ply --view 3 --output-dir one
cmp -s one/v03.png all/v03.png
tap_ok $? "which is the same as before"
tap_run "render a round trip" "$EDGERT" render t.plan --scene whole.ply --orbit 3 --size 40x30 --output-dir orbit
[ "$(find orbit -name 'orbit-*.png' | wc -l)" = 3 ]
tap_ok $? "three pictures"
says 'no view 99' "a view that is not there" "$EDGERT" render t.plan --scene whole.ply --view 99 --output-dir one
says 'not a .ply' "a scene that is none" "$EDGERT" eval t.plan --scene t.plan
head -c 5000 whole.ply >short.ply
says 'cut short' "a scene that is cut short" "$EDGERT" eval t.plan --scene short.ply
tap_run "a plan with little memory" "$make_plan" small.plan 60 "" 260000
says 'budget' "a set that is larger than the budget" "$EDGERT" eval small.plan --scene whole.ply

says 'could not create' "a folder that is not there, before any step" "$EDGERT" train t.plan -o none/x.ply
! grep -q '^step' err
tap_ok $? "no step was done for nothing"

# ---- checkpoints
"$EDGERT" train t.plan -o cut.ply --checkpoint c --steps 100 >out 2>err
tap_run "go on from a checkpoint" "$EDGERT" train t.plan -o cut.ply --checkpoint c --resume
cmp -s whole.ply cut.ply
tap_ok $? "the same bits as without it"
says 'another plan' "a checkpoint of another plan" "$EDGERT" train other.plan -o x.ply --checkpoint c --resume
head -c 9000 c >d
says 'damaged' "a checkpoint that is cut short" "$EDGERT" train t.plan -o x.ply --checkpoint d --resume
says 'not a checkpoint' "something else" "$EDGERT" train t.plan -o x.ply --checkpoint whole.ply --resume
[ ! -e x.ply ]
tap_ok $? "nothing came of these"

# ---- signals, at moments that differ
rm -f c
killed=0 rounds=0
RANDOM=5
while [ $rounds -lt 200 ]; do
	rounds=$((rounds + 1))
	"$EDGERT" train t.plan -o killed.ply --checkpoint c --checkpoint-every 7 --resume >out 2>err &
	if [ $killed -lt 20 ]; then
		sleep 0.0$((RANDOM % 8 + 1))
		[ $((killed % 4)) != 3 ] || kill -TERM $! 2>/dev/null
		kill -KILL $! 2>/dev/null
	fi
	wait $! 2>/dev/null
	status=$?
	if [ $status = 0 ]; then
		if [ $killed = 20 ] || ! cmp -s whole.ply killed.ply; then
			break
		fi
		rm -f c # over before the 20th: once more from the beginning
	# 143: before anybody listened
	elif [ $status = 137 ] || [ $status = 143 ] || grep -q 'stopped by signal' err; then
		killed=$((killed + 1))
	else
		sed 's/^/# /' err
		break
	fi
done
[ "$status" = 0 ] && [ $killed = 20 ] && cmp -s whole.ply killed.ply
tap_ok $? "killed $killed times at any moment, the same bits in the end"
: >term.err
"$EDGERT" train t.plan -o term.ply --checkpoint term --checkpoint-every 1000 >out 2>term.err &
while ! grep -q '^step' term.err && kill -0 $! 2>/dev/null; do
	sleep 0.01
done
kill -TERM $! 2>/dev/null
wait $!
status=$?
if [ $status = 0 ]; then # it was over before the signal came
	tap_ok 0 "SIGTERM comes too late to do harm"
else
	[ $status = 1 ] && grep -q 'resume' term.err && [ -s term ]
	tap_ok $? "SIGTERM leaves a checkpoint"
fi

# ---- a disk without room
cp whole.ply full.ply
cp c full.c
(
	ulimit -f 20
	"$EDGERT" train t.plan -o full.ply --checkpoint full.c --checkpoint-every 100 >out 2>err
)
status=$?
[ $status = 1 ] && grep -q 'warning: could not write checkpoint' err && grep -q 'error: could not write' err
tap_ok $? "no room for checkpoint and .ply: both are said"
cmp -s full.ply whole.ply && cmp -s full.c c
tap_ok $? "and both are as they were"
rm -f c.partial c.tmp* killed.ply.tmp* # of runs that were killed
[ -z "$(find . -name '*.tmp*' -o -name '*.partial')" ]
tap_ok $? "nothing unfinished stays"
tap_done
