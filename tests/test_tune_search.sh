#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# edgec tune as a program: what it prints and writes, searches that are killed
# and gone on with, slots, trials that crash or hang, and lock files that no
# longer fit.
set -u
. "$EDGE_SRCDIR/examples/show.sh"
work=$(tap_folder tune)
trap 'rm -rf "$work"' EXIT
cp "$EDGE_SRCDIR"/examples/digits/digits.onnx "$EDGE_SRCDIR"/examples/digits/held-out.* "$work"
cd "$work" || exit 1

# one product: most of the time of a trial goes into the compiler of their kernels
cat >net.edge <<'END'
model m { weights random seed 1; input image : f32[1, 1, 28, 28]; output y = linear(image, "a", 64); }
device d { cpu x86-64-v3; }
plan p { on d; run m; }
tune m {
  formats f16, bf16;
  kernels;
  threads;
  quality divergence on "held-out.npy" within 2 %;
  minimize latency;
  search random trials 2 seed 5;
}
END
case $(uname -m) in x86_64) ;; *) sed -i 's/device d { .* }/device d { threads 1; }/' net.edge ;; esac

said() { # PATTERN FILE TEXT
	grep -q -e "$1" "$2"
	tap_ok $? "$3: $(grep -m 1 -e "$1" "$2" || head -n 1 "$2")"
}

lines() {
	[ ! -f "$1" ] || grep -c '"trial"' "$1"
}

# ---- a whole search, and what compile makes of it
"$EDGEC" tune net.edge --rounds 1 --json >found.json 2>log
tap_ok $? "a search: $(tail -n 1 log)"
for key in best baseline config metrics trials failures search seconds lock latency_ms bytes peak_bytes divergence; do
	grep -q "\"$key\"" found.json || echo "$key"
done | { ! grep .; }
tap_ok $? "the JSON has every key"
[ "$(lines net.tune.jsonl)" = 3 ]
tap_ok $? "three trials are recorded"
cp net.tune.json lock.json
tap_run "compile with the lock file" "$EDGEC" compile net.edge -o a.plan
"$EDGEC" compile net.edge -o b.plan >/dev/null 2>&1
cmp -s a.plan b.plan
tap_ok $? "the same lock file gives the same plan"
"$EDGEC" compile net.edge --no-lock --knob tile.28x64=4x16 --knob threads=1 -o c.plan >/dev/null 2>log
tap_ok $? "knobs on the command line"
"$EDGEC" compile net.edge --knob tile.28x64=9x9 -o d.plan 2>log
[ $? = 1 ] && [ ! -e d.plan ]
tap_ok $? "a tile that no kernel has is refused"
said "expects HEIGHTxWIDTH" log "and said"

# ---- lock files that do not fit
sed 's/"device": "d:[^"]*"/"device": "d: another"/' lock.json >net.tune.json
"$EDGEC" compile net.edge -o d.plan 2>log
[ $? = 1 ] && [ ! -e d.plan ]
tap_ok $? "a lock of another device is refused"
said "tuned on another device" log "with the reason"
said "no-lock" log "and how to go on"
tap_run "and --no-lock goes on" "$EDGEC" compile net.edge --no-lock -o d.plan
cp lock.json net.tune.json
sed 's/"a", 64/"a", 48/' net.edge >other.edge
"$EDGEC" compile other.edge --lock net.tune.json -o e.plan 2>log
[ $? = 1 ]
tap_ok $? "a lock of another model is refused"
said "another model" log "with the reason"
for text in '' '{' '[]' '{"edge_tune": 1}' '{"edge_tune": 2, "models": {}}' '{"edge_tune": 1, "models": {"m": {}}}' \
	'{"edge_tune": 1, "models": {"m": {"model": "x", "device": "y", "config": {"a": 1}}}}'; do
	printf '%s' "$text" >net.tune.json
	"$EDGEC" compile net.edge -o e.plan 2>log && echo "accepted $text"
	grep -q 'net.tune.json' log || echo "did not name the file: $text"
done | { ! grep .; }
tap_ok $? "broken lock files are refused"
rm -f net.tune.json

# ---- killed and gone on with
rm -f net.tune.jsonl
"$EDGEC" tune net.edge --rounds 1 --trials 50 >log 2>&1 &
pid=$!
for _ in $(seq 300); do
	[ "$(lines net.tune.jsonl)" -ge 2 ] 2>/dev/null && break
	sleep 0.2
done
kill -9 $pid
wait $pid 2>/dev/null
had=$(lines net.tune.jsonl)
[ "$had" -ge 2 ]
tap_ok $? "a search is killed after $had trials"
[ ! -e net.tune.json ]
tap_ok $? "and leaves no lock file"
printf '{"trial": 99, "status": "ok", "conf' >>net.tune.jsonl
"$EDGEC" tune net.edge --rounds 1 --trials $((had + 1)) --resume --json >found.json 2>log
tap_ok $? "it goes on"
[ "$(lines net.tune.jsonl)" = $((had + 2)) ] && ! grep -q '"trial": 99' net.tune.jsonl
tap_ok $? "the cut line is gone, $((had + 2)) trials are there"
sed 's/formats f16, bf16;/formats f16, f32;/' net.edge >other.edge
"$EDGEC" tune other.edge --record net.tune.jsonl --resume 2>log
[ $? = 1 ]
tap_ok $? "another search does not go on with it"
said "the knobs have changed" log "and says why"
"$EDGEC" tune net.edge --trials 0 --html report.html 2>log
tap_ok $? "a report of what was recorded"
[ "$(grep -c 'role="img"' report.html)" = 3 ] && ! grep -q 'http' report.html
tap_ok $? "with three charts and nothing from elsewhere"

# ---- slots
"$EDGEC" tune net.edge --rounds 1 --trials 2 --jobs 2 --runner 'echo {slot} >>slots; {cmd}' --runner 'echo {slot} >>slots; {cmd}' \
	--record slots.jsonl --lock slots.json >log 2>&1
tap_ok $? "two jobs"
[ "$(sort -u slots | tr -d '\n')" = 01 ]
tap_ok $? "in two slots"
"$EDGEC" tune net.edge --trials 0 --record empty.jsonl --html empty.html 2>log
[ $? = 1 ] && [ ! -e empty.html ]
tap_ok $? "nothing recorded is no report"
"$EDGEC" tune net.edge --jobs 3 --runner 'a {cmd}' --runner 'b {cmd}' 2>log
[ $? = 1 ]
tap_ok $? "two runners for three jobs are refused"
"$EDGEC" tune net.edge --runner 'ssh board' 2>log
[ $? = 1 ]
tap_ok $? "a runner without {cmd} is refused"

# ---- trials that fail
"$EDGEC" tune net.edge --rounds 1 --trials 1 --record flaky.jsonl --lock flaky.json \
	--runner 'if grep -q "\"trial\": 0" flaky.jsonl; then kill -SEGV $$; fi; {cmd}' >log 2>&1
status=$?
grep -q '"status": "crash"' flaky.jsonl
tap_ok $? "trials that crash are recorded ($status): $(tail -n 1 log)"
"$EDGEC" tune net.edge --rounds 1 --trials 1 --record once.jsonl --lock once.json \
	--runner 'case {plan} in *trial*) if mkdir once 2>/dev/null; then kill -SEGV $$; fi;; esac; {cmd}' >log 2>&1
tap_ok $? "a runner that crashes once, at the heuristic, is asked again: $(tail -n 2 log | tr "\n" " ")"
[ -d once ] && grep -q '"trial": 0, .*"status": "ok"' once.jsonl
tap_ok $? "and the heuristic is recorded: $(grep -o '"status": "[a-z]*"' once.jsonl | head -2 | tr '\n' ' ')"
for how in 'echo garbage' 'exit 1; {cmd}' 'echo "{\"warm_ms\": -1}"'; do
	"$EDGEC" tune net.edge --rounds 1 --trials 1 --record odd.jsonl --lock odd.json --runner "$how # {cmd}" >log 2>&1 && echo "accepted $how"
	grep -q 'could not' log || cat log
done >odd.log
[ ! -s odd.log ] && [ ! -e odd.json ]
tap_ok $? "a runner that prints something else or fails ends the search: $(head -n 3 odd.log | tr '\n' ' ')"
"$EDGEC" tune net.edge --rounds 1 --trials 1 --record hang.jsonl --lock hang.json --limit 1 --runner 'case {plan} in *trial*) sleep 60;; esac; {cmd}' \
	>log 2>&1
[ $? = 1 ]
tap_ok $? "a heuristic that hangs ends the search"
said "longer than 1 s" log "with the reason"

# ---- blocks that cannot be tuned
cases=(
	'tune m { formats f16, q8; }|quality has to be measured'
	'tune m { minimize bytes; }|nothing to tune'
	'tune m { kernels; quality accuracy on "held-out.npy" labels "none.txt"; }|could not open'
	'tune m { kernels; quality accuracy on "digits.onnx" labels "held-out.txt"; }|no .npy file'
	'tune m { formats f16, q7; quality divergence on "held-out.npy"; }|unknown format'
	'tune m { kernels; quality accuracy on "held-out.npy" labels "few.txt"; }|labels'
	'tune m { kernels; quality accuracy on "none.npy" labels "held-out.txt"; }|could not open'
	'tune m { kernels; quality perplexity on "none.txt"; }|could not open'
	'tune m { kernels; search llm; }|needs an endpoint'
	'tune m { kernels; search replay transcript "none.jsonl"; }|none.jsonl'
	'tune n { kernels; }|no model is called'
	'|has no tune block'
)
echo 3 >few.txt
for c in "${cases[@]}"; do
	head -n 3 net.edge >bad.edge
	printf '%s\n' "${c%%|*}" >>bad.edge
	"$EDGEC" tune bad.edge >log 2>&1 && echo "accepted ${c%%|*}"
	grep -q -e "${c##*|}" log || { echo "# ${c%%|*}"; cat log; }
done >bad.log
[ ! -s bad.log ]
tap_ok $? "blocks that cannot be tuned say why: $(head -n 3 bad.log | tr '\n' ' ')"

# ---- language models
cp "$EDGE_SRCDIR/examples/story/story.gguf" .
: >empty.txt
echo 'A plan is a program.' >little.txt
# of_story NAME QUALITY: a search of one trial
of_story() {
	printf 'model s { import gguf "story.gguf"; context 64; }\ndevice d { cpu x86-64-v3; }\nplan p { on d; generate s; }\n' >"$1.edge"
	printf 'tune s { formats f16, q8; quality %s; search random trials 1; }\n' "$2" >>"$1.edge"
	case $(uname -m) in x86_64) ;; *) sed -i 's/device d { .* }/device d { threads 1; }/' "$1.edge" ;; esac
	"$EDGEC" tune "$1.edge" --rounds 1 >log 2>&1
}
! of_story divergence 'divergence on "held-out.npy"'
tap_ok $? "the divergence of a language model is refused"
said 'Say quality perplexity on' log "with what to say"
! of_story empty 'perplexity on "empty.txt"'
tap_ok $? "so is a text of nothing"
said '"empty.txt" is empty' log "by its own name"
of_story little 'perplexity on "little.txt"'
tap_ok $? "a text of a line will do"
said 'warning: "little.txt" is too small to be divided' log "with a warning"
said 'trial 0/1 heuristic: time 1.000x' log "the heuristic is as fast as itself"
tap_done
