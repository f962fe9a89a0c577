#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# show.sh - what the examples' demos and tests share: reading .npy files and
# reports with od and awk alone, and the table of measurements.

# npy_floats FILE: the numbers of a float32 .npy file, one a line.
npy_floats() {
	local header

	header=$(od -An -tu2 -j8 -N2 "$1")
	od -An -v -w4 -tf4 -j$((10 + header)) "$1"
}

# json_number FILE KEY [SUBKEY]: a number of a JSON report, or nothing.
json_number() {
	local key=\"$2\":

	[ $# -lt 3 ] || key+="{[^}]*\"$3\":"
	tr -d ' \t\n' <"$1" | sed -n "s/.*$key\\([-+.0-9eE]*\\).*/\\1/p"
}

# picture FILE WIDTH HEIGHT: a float32 picture in 0..1 as text, two rows a line.
picture() {
	local shades=' .:-=+*#%@'

	case ${LC_ALL:-${LC_CTYPE:-${LANG:-}}} in
	*[Uu][Tt][Ff]-8 | *[Uu][Tt][Ff]8) shades=' ░▒▓█' ;;
	esac
	npy_floats "$1" | awk -v width="$2" -v height="$3" -v shades="$shades" '
	BEGIN {
		# works by character or by byte: awks differ
		n = shades ~ /░/ ? 5 : 10
		if (n == 5)
			split(" ,░,▒,▓,█", shade, ",")
		else
			for (i = 1; i <= n; i++)
				shade[i] = substr(shades, i, 1)
	}
	{ value[NR - 1] = $1 }
	END {
		for (y = 0; y < height; y += 2) {
			line = "    "
			for (x = 0; x < width; x++) {
				v = (value[y * width + x] + value[(y + 1) * width + x]) / 2
				i = 1 + int(v * n)
				line = line shade[i < 1 ? 1 : i > n ? n : i]
			}
			sub(/ +$/, "", line)
			if (line != "" && shown)
				printf "%s", blank
			if (line != "") {
				print line
				shown = 1
				blank = ""
			} else {
				blank = blank "\n"
			}
		}
	}'
}

# classes FILE: the probabilities of one row as bars, the likely ones only.
classes() {
	npy_floats "$1" | awk '
	{ p[NR - 1] = $1; if ($1 > p[best + 0]) best = NR - 1 }
	END {
		for (i = 0; i < NR; i++) {
			if (p[i] < 0.005 && i != best)
				continue
			bar = ""
			for (j = 0; j < p[i] * 40; j++)
				bar = bar "#"
			printf "    class %d  %5.1f %%  %s\n", i, 100 * p[i], bar
		}
	}'
}

# compile_plan EDGE PLAN OUT [OPTION...]: writes OUT and OUT.json unless they are up to date.
compile_plan() {
	local edge=$1 plan=$2 out=$3

	shift 3
	if [ ! -f "$out" ] || [ "$edge" -nt "$out" ] || [ "$EDGEC" -nt "$out" ] ||
		[ "$(cat "$out.options" 2>/dev/null)" != "$*" ]; then
		"$EDGEC" compile "$edge" --plan "$plan" -o "$out" --json "$@" >"$out.json"
		printf '%s\n' "$*" >"$out.options"
	fi
}

# budget_of EDGE PLAN: the size that the plan's "within" gives, in bytes.
budget_of() {
	awk -v plan="$2" '
	$1 == "plan" { inside = $2 == plan }
	inside && match($0, /within +[0-9]+ [KM]iB/) {
		split(substr($0, RSTART), word)
		print word[2] * (word[3] ~ /^K/ ? 1024 : 1048576)
		exit
	}' "$1"
}

# same_output A B
same_output() {
	if cmp -s "$1" "$2"; then
		echo "  with less memory: the same output, byte for byte"
	else
		echo "  with less memory: the output differs"
	fi
}

table_rows=()

# table_add LABEL BUDGET COMPILE.json REPORT.json
table_add() {
	table_rows+=("$1|$(json_number "$3" weights_bytes)|$2|$(json_number "$4" planned_peak_bytes device)|$(json_number "$4" actual_peak_bytes device)|$(json_number "$4" bytes_streamed)|$(json_number "$4" warm_ms)")
}

table_print() {
	printf '%s\n' "${table_rows[@]}" | awk -F'|' '
	function size(bytes) {
		if (bytes == "") return "-"
		if (bytes + 0 != bytes) return bytes
		return bytes < 1048576 ? sprintf("%.1f KiB", bytes / 1024) : sprintf("%.2f MiB", bytes / 1048576)
	}
	BEGIN {
		format = "%-30s %11s %11s %13s %12s %11s %10s\n"
		printf format, "", "weights", "budget", "planned peak", "actual peak", "streamed", "time"
	}
	{ printf format, $1, size($2), size($3), size($4), size($5), size($6), $7 == "" ? "-" : sprintf("%.2f ms", $7) }'
}

# ---- for the tests: TAP lines

tap_count=0

tap_ok() { # STATUS TEXT
	tap_count=$((tap_count + 1))
	if [ "$1" = 0 ]; then
		printf 'ok %d - %s\n' "$tap_count" "$2"
	else
		printf 'not ok %d - %s\n' "$tap_count" "$2"
	fi
}

# tap_run TEXT COMMAND...: passes when the command does; its output goes to the log.
tap_run() {
	local text=$1 status=0

	shift
	"$@" 2>&1 | sed 's/^/# /'
	status=${PIPESTATUS[0]}
	tap_ok "$status" "$text"
	return "$status"
}

tap_done() {
	printf '1..%d\n' "$tap_count"
}

# A folder of this test's own, removed at its end.
tap_folder() {
	mkdir -p "$EDGE_BUILDDIR/tests/tmp"
	mktemp -d "$EDGE_BUILDDIR/tests/tmp/$1.XXXXXX"
}
