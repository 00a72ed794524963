#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Flows that heal has to leave as they are, though they get no answer and the rules
# are asked, or would be: the entry is what the rules say of a real packet, or
# something else than rules has a part in it.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=heal_lib.sh
. "$(dirname "$0")/heal_lib.sh"

need ip nft iptables-nft-restore ip6tables-nft-restore conntrack heal_talk.py
need_module
tmpdir

# left NS FAMILY COUNTER TIMES BEFORE TERM...: the counter gets there, the entries are as
# they were before, and no flow was found wrong.
left() {
	busywait 12000 reached "$1" "$3" "$4"
	note "$(looptrack -n "$1" stats | grep '^heal_.*[1-9]')"
	reached "$1" "$3" "$4" || fail "$3 is $(counter "$1" "$3")" || return
	counts "$1" enforce heal_seen=0 heal_evicted=0 "${@:6}" || return
	[ "$5" = "$(entries "$1" "$2" 'udp|tcp')" ] ||
		fail "was $5, is $(entries "$1" "$2" 'udp|tcp')"
}

# A rule for the source that matches the device by which packets have come.
input_device() {
	local family=$1 ip=ip

	[ "$family" = 4 ] || ip=ip6
	topology && heal "$r" enforce || return
	in_ns "$r" nft -f - <<-EOT || fail "cannot set rules" || return
		table $ip heal {
			chain postrouting {
				type nat hook postrouting priority 100
				iifname "c0" oifname "s" udp dport 5061 masquerade
			}
		}
	EOT
	started flow "$c0" heal_talk.py send udp "$(server "$family")" 5061 5061 || return
	busywait 5000 unanswered "$r" "$family" 1 || fail "no flow" || return
	left "$r" "$family" heal_asked 3 "$(entries "$r" "$family" udp)" heal_busy=0
	ended $?
}

# A flow of IPVS, whose real server is silent.
balanced() {
	local before

	command -v ipvsadm >/dev/null || skip "ipvsadm is not installed" || return
	topology && heal "$r" enforce || return
	modprobe -q ip_vs_rr && in_ns "$r" sysctl -qw net.ipv4.vs.conntrack=1 ||
		skip "the kernel has no IPVS with conntrack" || return
	rules "$r" nft 4 <<<"postrouting udp 9 masquerade" || return
	ip -n "$r" addr add 10.99.7.1/32 dev lo
	in_ns "$r" ipvsadm -A -u 10.99.7.1:5061 -s rr &&
		in_ns "$r" ipvsadm -a -u 10.99.7.1:5061 -r "$server4:5061" -m ||
		fail ipvsadm || return
	started flow "$c0" heal_talk.py send udp 10.99.7.1 5061 5061 || return
	busywait 5000 unanswered "$r" 4 1 || fail "no flow" || return
	before=$(entries "$r" 4 udp)
	[[ $before = *"$server4"* ]] || fail "not balanced: $before" || return
	left "$r" 4 heal_foreign 2 "$before"
	ended $?
}

# Connections that their client gives up between a SYN and the question about it, and
# a rule for the client's user.
given_up() {
	local family=$1 ip=ip

	[ "$family" = 4 ] || ip=ip6
	topology && heal "$c0" enforce || return
	# It is silent, and so is the router about it.
	ip -n "$r" neigh replace "$(net "$family" 9 77)" lladdr 02:00:00:00:00:77 dev s
	in_ns "$c0" nft -f - <<-EOT || fail "cannot set rules" || return
		table $ip heal {
			chain output {
				type nat hook output priority -100
				tcp dport 5061 meta skuid 0 dnat to $(net "$family" 9 77)
			}
		}
	EOT
	started flows "$c0" heal_talk.py give_up "$(server "$family")" 5061 16 || return
	busywait 12000 grep -q gone "$tmp/flows" || fail "they are not given up" || return
	left "$c0" "$family" heal_asked 1 "$(entries "$c0" "$family" tcp)" || return
	sleep 2
	counts "$c0" enforce heal_seen=0 heal_evicted=0
	ended $?
}

# Broadcasts of a subnet, to which a rule would apply now.
broadcast() {
	local before

	topology && heal "$c0" enforce || return
	rules "$c0" nft 4 <<<"output udp 9 dnat $server4" || return
	started all "$c0" heal_talk.py send udp 10.99.0.255 5061 5061 || return
	started one "$c0" heal_talk.py send udp "$server4" 5062 5062 || return
	busywait 5000 unanswered "$c0" 4 2 || fail "the flows do not begin" || return
	before=$(entries "$c0" 4 udp)
	rules "$c0" nft 4 <<<"output udp 5061 dnat $server4" || return
	left "$c0" 4 heal_asked 5 "$before"
	ended $?
}

# A bridge that hands packets to IP's rules: what it forwards is left alone, what it
# takes for its own host to route is not.
bridged() {
	local family=$1 dev kept peer

	modprobe -q br_netfilter || skip "the kernel has no br_netfilter" || return
	topology && heal "$r" enforce || return
	for dev in c0 c1; do
		ip -n "$r" addr flush dev "$dev"
	done
	{
		echo "link add br0 type bridge"
		addresses br0 10.99.0.1/24 fd99:0::1/64
		echo "link set c0 master br0"
		echo "link set c1 master br0"
	} | ip -n "$r" -batch - || skip "the kernel has no bridges" || return
	[ "$family" = 4 ] && peer=10.99.0.3 || peer=fd99:0::3
	addresses eth 10.99.0.3/24 fd99:0::3/64 | ip -n "$c1" -batch - || return
	in_ns "$r" sysctl -qw net.bridge.bridge-nf-call-iptables=1 \
		net.bridge.bridge-nf-call-ip6tables=1 || return
	rules "$r" nft "$family" <<<"postrouting udp 5061 masquerade" || return
	started bridged "$c0" heal_talk.py send udp "$peer" 5061 5061 || return
	started routed "$c0" heal_talk.py send udp "$(server "$family")" 5062 5062 || return
	busywait 5000 unanswered "$r" "$family" 2 || fail "the flows do not begin" || return
	kept=$(entries "$r" "$family" udp | grep " $peer\$")
	rules "$r" nft "$family" <<-EOT || return
		prerouting udp 5061 dnat $(net "$family" 9 77)
		prerouting udp 5062 dnat $(net "$family" 9 77)
	EOT
	busywait 12000 reached "$r" heal_foreign 2 &&
		busywait 12000 reached "$r" heal_evicted 1 ||
		fail "$(looptrack -n "$r" stats)" || return
	counts "$r" enforce heal_seen=1 heal_evicted=1 || return
	[ "$kept" = "$(entries "$r" "$family" udp | grep " $peer\$")" ] ||
		fail "the bridged flow has changed: $kept" || return
	ip -n "$r" link del br0
	ended $?
}

for v in 4 6; do
	either "a rule for the input device, IPv$v" input_device $v
	either "a client that gives up, a rule for its user, IPv$v" given_up $v
	either "a bridge with netfilter, IPv$v" bridged $v
done
subtest "IPVS" balanced
subtest "broadcasts of a subnet" broadcast
run_subtests
