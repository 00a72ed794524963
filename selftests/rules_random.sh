#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Random rule sets, of nft, iptables-nft and iptables-legacy, kube-proxy's and Docker's
# among them: what the module says that the NAT rules would do with a flow is what they
# do with its first packet. Where a rule chooses at random, either is within its range.
#
# KSFT_RULESETS: how many, 1,000 without a word. KSFT_SEED: those of an earlier run;
# KSFT_RULESET: from that number on.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

: "${KSFT_RULESETS:=$((KSFT_SLOW ? 100 : 1000))}"
: "${KSFT_SEED:=$RANDOM$RANDOM}"

need ip nft iptables-nft-restore ip6tables-nft-restore rules_random.py python3
need iptables-legacy-restore ip6tables-legacy-restore
need_module
tmpdir

# gateway: the router of topology(), with c1 in a bridge as Docker has it; addresses of its own,
# one that is unreachable, a default route, routes for a mark. No neighbour is asked for
# its address, and a RST, which would end an entry, does not get as far as conntrack.
# Marks and zones of packets go by their source ports.
gateway() {
	local feature

	topology && only "$r" none off || return
	for feature in origin loopguard; do
		mode "$r" "$feature" off || return
	done
	{
		echo "addr flush dev c1"
		echo "link add docker0 type bridge"
		echo "link set c1 master docker0"
		addresses docker0 10.99.1.1/24 fd99:1::1/64
		addresses lo 203.0.113.5/32 2001:db8::5/128
		printf 'link set %s arp off\n' c0 s docker0
		echo "route add default dev s"
		echo "route add ::/0 dev s"
		echo "route add unreachable 203.0.113.66"
		echo "route add unreachable 2001:db8::66"
		echo "rule add fwmark 0x10/0x10 table 100"
		echo "route add default dev docker0 table 100"
		echo "route add ::/0 dev docker0 table 100"
	} | ip -n "$r" -batch - && ip -n "$r" -6 rule add fwmark 0x10/0x10 table 100 ||
		fail "cannot make the router" || return
	in_ns "$r" sysctl -qw net.netfilter.nf_conntrack_checksum=0 \
		net.ipv4.conf.{c0,docker0,s,lo,default}.rp_filter=0 || return
	in_ns "$r" nft -f - <<-EOT || fail "cannot set rules"
		table inet guard {
			chain sent {
				type filter hook output priority -310
				tcp flags & rst == rst drop
				th sport 33000-33999 ct zone set 5
			}
			chain arriving {
				type filter hook prerouting priority -310
				th sport 33000-33999 ct zone set 5
			}
			chain marks {
				type filter hook prerouting priority -150
				th sport 30000-30999 meta mark set 7
				th sport 31000-31999 meta mark set 0x10
				th sport 32000-32999 meta mark set 0x4000
			}
		}
	EOT
}

random() {
	gateway || return
	note "KSFT_SEED=$KSFT_SEED"
	in_ns "$r" rules_random.py "$c0" "$c1" "$s" "$KSFT_RULESETS" "$KSFT_SEED" \
		${KSFT_RULESET:+"$KSFT_RULESET"} >"$tmp/random" 2>&1
	set -- $?
	note "$(<"$tmp/random")"
	[ "$1" = 0 ] || fail "answers differ from entries, KSFT_SEED=$KSFT_SEED"
}

subtest "$KSFT_RULESETS random rule sets" random
run_subtests
