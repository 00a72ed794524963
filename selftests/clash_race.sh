#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two clients behind source NAT connect to one server from the same source port
# at the same instant, each on a CPU of its own. Without the module one of them
# now and then loses its first packet, and its connect() takes as long as the
# retransmission timer. Each subtest shows that with the mode off, that observe
# changes nothing but sees it, and that it is gone with enforce.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip conntrack
need_module
[ "$(nproc)" -ge 2 ] || skip_all "a race needs two CPUs"

# Rounds with enforce: of the main subtests and of the others.
: "${KSFT_ROUNDS:=$((KSFT_SLOW ? 300 : 2000))}"
: "${KSFT_FEW_ROUNDS:=$((KSFT_SLOW ? 30 : 100))}"
main=$KSFT_ROUNDS
few=$KSFT_FEW_ROUNDS
# The most rounds to wait for a clash without the module.
patience=2000
port=7000

# within WHAT: all flows of the last seconds obey the rule.
within() {
	local all outside twice

	read -r all outside twice < <(in_ns "$r" conntrack -L -f "ipv$family" -p "$proto" \
		2>/dev/null | strays "$family" "$port" "$1")
	note "enforce: of the last $all flows $outside outside the rule, $twice twice"
	[ "$all" -gt 0 ] && [ "$outside" = 0 ] && [ "$twice" = 0 ] ||
		fail "of $all flows $outside are outside the rule's range, $twice share a port"
}

# play ROUNDS QUIT: a race between the two players, over when QUIT connections
# were slow (0: never).
play() {
	[ "$played" = 0 ] || in_ns "$r" conntrack -F >/dev/null 2>&1
	played=1
	race -n "${players[0]}" -n "${players[1]}" -S "$s" -t "$proto" -r "$1" -q "$2" \
		${limit:+-T "$limit"} -g $((KSFT_SLOW ? 3000 : 1500)) "$address" "$port"
}

# diseased MODE: shows the trouble in a mode that must not cure it.
diseased() {
	local before

	mode "$r" clash "$1" || return
	before=$(insert_failed "$r")
	play "$patience" "$enough" || return
	note "$1: $R_slow slow of $R_conns," \
		"insert_failed grew by $(($(insert_failed "$r") - before))"
	[ "$R_wrong" = 0 ] || note "$1: $R_wrong answers went to the wrong client"
	[ "$R_slow" -gt 0 ] || xfail "no clash in $R_rounds rounds with mode $1"
}

# A machine whose processors are busy elsewhere stalls now and then. That is no
# lost packet, and is forgiven once.
stalled() {
	[ "$stalls" = 0 ] && [ "$R_resent" = 0 ] && [ "$R_ok" = "$R_conns" ] &&
		[ "$(insert_failed "$r")" = "$1" ] || return
	stalls=1
	note "$R_slow connections were slow, none of them lost a packet: once more"
}

# The three modes, one after the other.
cure() {
	local rounds=$1 before dropped played=0 stalls=0 i enough=2 limit=''

	# The main ones count what takes half a second. A lost packet costs one.
	[ "$rounds" = "$main" ] || enough=1 limit=950

	# An entry that is looked at afterwards has to be there yet.
	in_ns "$r" sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_close=300 || return
	diseased off || return
	[ "$(counter "$r" clash_seen)" = 0 ] || fail "mode off counts clashes" || return

	diseased observe || return
	[ "$(counter "$r" clash_seen)" -gt 0 ] || fail "mode observe saw no clash" || return
	[ "$(counter "$r" clash_repicked)" = 0 ] || fail "mode observe picked again" || return

	looptrack -n "$r" reset
	mode "$r" clash enforce || return
	before=$(insert_failed "$r")
	dropped=$(conntrack_stat "$r" drop)
	for ((i = 0; i < 8; i++)); do
		play "$rounds" 0 || return
		[ "$R_slow" = 0 ] || stalled "$before" ||
			fail "$R_slow of $R_conns connections were slow" || return
		[ "$R_slow" = 0 ] || continue
		[ "$R_ok" = "$R_conns" ] || fail "only $R_ok of $R_conns succeeded" || return
		[ "$R_wrong" = 0 ] || fail "$R_wrong datagrams to the wrong client" || return
		[ "$(counter "$r" clash_repicked)" -lt 2 ] || break
	done
	note "enforce: $(looptrack -j -n "$r" stats)"
	[ "$(insert_failed "$r")" = "$before" ] ||
		fail "insert_failed grew from $before to $(insert_failed "$r")" || return
	[ "$(conntrack_stat "$r" drop)" = "$dropped" ] ||
		fail "drop grew from $dropped to $(conntrack_stat "$r" drop)" || return
	within "$what" || return
	[ "$(counter "$r" clash_repicked)" -gt 0 ] ||
		xfail "no clash in $((i * rounds)) rounds with mode enforce"
}

# forwarded ROUNDS BACKEND FAMILY PROTO WHAT [OPTION]
forwarded() {
	local rounds=$1 backend=$2 family=$3 proto=$4 what=$5 address
	local -a players

	has_backend "$backend" "$family" ||
		skip "$(backend_tool "$backend" "$family") is not installed" || return
	[ "$proto" != sctp ] || has_sctp || skip "the kernel has no SCTP" || return
	clean_topology || return
	snat "$r" "${@:2:2}" "${@:5}" || return
	players=("$c0" "$c1")
	address=$(server "$family")
	[ "$rounds" = "$main" ] || widen "$r" || return
	# Likewise.
	[ "$proto" != sctp ] ||
		in_ns "$r" sysctl -qw net.netfilter.nf_conntrack_sctp_timeout_closed=300 || return
	cure "$rounds"
}

has_sctp() {
	modprobe -q sctp 2>/dev/null || [ -e /proc/net/sctp ]
}

# The router's own process races with a forwarded flow. With "forwarded" only
# that one is asked for by a rule: the local flow gets a null binding.
own() {
	local family=$1 which=$2 proto=$3 what=masquerade address
	local -a players

	clean_topology || return
	if [ "$which" = all ]; then
		snat "$r" nft "$family" masquerade || return
	else
		in_ns "$r" nft -f - <<-EOT
			table inet nat {
				chain postrouting {
					type nat hook postrouting priority srcnat
					iifname "c0" oifname "s" masquerade
				}
			}
		EOT
	fi
	# Of a connected datagram socket ports knows that it has the port.
	widen "$r" && mode "$r" ports off || return
	players=("$c0" "$r")
	address=$(server "$family")
	cure "$few"
}

subtest "nft masquerade, IPv4, TCP" forwarded "$main" nft 4 tcp masquerade
subtest "nft masquerade, IPv6, TCP" forwarded "$main" nft 6 tcp masquerade
variant "iptables-nft MASQUERADE, IPv4, TCP" forwarded "$main" iptables 4 tcp masquerade
variant "iptables-nft MASQUERADE, IPv6, TCP" forwarded "$main" iptables 6 tcp masquerade
subtest "iptables-legacy MASQUERADE, IPv4, TCP" forwarded "$few" legacy 4 tcp masquerade
variant "iptables-legacy MASQUERADE, IPv6, TCP" forwarded "$few" legacy 6 tcp masquerade
subtest "nft masquerade, IPv4, UDP" forwarded "$few" nft 4 udp masquerade
variant "nft masquerade, IPv6, UDP" forwarded "$few" nft 6 udp masquerade
subtest "nft masquerade, IPv4, SCTP" forwarded "$few" nft 4 sctp masquerade
variant "nft masquerade, IPv6, SCTP" forwarded "$few" nft 6 sctp masquerade
variant "nft masquerade persistent, IPv4" forwarded "$few" nft 4 tcp masquerade persistent
subtest "nft snat to an address, IPv4" forwarded "$few" nft 4 tcp 10.99.8.1
variant "nft snat to an address, IPv6" forwarded "$few" nft 6 tcp fd99:8::1
variant "iptables-nft SNAT to an address, IPv4" forwarded "$few" iptables 4 tcp 10.99.8.1
variant "iptables-legacy SNAT to an address, IPv6" forwarded "$few" legacy 6 tcp fd99:8::1
subtest "nft snat to addresses, IPv4" forwarded "$few" nft 4 tcp 10.99.8.1-10.99.8.2
subtest "nft snat to addresses, persistent, IPv6" \
	forwarded "$few" nft 6 tcp fd99:8::1-fd99:8::2 persistent
variant "iptables-legacy SNAT to addresses, IPv4" \
	forwarded "$few" legacy 4 tcp 10.99.8.1-10.99.8.2
subtest "nft snat to an address and ports, IPv4" \
	forwarded "$few" nft 4 tcp 10.99.8.1:10000-30000
variant "iptables-nft SNAT to an address and ports, IPv4" \
	forwarded "$few" iptables 4 tcp 10.99.8.1:10000-30000
subtest "local and forwarded flow, one rule, IPv4" own 4 all tcp
subtest "local and forwarded flow, one rule, IPv6" own 6 all tcp
subtest "local flow without a rule and forwarded flow, IPv4" own 4 forwarded tcp
subtest "local flow without a rule and forwarded flow, IPv6" own 6 forwarded tcp
subtest "local flow without a rule and forwarded flow, IPv4, UDP" own 4 forwarded udp
variant "local flow without a rule and forwarded flow, IPv6, UDP" own 6 forwarded udp
run_subtests
