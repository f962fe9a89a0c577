#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The eleven large networks (FlashMem's shapes, random weights) beside ONNX
# Runtime: the largest difference is at most 1e-3 of the largest output, plans
# with a quarter and a tenth of the weights give the same bytes, planned memory
# is actual memory, and the compiler stays below 1 GiB. Then the forms of four
# of them with layers spelt out and in half precision.
#
# EDGE_PYTHON has numpy, onnx and onnxruntime; EDGE_MODELS is the script that
# writes the networks. Takes 26 GB of disk for the largest, one at a time, and
# an hour; NETWORKS names fewer.
set -u
python=${EDGE_PYTHON:-python3}
names=${NETWORKS:-resnet50 depth-anything-s vit gptneo-small whisper-medium deepvit sam2 depth-anything-l sd-unet gptneo-1.3b gptneo-2.7b}
forms=${FORMS:-resnet50 vit gptneo-small sd-unet}
count=0

ok() { # STATUS TEXT
	count=$((count + 1))
	[ "$1" -eq 0 ] && echo "ok $count - $2" || echo "not ok $count - $2"
}

number() { # FILE KEY: the first number after "KEY":
	grep -o "\"$2\": *{*[^,}]*" "$1" | head -1 | grep -o '[0-9.e+-]*$'
}

peaks() { # FILE KEY: "DEVICE HOST" of an object with both
	grep -o "\"$2\": *{[^}]*}" "$1" | head -1 | grep -o '[0-9][0-9]*' | tr '\n' ' '
}

if ! "$python" -c 'import numpy, onnx, onnxruntime' 2> /dev/null || [ ! -f "${EDGE_MODELS:-}" ]; then
	echo "ok 1 # SKIP needs EDGE_PYTHON, a Python with numpy, onnx and onnxruntime, and EDGE_MODELS, the script that writes the networks"
	echo "1..1"
	exit 0
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

cat > reference.py << 'PYTHON'
import glob, os, sys
import numpy, onnxruntime

options = onnxruntime.SessionOptions()
options.add_session_config_entry("session.disable_prepacking", "1")  # half the memory
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
inputs = {os.path.basename(f)[:-4]: numpy.load(f) for f in glob.glob(sys.argv[2] + "/*.npy")}
os.makedirs("reference", exist_ok=True)
for output, value in zip(session.get_outputs(), session.run(None, inputs)):
    numpy.save(f"reference/{output.name}.npy", value)
PYTHON
cat > compare.py << 'PYTHON'
import glob, os, sys
import numpy

worst = 0.0
for f in glob.glob("reference/*.npy"):
    want, got = numpy.load(f), numpy.load(os.path.join(sys.argv[1], os.path.basename(f)))
    assert want.dtype == got.dtype and want.shape == got.shape, f
    want, got = want.astype("f8"), got.astype("f8")
    worst = max(worst, numpy.abs(want - got).max() / max(numpy.abs(want).max(), 1e-30))
print(f"{worst:.2e}")
sys.exit(not worst <= float(sys.argv[2]))
PYTHON

run() { # PLAN DIR
	local args=() f name
	for f in nets/*.inputs/*.npy; do
		name=${f##*/}
		args+=(--input "${name%.npy}=$f")
	done
	"$EDGERT" run "$1" "${args[@]}" --output-dir "$2" --report "$2.json" --repeat 3 > log 2>&1 || {
		sed 's/^/# /' log
		return 1
	}
}

compile() { # JSON [--budget BYTES]
	local json=$1
	shift
	rm -f net.plan
	"$EDGEC" compile net.edge -o net.plan --json "$@" > "$json" 2> log || {
		sed 's/^/# /' log
		return 1
	}
}

budgets() { # NETWORK WEIGHTS ACTIVATIONS SMALLEST
	local share budget
	for share in 4 10; do
		budget=$(($2 / share + $3))
		[ "$budget" -ge "$4" ] || budget=$4
		compile small.json --budget "$budget" && run net.plan small && cmp -s "resident.sum" <(cat small/*.npy | cksum)
		ok $? "$1: 1/$share of the weights ($((budget >> 20)) MiB): the same bytes, $(number small.json cold_ms) ms"
		[ "$(peaks small.json planned_peak_bytes)" = "$(peaks small.json actual_peak_bytes)" ]
		ok $? "$1: planned is actual"
		rm -rf small
	done
}

network() { # NAME LABEL TOLERANCE [OPTION...]
	local name=$1 label=$2 tolerance=$3 difference weights
	shift 3
	rm -rf nets resident reference
	"$python" "$EDGE_MODELS" "$name" -o nets "$@" > log 2>&1
	ok $? "$label: written"
	printf 'model m { import onnx "nets/%s.onnx"; }\nplan p { run m; }\n' "$name" > net.edge
	# without a limit, or as far as memory goes
	compile plan.json || compile plan.json --budget 4GiB
	ok $? "$label: compiled in $(number plan.json compile_ms) ms"
	[ "$(number plan.json peak_rss_bytes)" -le $((1 << 30)) ]
	ok $? "$label: with $(($(number plan.json peak_rss_bytes) >> 20)) MiB"
	weights=$(number plan.json weights_bytes)
	if [ "$weights" -gt 8000000000 ]; then
		compile plan.json --budget 1GiB
		ok $? "$label: in 1 GiB"
	fi
	run net.plan resident && cat resident/*.npy | cksum > resident.sum
	ok $? "$label: runs, $(number resident.json cold_ms) ms cold, $(number resident.json warm_ms) ms warm"
	"$python" reference.py "nets/$name.onnx" "nets/$name.inputs" > log 2>&1 &&
		difference=$("$python" compare.py resident "$tolerance")
	ok $? "$label: largest difference ${difference:-unknown} of the largest output"
	budgets "$label" "$weights" "$(number plan.json activation_peak_bytes)" "$(number plan.json smallest_budget_bytes)"
	rm -f net.plan
}

for name in $names; do
	network "$name" "$name" 1e-3
done
for name in $forms; do
	network "$name" "$name, spelt out" 1e-3 --decompose
	network "$name" "$name, f16" 3e-2 --dtype fp16
done
echo "1..$count"
