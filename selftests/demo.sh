#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A show for somebody new: the race for a port, first without and then with the
# module, and both side by side. "make demo" runs it in a virtual machine.
# Every figure is measured in this run. Fails if a connection is slow with the
# module, or if the race could not be provoked without it.

PATH=$(dirname "$(readlink -f "$0")")/../build/selftests:$PATH
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

rounds=400	# in one go; as many with the module as it took without
enough=3	# slow connections that make a demonstration
patience=25	# seconds after which no further go is made

give_up() {
	printf '\n%s\n' "$*"
	exit "$ksft_fail"
}

# play MODE: one go; adds up in the arrays.
declare -A count slow slowest lost
R_max_ms=''
play() {
	local out before

	before=$(insert_failed "$r")
	# Its progress, on standard error, is a line that rewrites itself.
	out=$(command race -v -n "$c0" -n "$c1" -S "$s" -r "$rounds" "$server4" 7000) ||
		give_up "The race broke off."
	# shellcheck disable=SC2086 # one word for each
	words $out
	count[$1]=$((${count[$1]-0} + R_conns))
	slow[$1]=$((${slow[$1]-0} + R_slow))
	lost[$1]=$((${lost[$1]-0} + $(insert_failed "$r") - before))
	[ "$R_max_ms" -lt "${slowest[$1]-0}" ] || slowest[$1]=$R_max_ms
	in_ns "$r" conntrack -F >/dev/null 2>&1
}

row() {
	printf '  %-40s %10s %14s\n' "$@"
}

result() {
	echo
	row '' without 'nf_looptrack'
	row 'connections' "${count[without]}" "${count[with]}"
	row 'first packet lost (insert_failed)' "${lost[without]}" "${lost[with]}"
	row 'connect() took longer than 0.5 s' "${slow[without]}" "${slow[with]}"
	row 'slowest connect()' "${slowest[without]} ms" "${slowest[with]} ms"
	row 'picked another port (clash_repicked)' - "$repicked"
}

# Three events, folded to the width of a terminal.
events() {
	echo
	echo 'Some of what "looptrack monitor" showed meanwhile, each event folded to two lines:'
	grep -m 3 "clash repicked" "$tmp/events" | sed 's/^/  /; s/ wanted /\n      wanted /'
	echo 'The first: a client wanted the port that the holder had got an instant before;'
	echo 'the module let it choose again, and its first packet went out with another port.'
}

need ip nft conntrack race looptrack
[ "$(nproc)" -ge 2 ] || give_up "A race needs two CPUs."
# Somebody may rely on it.
[ ! -d /sys/module/nf_looptrack ] ||
	give_up "nf_looptrack is in use here; \"make demo\" starts a machine of its own."

tmpdir
topology
snat "$r" nft 4 masquerade || give_up "$reason"

cat <<-EOT
	Two clients, each on a CPU of its own, connect to one server at the same instant
	from the same source port. The router between has one rule: masquerade.
	Linux $(uname -r).

	Without the module:
EOT
while
	play without
	[ "${slow[without]}" -lt "$enough" ] && [ "$SECONDS" -lt "$patience" ]
do :; done

modprobe nf_looptrack || give_up "nf_looptrack cannot be loaded."
in_back looptrack -n "$r" monitor >"$tmp/events"
echo "After modprobe nf_looptrack:"
while
	play with
	[ "${count[with]}" -lt "${count[without]}" ]
do :; done
repicked=$(counter "$r" clash_repicked)

result
[ "$repicked" = 0 ] || events
[ "${slow[with]}" = 0 ] ||
	give_up "Slow connections in spite of the module: this is a bug."
[ "${slow[without]}" != 0 ] ||
	give_up "Without the module nothing was lost, so this shows nothing. Try again."
