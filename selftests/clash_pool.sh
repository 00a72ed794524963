#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Rules with a port range of their own: a flow that lost the race picks again
# inside that range and nowhere else, all of the range can be used, and a range
# that is truly full fails as it does without the module.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip conntrack
need_module
[ "$(nproc)" -ge 2 ] || skip_all "a race needs two CPUs"
tmpdir
port=7000
# How often to try for a race.
tries=$((KSFT_SLOW ? 4 : 15))

# surge CONNS: that many connections of each client at once. Flows are listed
# while all are open; "late" adds a further one then.
surge() {
	local late=

	in_ns "$r" conntrack -F >/dev/null 2>&1
	rm -f "$tmp/list" "$tmp/late"
	[ "${2-}" != late ] ||
		late="race -n $c0 -t $proto -r 1 -b 9000 -g $((KSFT_SLOW ? 3000 : 1500)) \
			$address $port >$tmp/late;"
	# So many at once take their time. A lost packet shows as a SYN that was
	# sent again, SCTP's timer of 3 s, or a datagram without an answer.
	race -n "$c0" -n "$c1" -t "$proto" -r 1 -c "$1" -T 2999 -g $((KSFT_SLOW ? 9000 : 4000)) \
		-e "$late ip netns exec $r conntrack -L -f ipv$family -p $proto \
			>$tmp/list 2>/dev/null" \
		"$address" "$port"
}

# No flow is where it must not be.
within() {
	local all outside twice

	read -r all outside twice < <(strays "$family" "$port" "$what" <"$tmp/list")
	note "$all flows, $outside outside the rule, $twice twice"
	[ "$outside" = 0 ] && [ "$twice" = 0 ] ||
		fail "of $all flows $outside are outside the rule's range, $twice share a port"
}

all_well() {
	[ "$R_ok" = "$R_conns" ] && [ "$R_slow" = 0 ] && [ "$R_resent" = 0 ] ||
		fail "$R_ok of $R_conns succeeded, $((R_slow + R_resent)) packets lost" || return
	within
}

# The flow that finds the range full: its packet is dropped, it times out.
late_one_fails() {
	# shellcheck disable=SC2046 # one word for each
	words $(cat "$tmp/late")
	note "one more: $(cat "$tmp/late")"
	[ "$R_ok" = 0 ] && [ "$R_gaveup" = 1 ] || fail "one more flow than ports succeeded"
}

prepare() {
	has_backend "$backend" "$family" ||
		skip "$(backend_tool "$backend" "$family") is not installed" || return
	clean_topology || return
	snat "$r" "$backend" "$family" "$what" "$option" || return
	widen "$r" || return
	address=$(server "$family")
	serve "$proto" "$family" "$port"
}

# diseased MODE: shows the trouble in a mode that must not cure it.
diseased() {
	local i total=0

	mode "$r" clash "$1" || return
	for ((i = 0; i < tries && total == 0; i++)); do
		surge "$conns" || return
		within || return
		total=$((total + R_slow + R_resent))
	done
	note "$1: $total first packets lost in $i surges"
	[ "$total" -gt 0 ] || xfail "no clash in $i surges with mode $1"
}

# What a full range does without the module. A lost datagram is not sent again,
# so it may take some surges to fill the range, or more than there is time for: then
# only enforce shows it.
vanilla_full() {
	local i

	for ((i = 0; i < 4; i++)); do
		surge "$conns" late || return
		[ "$R_ok" != "$R_conns" ] || break
	done
	if [ "$R_ok" = "$R_conns" ]; then
		late_one_fails
	else
		note "off: the range could not be filled"
	fi
}

# pool BACKEND FAMILY PROTO WHAT OPTION CONNS full|roomy: CONNS connections of each
# of two clients; "full": they use all of the range.
pool() {
	local backend=$1 family=$2 proto=$3 what=$4 option=$5 conns=$6 room=$7 address i before

	prepare || return

	diseased off || return
	[ "$(counter "$r" clash_seen)" = 0 ] || fail "mode off counts clashes" || return
	[ "$room" = roomy ] || vanilla_full || return

	diseased observe || return
	[ "$(counter "$r" clash_seen)" -gt 0 ] || fail "mode observe saw no clash" || return
	[ "$(counter "$r" clash_repicked)" = 0 ] || fail "mode observe picked again" || return

	looptrack -n "$r" reset
	mode "$r" clash enforce || return
	before=$(insert_failed "$r")
	for ((i = 0; i < 3; i++)); do
		surge "$conns" || return
		all_well || return
	done
	[ "$(insert_failed "$r")" = "$before" ] ||
		fail "insert_failed grew from $before to $(insert_failed "$r")" || return
	if [ "$room" = full ]; then
		surge "$conns" late || return
		all_well && late_one_fails || return
		[ "$(counter "$r" clash_exhausted)" -gt 0 ] ||
			fail "a full range is not counted in clash_exhausted" || return
	fi
	note "enforce: $(looptrack -j -n "$r" stats)"
	[ "$(counter "$r" clash_repicked)" -gt 0 ] || xfail "no clash with mode enforce"
}

# crowd MODE: a range of 4,096 ports of which 4,000 get used; 64 more flows at
# once have to find what is left.
crowd() {
	mode "$r" clash "$1" || return
	in_ns "$r" conntrack -F >/dev/null 2>&1
	race -n "$c0" -n "$c1" -r 1 -c 2000 -b 20000 -g 60000 -e "
		race -n $c0 -n $c1 -r 1 -c 32 -b 10000 -g 9000 $address $port >$tmp/late
		ip netns exec $r conntrack -L -f ipv$family -p $proto >$tmp/list 2>/dev/null" \
		"$address" "$port" || return
	note "$1, 64 more: $(cat "$tmp/late")"
	within
}

# 4,000 SYNs at once take an emulated machine longer than it takes the first of
# them to be sent again. So it is conntrack who says whether one was lost.
#
# One of six searches for the last free ports is in vain, and one that follows is paid
# from a budget in time. A machine as slow as this one may use it up, which is counted:
# SYNs may be lost to that and to nothing else, and few of those that vanilla loses.
crowded() {
	local backend=nft family=$1 proto=tcp what=masquerade:20000-24095 option='' address before
	local bounded lost vanilla

	prepare || return
	# Room for all that arrive at once: a packet dropped by a CPU's backlog
	# looks like one lost to a clash.
	sysctl -qw net.core.netdev_max_backlog=10000
	before=$(insert_failed "$r")
	crowd off || return
	vanilla=$(($(insert_failed "$r") - before))
	[ "$vanilla" -gt 0 ] || xfail "no clash with mode off" || return

	before=$(insert_failed "$r")
	crowd enforce || return
	note "enforce: $(looptrack -j -n "$r" stats)"
	[ "$R_ok" = 4000 ] || fail "$R_ok of 4000 connections succeeded" || return
	# shellcheck disable=SC2046 # one word for each
	words $(cat "$tmp/late")
	bounded=$(counter "$r" work_bounded)
	lost=$(($(insert_failed "$r") - before))
	note "lost: $vanilla with off, $lost with enforce, work_bounded $bounded"
	[ "$R_ok" = 64 ] && [ "$R_resent" = "$lost" ] ||
		fail "$R_ok of 64 more succeeded, $R_resent SYNs were lost" || return
	[ "$lost" -le "$bounded" ] && [ $((10 * lost)) -le "$vanilla" ] ||
		fail "insert_failed grew by $lost, work_bounded by $bounded" || return
	counts "$r" enforce "clash_exhausted<=$bounded" || return
	[ "$(counter "$r" clash_repicked)" -gt 0 ] || xfail "no clash with mode enforce"
}

ports=20000-20063
either "nft masquerade to 64 ports, IPv4" pool nft 4 tcp masquerade:$ports '' 32 full
either "nft masquerade to 64 ports, IPv6" pool nft 6 tcp masquerade:$ports '' 32 full
variant "iptables-nft --to-ports, 64 ports, IPv4" pool iptables 4 tcp masquerade:$ports '' 32 full
variant "iptables-nft --to-ports, 64 ports, IPv6" pool iptables 6 tcp masquerade:$ports '' 32 full
subtest "iptables-legacy --to-ports, 64 ports, IPv4" pool legacy 4 tcp masquerade:$ports '' 32 full
variant "iptables-legacy --to-ports, 64 ports, IPv6" pool legacy 6 tcp masquerade:$ports '' 32 full
subtest "nft masquerade to 64 ports, UDP" pool nft 4 udp masquerade:$ports '' 32 full
variant "nft masquerade to 64 ports, SCTP" pool nft 4 sctp masquerade:$ports '' 32 full
variant "nft snat to an address and 64 ports, IPv4" pool nft 4 tcp 10.99.8.1:$ports '' 32 full
variant "nft snat to an address and 64 ports, IPv6" pool nft 6 tcp "[fd99:8::1]:$ports" '' 32 full
variant "iptables-nft SNAT to an address and 64 ports" \
	pool iptables 4 tcp 10.99.8.1:$ports '' 32 full
wide=20000-20095
variant "nft masquerade to ports, random" pool nft 4 tcp masquerade:$wide random 32 roomy
subtest "nft masquerade to ports, fully-random" \
	pool nft 4 tcp masquerade:$wide fully-random 32 roomy
variant "iptables-nft --to-ports --random" pool iptables 4 tcp masquerade:$wide random 32 roomy
variant "iptables-legacy --to-ports --random-fully" \
	pool legacy 4 tcp masquerade:$wide fully-random 32 roomy
subtest "nft snat to an address and ports, persistent" \
	pool nft 4 tcp 10.99.8.1:$wide persistent 32 roomy
subtest "4,000 of 4,096 ports used, IPv4" crowded 4
variant "4,000 of 4,096 ports used, IPv6" crowded 6
run_subtests
