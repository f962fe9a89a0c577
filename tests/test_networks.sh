#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The six real networks against their references: without a limit, at the
# smallest budget that edgec names, and at 25 % and 50 % between that and
# resident, as native code and through OpenCL. Planned bytes must be actual
# bytes, and every budget must give the same output bytes. Two of them also with
# GPU kernels, weights in buffers and in textures (halves, so less exact), written by
# the queue or carried by kernels; EDGE_DEVICES="gpu texture copies" takes those for all.
set -u
models=${EDGE_DATA:-none}/models
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

if [ ! -d "$models" ]; then
	echo "ok 1 # SKIP no real networks at $models"
	echo "1..1"
	exit 0
fi
backends=native
if "$EDGERT" devices 2> /dev/null | grep -qi opencl; then
	backends="native opencl"
else
	count=1
	echo "ok 1 # SKIP no OpenCL device: native code only"
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

inputs_of() { # NETWORK K: --input options of reference pair K
	local f name
	for f in "$models/$1.ref/input_$2_"*.npy; do
		name=${f##*/input_"$2"_}
		name=${name%.npy}
		printf '%s\n' --input "${name/input_1/input.1}=$f"
	done
}

run_pair() { # NETWORK K PLAN DIR REPORT
	local args
	mapfile -t args < <(inputs_of "$1" "$2")
	"$EDGERT" run "$3" "${args[@]}" --output-dir "$4" --report "$5" > run.log 2>&1 || {
		sed 's/^/# /' run.log
		return 1
	}
}

check_budget() { # NETWORK LABEL [--budget BYTES]
	local net=$1 label=$2 k f name same=0 close=0 exact=0
	shift 2
	"$EDGEC" compile "$net.edge" -o "$net.plan" "$@" --json > "$net.json" 2> compile.log
	ok $? "$what, $label: compiles"
	sed 's/^/# /' compile.log
	for k in 0 1 2; do
		run_pair "$net" $k "$net.plan" "out_$label" "report.json" || { close=1 exact=1 same=1 && continue; }
		[ "$(peaks report.json planned_peak_bytes)" = "$(peaks report.json actual_peak_bytes)" ] || exact=1
		for f in "$models/$net.ref/output_${k}_"*.npy; do
			name=${f##*/output_"$k"_}
			"$EDGE_BUILDDIR/tests/compare_npy" "out_$label/$name" "$f" $within | sed 's/^/# /'
			[ "${PIPESTATUS[0]}" -eq 0 ] || close=1
			if [ "$label" = resident ]; then
				mkdir -p "resident_$k" && cp "out_$label/$name" "resident_$k/$name"
			else
				cmp "out_$label/$name" "resident_$k/$name" || same=1
			fi
		done
	done
	ok $close "$what, $label: within $within of the reference"
	ok $exact "$what, $label: planned peak is actual peak"
	[ "$label" = resident ] || ok $same "$what, $label: same bytes as resident"
}

one_network() { # NETWORK BACKEND
	local net=$1 small full
	what="$1 ($2)"
	within=1e-4
	case $1,$2 in
	fastestdet,texture | fastestdet,copies) within=1e-1 ;; # what halves do to it in any engine
	*,texture | *,copies) within=1e-2 ;;
	esac
	rm -rf resident_*
	check_budget "$net" resident
	small=$(number $net.json smallest_budget_bytes)
	full=$(peaks $net.json planned_peak_bytes)
	full=${full%% *}
	if [ -z "$small" ] || [ -z "$full" ]; then
		ok 1 "$what: names its smallest budget"
		return
	fi
	check_budget "$net" smallest --budget "$small"
	check_budget "$net" quarter --budget $((small + (full - small) / 4))
	check_budget "$net" half --budget $((small + (full - small) / 2))
	"$EDGEC" compile $net.edge -o no.plan --budget $((small - 1)) 2> below.log
	[ $? -eq 1 ] && [ ! -e no.plan ] && tail -1 below.log | grep -q "smallest budget that works: $small bytes"
	ok $? "$what: a byte less is refused and the smallest budget named"
	sed 's/^/# /' below.log | tail -1
	rm -rf out_* ./*.plan
}

for net in resnet20_cifar10 squeezenet1.1 kwt1 silero_vad_16k fastestdet ultraface_rfb320; do
	# EDGE_NETWORKS picks some of them
	case " ${EDGE_NETWORKS-$net} " in *" $net "*) ;; *) continue ;; esac
	more=
	case $net,$backends in resnet20_cifar10,*opencl | kwt1,*opencl) more="gpu texture" ;; esac
	for backend in ${EDGE_DEVICES:-$backends $more}; do
		case $backend in
		gpu) settings="backend opencl; kernels gpu;" ;;
		texture) settings="backend opencl; kernels gpu; weights texture;" ;;
		copies) settings="backend opencl; kernels gpu; weights texture; copies kernels;
			capacity elementwise 400 GB/s; capacity reusable 40 GB/s;" ;;
		*) settings="backend $backend;" ;;
		esac
		printf 'device d { %s }\nmodel net { import onnx "%s"; }\nplan p { on d; run net; }\n' \
			"$settings" "$models/$net.onnx" > "$net.edge"
		one_network "$net" "$backend"
	done
done
echo "1..$count"
