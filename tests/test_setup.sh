#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What ./demo and ./check do about missing packages, with stand-ins for the system's commands.
# shellcheck disable=SC2016 # the stand-ins expand it
set -u
. "$EDGE_SRCDIR/examples/show.sh"
work=$(tap_folder setup)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"

# stand_in NAME: its body comes from standard input
stand_in() {
	{
		echo '#!/bin/bash'
		cat
	} >"$work/bin/$1"
	chmod +x "$work/bin/$1"
}

stand_in dpkg-query <<'EOS'
shift 2
for name in "$@"; do
	case $name in
	here-*) echo "installed $name" ;;
	gone-*) echo "config-files $name" ;;
	*) status=1 ;;
	esac
done
exit ${status-0}
EOS
stand_in id <<<'cat "$WORK/user"'
stand_in sudo <<<'[ -f "$WORK/sudo" ] || exit 1; shift; exec "$@"'
stand_in apt-get <<<'echo "$DEBIAN_FRONTEND $*" >>"$WORK/apt"; [ ! -f "$WORK/apt-fails" ]'

# ensure NAME...: runs it with the stand-ins; its output is in $out, its status in $status
ensure() {
	: >"$work/apt"
	out=$(WORK=$work PATH=$work/bin:$PATH bash -euo pipefail -c '. "$EDGE_SRCDIR/build-aux/setup.sh"; ensure_packages "$@"; echo went on' \
		- "$@" 2>&1)
	status=$?
}

echo 1000 >"$work/user"
ensure here-a here-b
[ $status = 0 ] && [ ! -s "$work/apt" ] && [ "$out" = "went on" ]
tap_ok $? "nothing missing: nothing is done or said"

ensure here-a new-b gone-c
[ $status = 1 ] && [ ! -s "$work/apt" ]
tap_ok $? "neither root nor sudo: ends with 1"
[ "$(grep -c apt-get <<<"$out")" = 1 ] && grep -q 'apt-get install .* new-b gone-c$' <<<"$out" && ! grep -q here-a <<<"$out"
tap_ok $? "and prints the one line that would help, with what is missing alone"

touch "$work/sudo"
ensure here-a new-b
[ $status = 0 ] && [ "$(wc -l <"$work/apt")" = 2 ] && sed -n 1p "$work/apt" | grep -q update
tap_ok $? "sudo without a password: update, then install"

rm "$work/sudo"
echo 0 >"$work/user"
ensure here-a new-b
[ $status = 0 ] && sed -n 2p "$work/apt" | grep -q '^noninteractive .*install .* new-b$'
tap_ok $? "root: installs without asking"

touch "$work/apt-fails"
ensure here-a new-b
[ $status = 1 ] && ! grep -q 'went on' <<<"$out"
tap_ok $? "an installation that fails ends it"
tap_done
