#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The rules of the repository (CONTRIBUTING.md): includes, headers, licences, wording, scripts.
set -u
shopt -s lastpipe # "... | none" counts in this shell
. "$EDGE_SRCDIR/examples/show.sh"
cd "$EDGE_SRCDIR" || exit 1

if [ "$(git rev-parse --show-toplevel 2>/dev/null)" != "$(pwd -P)" ]; then
	echo "1..0 # SKIP not a git repository: the list of files is not known"
	exit 0
fi
mapfile -t files < <(git ls-files --cached --others --exclude-standard | while read -r f; do
	[ ! -f "$f" ] || echo "$f"
done)

# matching PATTERN: the files whose path matches
matching() {
	printf '%s\n' "${files[@]}" | grep -E "$1"
}

# none TEXT: passes when standard input is empty; what there is goes to the log
none() {
	local found

	found=$(cat)
	[ -z "$found" ] || printf '%s\n' "$found" | sed 's/^/# /'
	[ -z "$found" ]
	tap_ok $? "$1"
}

mapfile -t sources < <(matching '^(compiler|dsl|kernels|runtime|tests|examples)/.*\.(c|h|l|y|cl|clh|def)$')
mapfile -t product < <(matching '^(compiler|dsl|kernels|runtime)/.*\.(c|h|l|y|def)$')
mapfile -t compiler < <(matching '^(compiler|dsl|kernels)/.*\.(c|h|l|y)$')
mapfile -t runtime < <(matching '^runtime/.*\.(c|h)$')
mapfile -t scripts < <(for f in "${files[@]}"; do
	head -n 1 "$f" | grep -aq '^#!/bin/\(ba\)\?sh' && echo "$f"
done)

# ---- folders and licences
printf '%s\n' "${files[@]}" | sed -n 's|/[^/]*$||p' | sort -u | while read -r d; do
	case $d in .ci | tests/*/*) continue ;; esac
	[ -f "$d/README.md" ] || echo "$d"
done | none "every folder has a README.md"

for f in "${product[@]}" $(matching '^(kernels/.*\.clh?|doc/.*\.(md|1|txt))$'); do
	name=${f##*/}
	[ "$name" = README.md ] || grep -qE "(^|[^a-z_0-9])${name%.*}\b" "${f%/*}/README.md" || echo "$f"
done | none "every source is named by its folder's README"

{ printf '%s\n' "${product[@]}" && matching '^kernels/'; } | sed -n 's|/[^/]*$||p' | sort -u | while read -r d; do
	name=$(sed -E 's,^(compiler|runtime)/|/edge$,,g' <<<"$d")
	grep -qE "(^|[^a-z_])$name([^a-z_]|$)" doc/architecture.md || echo "$d"
done | none "the architecture names every folder"

for f in "${sources[@]}" "${scripts[@]}" $(matching '(\.py|\.awk|configure\.ac|Makefile\.am|\.[17])$'); do
	head -n 5 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' || echo "$f"
done | none "every source names its licence"

# ---- what may include what
grep -nE '#[ \t]*include[ \t]*["<]edge/' "${compiler[@]}" |
	grep -vE '"edge/plan_(format|read)\.h"' | none "the compiler includes plan_format.h and plan_read.h alone"
for f in "${compiler[@]}"; do
	sed -n 's/^#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$f" | while read -r h; do
		case $h in
		config.h | edge/* | *.pb-c.h | parse.h) continue ;;
		*runtime/*) echo "$f includes $h" ;;
		esac
		[ -f "$(dirname "$f")/$h" ] || [ -f "compiler/$h" ] || [ -f "dsl/$h" ] || [ -f "kernels/$h" ] ||
			echo "$f includes $h"
	done
done | none "the compiler includes nothing else from the runtime"
for f in "${runtime[@]}"; do
	sed -n 's/^#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$f" | while read -r h; do
		[ "$h" = config.h ] || [ -f "runtime/$h" ] || [ -f "runtime/include/$h" ] ||
			{ [ -f "$(dirname "$f")/$h" ] && [[ $h != */* ]]; } || echo "$f includes $h"
	done
done | none "the runtime includes nothing from the compiler"
for header in xxhash protobuf-c/ clang-c/ cjson/ cJSON curl/ png; do
	for side in '^(compiler|dsl|kernels)/' '^runtime/'; do
		mapfile -t users < <(matching "$side" | xargs -r grep -lE "#[ \t]*include[ \t]*<$header")
		[ ${#users[@]} -le 1 ] || echo "<$header...> is included by ${users[*]}"
	done
done | none "a third-party header is included by one file of the compiler and one of the runtime"
grep -lE '#[ \t]*include[ \t]*<CL/' "${product[@]}" | grep -v '^runtime/device/' | none "OpenCL's headers stay in runtime/device"
grep -lE '#[ \t]*include[ \t]*<CL/' "${product[@]}" | xargs -rn1 dirname | sort -u | sed 1d | none "and in one folder"

# ---- every header compiles alone
empty=$(tap_folder repository)
trap 'rm -rf "$empty"' EXIT
matching '^(compiler|dsl|kernels|runtime|tests)/.*\.h$' | while read -r h; do
	case $h in
	runtime/*) include=(-Iruntime -Iruntime/include) ;;
	tests/*) include=(-Icompiler -Idsl -Ikernels -Iruntime -Iruntime/include -Itests) ;;
	*) include=(-Icompiler -Idsl -Ikernels -Iruntime/include) ;;
	esac
	printf '#include "%s"\n' "$PWD/$h" >"$empty/alone.c"
	# shellcheck disable=SC2086 # the compiler may have options
	${EDGE_CC:-cc} -std=gnu11 -D_GNU_SOURCE -fsyntax-only -I"$EDGE_BUILDDIR" -I"$EDGE_BUILDDIR/compiler" \
		-I"$EDGE_BUILDDIR/dsl" "${include[@]}" "$empty/alone.c" >"$empty/log" 2>&1 || {
		echo "$h"
		head -n 3 "$empty/log"
	}
done | none "every header compiles alone"

# ---- every source is in the release
cat ./*.am ./*/local.mk ./*/*/local.mk >"$empty/lists"
matching '^(compiler|dsl|kernels|runtime|tests|examples|doc|build-aux)/' | grep -v '/local\.mk$' | while read -r f; do
	name=${f##*/}
	case $f in
	tests/*.c) name=${name%.c} ;;
	*/README.md) # every folder has one: the name says nothing
		dir=${f%/*}
		! grep -qE "EXTRA_DIST.*%D%/$(cut -d/ -f2 <<<"$f")( |\$)" tests/local.mk || continue # a folder of the tests, whole
		grep -qsF "%D%/$name" "$dir/local.mk" || grep -qsF "%D%/${dir##*/}/$name" "${dir%/*}/local.mk" ||
			grep -qF " $f" Makefile.am || grep -qF "	$f" Makefile.am || echo "$f"
		continue
		;;
	esac
	grep -qF -- "$name" "$empty/lists" || case $f in
	tests/*/*) grep -qF "%D%/$(cut -d/ -f2 <<<"$f")" "$empty/lists" || echo "$f" ;;
	*) echo "$f" ;;
	esac
done | none "every file is in a local.mk"

# ---- wording
grep -nE '"[^"]*\b(unable|illegal|failed to|Unable|Illegal|Failed to)\b' "${product[@]}" |
	none "messages say \"could not\" or \"cannot\""
grep -nE '(diag_error|diag_warning|diag_note|failure_set|fail)\(.*[^.]\."[,)]' "${product[@]}" |
	none "messages end without a full stop"
grep -nE '\b(TO''DO|FIX''ME)\b' "${sources[@]}" "${scripts[@]}" | none "nothing is left for later without saying so"
printf '%s\n' "${files[@]}" | grep -vE '\.(npy|onnx|png|bin|safetensors)$' |
	xargs grep -nIE '(^|[^A-Za-z0-9_.$}])/(work|home|root)/' | none "no path of somebody's machine"

# ---- scripts
if command -v shellcheck >/dev/null; then
	shellcheck -x "${scripts[@]}" 2>&1 | none "shellcheck has nothing to say"
else
	tap_count=$((tap_count + 1))
	echo "ok $tap_count # SKIP shellcheck is not installed"
fi
for f in demo check .ci/run; do
	[ -x "$f" ] || echo "$f"
done | none "commands are executable"
tap_done
