#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A flow that lost its port has its NAT rules run a second time. Rules that have
# changed something the first time must not let it go untranslated: those that
# clear the mark they match on, as kube-proxy's do, those that match a new
# flow's mark, and those that say no the second time. The first flow this
# happens to in a namespace is dropped, as without the module, and has marks
# noted there from then on; later ones must get through.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip conntrack nft
need_module
[ "$(nproc)" -ge 2 ] || skip_all "a race needs two CPUs"

: "${KSFT_FEW_ROUNDS:=$((KSFT_SLOW ? 60 : 300))}"
port=7000
patience=$((KSFT_SLOW ? 3000 : 700))

# kube NS FAMILY: kube-proxy's chain, and what marks the flows before.
kube() {
	local tool

	tool=$(backend_tool iptables "$2")
	in_ns "$1" "$tool" -w -t mangle -A FORWARD -j MARK --or-mark 0x4000 &&
		in_ns "$1" "$tool" -w -t nat -N KUBE-POSTROUTING &&
		in_ns "$1" "$tool" -w -t nat -A POSTROUTING -o s -j KUBE-POSTROUTING &&
		in_ns "$1" "$tool" -w -t nat -A KUBE-POSTROUTING \
			-m mark ! --mark 0x4000/0x4000 -j RETURN &&
		in_ns "$1" "$tool" -w -t nat -A KUBE-POSTROUTING -j MARK --xor-mark 0x4000 &&
		in_ns "$1" "$tool" -w -t nat -A KUBE-POSTROUTING -j MASQUERADE ||
		fail "cannot set kube-proxy's rules"
}

# flowmark NS FAMILY: a flow is masqueraded if it has no mark yet, and gets one.
flowmark() {
	# The marks are looked at afterwards.
	in_ns "$1" sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_close=300 &&
		in_ns "$1" nft -f - <<-EOT || fail "cannot set rules that match a flow's mark"
		table inet nat {
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname "s" ct mark 0 ct mark set 7 masquerade
			}
		}
	EOT
}

# once NS FAMILY: a client's address and port are masqueraded once, ever.
once() {
	local addr=ip

	[ "$2" = 4 ] || addr=ip6
	in_ns "$1" nft -f - <<-EOT || fail "cannot set rules that remember"
		table inet nat {
			set seen {
				typeof $addr saddr . tcp sport
				flags dynamic
				size 65535
			}
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname "s" $addr saddr . tcp sport @seen return
				oifname "s" add @seen { $addr saddr . tcp sport } masquerade
			}
		}
	EOT
}

# Counts what reaches the server with a client's own address.
watch_server() {
	in_ns "$s" nft -f - <<-EOT || fail "cannot watch the server"
		table inet watch {
			counter untranslated { }
			chain input {
				type filter hook prerouting priority -500
				ip saddr { 10.99.0.0/24, 10.99.1.0/24 } counter name untranslated
				ip6 saddr { fd99:0::/64, fd99:1::/64 } counter name untranslated
			}
		}
	EOT
}

untranslated() {
	in_ns "$s" nft list counter inet watch untranslated | sed -n 's/.*packets \([0-9]*\).*/\1/p'
}

# setup RULES FAMILY
setup() {
	topology || return
	"$1" "$r" "$2" || return
	widen "$r"
	watch_server || return
	address=$(server "$2")
}

play() {
	race -n "$c0" -n "$c1" -S "$s" -r "$KSFT_FEW_ROUNDS" -q "$1" \
		-g "$patience" "$address" "$port"
}

# learn: race until a flow was refused, so that marks are noted.
learn() {
	mode "$r" clash enforce || return
	play 1 || return
	note "at first: $(looptrack -j -n "$r" stats | tr -d '\n')"
	[ "$(counter "$r" clash_seen)" -gt 0 ] || xfail "no clash in $R_rounds rounds" || return
	[ "$(counter "$r" clash_refused)" -gt 0 ] ||
		fail "the rules ran again without their marks, and nobody noticed" || return
	in_ns "$r" conntrack -F 2>/dev/null
	looptrack -n "$r" reset
}

# cured RULES FAMILY: vanilla loses packets, enforce none and translates all.
cured() {
	local address

	setup "$1" "$2" || return
	mode "$r" clash off || return
	play 2 || return
	[ "$R_slow" -gt 0 ] || xfail "no clash in $R_rounds rounds with mode off" || return

	learn || return
	play 0 || return
	note "enforce: $(looptrack -j -n "$r" stats | tr -d '\n')"
	[ "$(untranslated)" = 0 ] || fail "$(untranslated) packets left untranslated" || return
	[ "$R_ok" = "$R_conns" ] && [ "$R_resent" = 0 ] ||
		fail "$R_ok of $R_conns succeeded, $R_resent SYNs were lost" || return
	[ "$R_slow" = 0 ] || fail "$R_slow of $R_conns connections were slow" || return
	[ "$(counter "$r" clash_refused)" = 0 ] || fail "the rules refused flows" || return
	[ "$(counter "$r" clash_repicked)" -gt 0 ] ||
		xfail "no clash in $R_rounds rounds with mode enforce"
}

# marks: after a second run the flow's mark is what the first one made of it.
marks() {
	local all marked

	cured flowmark 4 || return
	# At one glance: they are closed and go soon.
	read -r all marked < <(in_ns "$r" conntrack -L -p tcp --dport "$port" 2>/dev/null |
		awk '/mark=7 / { marked++ } END { print NR, marked + 0 }')
	note "$marked of $all flows have the mark"
	[ "$all" -gt 0 ] && [ "$marked" = "$all" ] || fail "$marked of $all flows have their mark"
}

# What the rules won't translate any more is dropped, as the kernel would.
refused() {
	# Not until the retransmission, which such rules leave untranslated.
	local address patience=700

	setup once "$1" || return
	mode "$r" clash enforce || return
	play 2 || return
	note "enforce: $(looptrack -j -n "$r" stats | tr -d '\n')"
	[ "$(untranslated)" = 0 ] || fail "$(untranslated) packets left untranslated" || return
	[ "$(counter "$r" clash_seen)" -gt 0 ] || xfail "no clash in $R_rounds rounds" || return
	[ "$(counter "$r" clash_refused)" = "$(counter "$r" clash_seen)" ] ||
		fail "not every clash was refused" || return
	[ "$R_slow" -gt 0 ] || fail "a refused flow got through"
}

# one CLIENT: a datagram from it, and whether it was answered, in R_ok.
one() {
	race -n "$1" -t udp -r 1 -b 5000 -g 1500 "$address" "$port"
}

# expired FAMILY: a rule with one address and port, which NAT gives without a look to each
# flow that has the port already. The holder's time is over, but it is still in the hash,
# where confirm takes it for a holder; looking for it removes it.
expired() {
	local family=$1 address mode lost source=10.99.9.1

	[ "$family" = 4 ] || source='[fd99:9::1]'
	topology || return
	address=$(server "$family")
	snat "$r" nft "$family" "$source:5000" || return
	serve udp "$family" "$port" || return
	in_ns "$r" sysctl -qw net.netfilter.nf_conntrack_udp_timeout=1 \
		net.netfilter.nf_conntrack_udp_timeout_stream=1
	for mode in off enforce; do
		mode "$r" clash "$mode" || return
		in_ns "$r" conntrack -F 2>/dev/null
		one "$c0" || return
		[ "$R_ok" = 1 ] || fail "$mode: the first flow was not answered" || return
		# To look whether it is over would remove it.
		sleep 1.5
		lost=$(insert_failed "$r")
		one "$c1" || return
		lost=$(($(insert_failed "$r") - lost))
		note "$mode: answered $R_ok, insert_failed $lost"
		if [ "$mode" = off ]; then
			[ "$R_ok $lost" = "0 1" ] || xfail "off: the holder had left" || return
		else
			[ "$R_ok $lost" = "1 0" ] ||
				fail "the packet was lost to an entry whose time is over" || return
		fi
	done
}

subtest "rules that clear the mark they match on, IPv4" cured kube 4
subtest "rules that clear the mark they match on, IPv6" cured kube 6
subtest "rules that match the flow's mark" marks
subtest "rules that say no the second time, IPv4" refused 4
subtest "rules that say no the second time, IPv6" refused 6
either "a holder whose time is over, IPv4" expired 4
either "a holder whose time is over, IPv6" expired 6
run_subtests
