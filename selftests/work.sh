#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Work that one user can multiply for everybody: many sockets on one port, many rules
# ahead of a range of ports that is used up, many connections that end at once. What
# the module adds is bounded. Its cost is measured on a machine whose clock counts
# instructions (vm -i), and compared with the kernel's own without the module.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft conntrack ss cost hold
need_module
tmpdir

: "${KSFT_CROWD:=$((KSFT_SLOW ? 1000 : 10000))}"
: "${KSFT_RULES:=5000}"
if [ "$KSFT_SLOW" = 1 ]; then
	: "${KSFT_HELD:=2000}"
else
	: "${KSFT_HELD:=$([ -n "${KSFT_BRIEF-}" ] && echo 5000 || echo 20000)}"
fi

# What the module may cost: as many times what the same costs without it, and so many
# instructions a second when nothing happens.
limit_flow=1.3
limit_full=3
limit_idle=5000000

# module without|with
module() {
	if [ "$1" = with ]; then
		modprobe nf_looptrack
	elif [ -d /sys/module/nf_looptrack ]; then
		rmmod nf_looptrack
	fi || fail "cannot load or unload the module"
}

# entries NS
entries() {
	in_ns "$1" sysctl -n net.netfilter.nf_conntrack_count
}

# measured ARGUMENT...: the median of what cost says, in $measured.
measured() {
	command cost "$@" >"$tmp/cost" || fail "cost $*: failed" || return
	measured=$(median "$tmp/cost")
}

# at_most TIMES TEXT WITHOUT WITH
at_most() {
	local times

	times=$(awk -v without="$3" -v with="$4" 'BEGIN { printf "%.2f\n", with / without }')
	note "$2: $3 instructions without the module, $4 with it: $times times, at most $1"
	awk -v times="$times" -v limit="$1" 'BEGIN { exit !(times <= limit) }' ||
		fail "$2: $times times what it costs without the module, more than $1"
}

##############################################################################
# Many sockets on one port

# A host where what goes to port 7001 is sent to port 7000; entries stay.
crowded_host() {
	alone || return
	in_ns "$a" nft -f - <<-EOT || return
		table ip nat {
			chain output {
				type nat hook output priority -100
				udp dport 7001 dnat to :7000
			}
		}
	EOT
	in_ns "$a" sysctl -qw net.netfilter.nf_conntrack_udp_timeout=3600
}

# crowded_flow TEXT OPTION...: a new flow of one of the sockets.
crowded_flow() {
	local text=$1 state
	local -A figure

	crowded_host || return
	for state in without with; do
		in_ns "$a" conntrack -F 2>/dev/null
		module "$state" || return
		measured -n "$a" -s "$KSFT_CROWD" -b 3 -o 200 "${@:2}" flow 127.64.0.1 || return
		figure[$state]=$measured
	done
	at_most "$limit_flow" "$text" "${figure[without]}" "${figure[with]}"
}

# crowded_idle OPTION...: each socket has a flow, and none sends.
crowded_idle() {
	local state more
	local -A figure

	crowded_host || return
	for state in without with; do
		in_ns "$a" conntrack -F 2>/dev/null
		module "$state" || return
		measured -n "$a" -s "$KSFT_CROWD" -b 3 -o 3 "$@" idle || return
		figure[$state]=$measured
	done
	more=$(awk -v without="${figure[without]}" -v with="${figure[with]}" \
		'BEGIN { printf "%.0f\n", with - without }')
	note "$more instructions a second more than without the module, at most $limit_idle"
	[ "$more" -le "$limit_idle" ] || fail "the module takes $more instructions a second"
}

##############################################################################
# Many rules and no free port

# A router with so many rules ahead of the one that is used, whose ports are all taken.
full_router() {
	local i ports=100

	topology || return
	{
		echo "table ip nat {"
		echo "chain postrouting {"
		echo "type nat hook postrouting priority srcnat"
		for ((i = 0; i < KSFT_RULES; i++)); do
			echo "udp dport $((10000 + i)) masquerade"
		done
		echo "oifname s meta l4proto udp masquerade to :30000-$((30000 + ports - 1))"
		echo "}"
		echo "}"
	} | in_ns "$r" nft -f - || fail "cannot set the rules" || return
	in_ns "$r" sysctl -qw net.netfilter.nf_conntrack_udp_timeout=3600 || return
	module without || return
	measured -n "$c0" -b 1 -o "$ports" -f 1000 first "$server4" || return
	[ "$(entries "$r")" = "$ports" ] || fail "$(entries "$r") ports are taken, not $ports"
}

# full COUNT BATCHES: first packets, as many at once.
full() {
	local state
	local -A figure

	[ -n "$r" ] || full_router || return
	for state in without with; do
		module "$state" || return
		measured -n "$c0" -b "$2" -o "$1" first "$server4" || return
		figure[$state]=$measured
	done
	counts "$r" "with the module" "clash_exhausted>=$1" || return
	at_most "$limit_full" "$1 first packets at once" "${figure[without]}" "${figure[with]}"
}

##############################################################################
# Many connections that end at once

# waiting NS: TIME_WAIT sockets.
waiting() {
	in_ns "$1" ss -Htan state time-wait | wc -l
}

# steady: the number of entries does not change.
steady() {
	local before

	before=$(entries "$a")
	[ "$before" != 0 ] || return 0
	sleep 1
	[ "$before" = "$(entries "$a")" ]
}

# at_once MODE...: the process that has both ends of all connections is killed.
at_once() {
	local mode pid left dropped

	for mode; do
		alone || return
		redirect "$a" nft 4 tcp output 80:15001 && room_to_wait "$a" &&
			only "$a" linger "$mode" || return
		# The clock of a machine that counts instructions runs fast when it waits.
		in_ns "$a" sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_time_wait=86400 \
			net.netfilter.nf_conntrack_tcp_timeout_close=86400 || return
		command hold -n "$a" tcp "$KSFT_HELD" 127.0.0.1 7000 >"$tmp/hold" 2>&1 \
			< <(sleep infinity) &
		pid=$!
		background+=("$pid")
		busywait 120000 grep -q ready "$tmp/hold" ||
			fail "$mode: it cannot open them: $(<"$tmp/hold")" || return
		[ "$(entries "$a")" -ge "$KSFT_HELD" ] ||
			fail "$mode: $(entries "$a") entries, not $KSFT_HELD" || return
		kill -KILL "$pid"
		wait "$pid" 2>/dev/null
		busywait 20000 steady || fail "$mode: entries go for more than 20 s" || return
		left=$(entries "$a")
		dropped=$(counter "$a" linger_dropped)
		note "$mode: of $KSFT_HELD connections are left: $left entries," \
			"$(waiting "$a") sockets in TIME_WAIT; ${dropped:-none} counted as dropped"
		case $mode in
		off | observe)
			[ "$left" -ge "$KSFT_HELD" ] || fail "$mode: only $left entries are left"
			;;
		*)
			[ "$left" -le "${dropped:-0}" ] &&
				[ "$(waiting "$a")" -le "${dropped:-0}" ] ||
				fail "$mode: more is left than was counted as dropped"
			;;
		esac || return
	done
}

if counts_instructions; then
	subtest "a new flow from one of $KSFT_CROWD sockets on a port" \
		crowded_flow "a new flow"
	subtest "a new flow with NAT from one of $KSFT_CROWD sockets, each has its address" \
		crowded_flow "a new flow with NAT" -a -p 7001
	subtest "nothing happens, $KSFT_CROWD sockets have a flow each" crowded_idle
	subtest "nothing happens, $KSFT_CROWD sockets have a flow and an address each" \
		crowded_idle -a
	subtest "a first packet, $KSFT_RULES rules, no free port" full 1 5
	subtest "60 first packets at once, $KSFT_RULES rules, no free port" full 60 2
fi
if [ "$KSFT_SLOW" = 1 ]; then
	subtest "$KSFT_HELD connections end at once" at_once enforce
else
	subtest "$KSFT_HELD connections end at once" at_once off observe enforce
fi
run_subtests
