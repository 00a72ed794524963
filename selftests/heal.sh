#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Flows that are older than the rule they need, or whose rule has changed: a client
# that sends on keeps the entry alive, and gets no answer. With the mode off that does
# not end; observe reports each flow once and changes nothing; with enforce each is
# answered within seconds. Flows that are answered, one-way flows whose rules choose
# at random, and flows that something else has a part in keep their entries.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=heal_lib.sh
. "$(dirname "$0")/heal_lib.sh"

# What stands for so long under rules that are replaced each second: answered flows, and
# one-way flows.
if [ -n "${KSFT_BRIEF-}" ] || [ "$KSFT_SLOW" = 1 ]; then
	: "${KSFT_ANSWERED:=500}" "${KSFT_ONE_WAY:=100}" "${KSFT_STANDING:=10}"
else
	: "${KSFT_ANSWERED:=10000}" "${KSFT_ONE_WAY:=1000}" "${KSFT_STANDING:=60}"
fi

need ip nft iptables-nft-restore ip6tables-nft-restore conntrack heal_talk.py
need_module
tmpdir

# Through a router: the first packet came before MASQUERADE, the backend is replaced,
# the rule goes, the address that flows leave by changes.
forwarded() {
	local backend=$1 family=$2 server nobody

	clean_topology && heal "$r" off || return
	server=$(server "$family")
	nobody=$(net "$family" 9 77)
	started server "$s" heal_talk.py serve "$server" server 5060 5062 5063 7000 || return
	rules "$r" "$backend" "$family" <<-EOT || return
		prerouting udp 5061 dnat $nobody
		prerouting udp 5062 dnat $nobody
		postrouting udp 5061 masquerade
		postrouting udp 5062 masquerade
		postrouting udp 5063 snat $(net "$family" 7 1)
	EOT
	started early "$c0" heal_talk.py send udp "$server" 5060 5060 || return
	started backend "$c0" heal_talk.py send udp "$server" 5061 5061 || return
	started gone "$c0" heal_talk.py send udp "$server" 5062 5062 || return
	started source "$c0" heal_talk.py send udp "$server" 5063 5063 || return
	started echo "$c0" heal_talk.py send icmp "$server" 0 77 || return
	busywait 5000 unanswered "$r" "$family" 5 || fail "the flows do not begin" || return
	rules "$r" "$backend" "$family" <<-EOT || return
		prerouting udp 5061 dnat $server 7000
		postrouting udp 5060 masquerade
		postrouting udp 7000 masquerade
		postrouting udp 5062 masquerade
		postrouting udp 5063 snat $(net "$family" 8 1)
		postrouting icmp - masquerade
	EOT
	goes_through "$r" "$family" 'udp|icmp|icmpv6' early backend gone source echo
	ended $?
}

# A client's own host: a service that gets its first backend after the first packet,
# and one whose backend is replaced.
local_service() {
	local backend=$1 family=$2 server service

	clean_topology && heal "$c0" off && heal "$r" off || return
	server=$(server "$family")
	service=$(dst "$family" 10)
	started server "$s" heal_talk.py serve "$server" server 7000 || return
	rules "$r" "$backend" "$family" <<<"postrouting udp 7000 masquerade" || return
	rules "$c0" "$backend" "$family" <<-EOT || return
		output udp 54 dnat $(net "$family" 9 77) 7000
	EOT
	started none "$c0" heal_talk.py send udp "$service" 53 5053 || return
	started replaced "$c0" heal_talk.py send udp "$service" 54 5054 || return
	busywait 5000 unanswered "$c0" "$family" 2 || fail "the flows do not begin" || return
	rules "$c0" "$backend" "$family" <<-EOT || return
		output udp 53 dnat $server 7000
		output udp 54 dnat $server 7000
	EOT
	goes_through "$c0" "$family" udp none replaced
	ended $?
}

# A connection that nobody answers is sent elsewhere by one of its next SYNs.
syn_sent() {
	local backend=$1 family=$2 server mode

	server=$(server "$family")
	for mode in off enforce; do
		clean_topology && heal "$r" "$mode" || return
		# It is silent, and so is the router about it.
		ip -n "$r" neigh replace "$(net "$family" 9 77)" lladdr 02:00:00:00:00:77 dev s
		started server "$s" heal_talk.py serve "$server" server 7000 || return
		rules "$r" "$backend" "$family" <<-EOT || return
			prerouting tcp 5061 dnat $(net "$family" 9 77) 7000
			postrouting tcp 7000 masquerade
		EOT
		started syn "$c0" heal_talk.py send tcp "$server" 5061 5061 || return
		busywait 5000 syns "$r" "$family" || fail "no SYN was sent" || return
		rules "$r" "$backend" "$family" <<-EOT || return
			prerouting tcp 5061 dnat $server 7000
			postrouting tcp 7000 masquerade
		EOT
		if [ "$mode" = off ]; then
			! busywait 4500 answered syn || fail "off: connected" || return
			counts "$r" off heal_asked=0 || return
		else
			busywait 7500 answered syn || fail "enforce: not connected" || return
			note "enforce: $(<"$tmp/syn")"
			counts "$r" enforce heal_seen=1 heal_evicted=1 || return
		fi
		ended 0
	done
}

syns() {
	[ -n "$(entries "$1" "$2" tcp)" ]
}

# choose NS BACKEND FAMILY COUNT: so many backends, one of which is chosen at random.
choose() {
	local i share

	if [ "$2" = nft ]; then
		in_ns "$1" nft -f - <<-EOT
			table $([ "$3" = 4 ] && echo ip || echo ip6) heal {
				chain prerouting {
					type nat hook prerouting priority -100
				}
				chain postrouting {
					type nat hook postrouting priority 100
				}
			}
			flush ruleset
			table $([ "$3" = 4 ] && echo ip || echo ip6) heal {
				chain prerouting {
					type nat hook prerouting priority -100
					udp dport 9000-9001 dnat to numgen random mod $4 map {
						$(for ((i = 0; i < $4; i++)); do
							echo "$i : $(net "$3" 9 1$((i + 1))),"
						done)
					}
				}
				chain postrouting {
					type nat hook postrouting priority 100
					udp dport 9000-9001 masquerade
				}
			}
		EOT
		return
	fi
	{
		echo '*nat'
		for ((i = $4; i > 0; i--)); do
			share=
			[ "$i" = 1 ] ||
				share="-m statistic --mode random --probability 0.$((10000 / i))"
			echo "-A PREROUTING -p udp --dport 9000:9001 $share" \
				"-j DNAT --to-destination $(net "$3" 9 $((10 + i)))"
		done
		echo '-A POSTROUTING -p udp --dport 9000:9001 -j MASQUERADE'
		echo COMMIT
	} | in_ns "$1" "$([ "$3" = 4 ] && echo iptables-nft-restore || echo ip6tables-nft-restore)"
}

# One-way flows, as of syslog, over three backends at random: who has one that is left
# keeps it, though the rules are replaced each second; who has not gets another.
one_way() {
	local backend=$1 family=$2 i before kept lost

	clean_topology && heal "$r" enforce || return
	# Some may be there.
	addresses eth "$(net "$family" 9 11)" "$(net "$family" 9 12)" "$(net "$family" 9 13)" |
		ip -n "$s" -force -batch - 2>/dev/null
	for i in 11 12 13; do
		started "sink$i" "$s" heal_talk.py serve "$(net "$family" 9 "$i")" '' 9000 || return
	done
	choose "$r" "$backend" "$family" 3 || fail "cannot set rules" || return
	started crowd "$c0" heal_talk.py crowd "$(server "$family")" 9000 40 || return
	busywait 8000 unanswered "$r" "$family" 40 || fail "the flows do not begin" || return
	before=$(entries "$r" "$family" udp)
	for i in 1 2 3 4 5; do
		choose "$r" "$backend" "$family" 3 || return
		sleep 1
	done
	counts "$r" enforce 'heal_asked>=40' heal_seen=0 heal_evicted=0 || return
	[ "$before" = "$(entries "$r" "$family" udp)" ] || fail "flows have changed" || return
	note "asked $(counter "$r" heal_asked) times, busy $(counter "$r" heal_busy)"

	kept=$(grep -v "$(net "$family" 9 13)\$" <<<"$before")
	lost=$(grep -c "$(net "$family" 9 13)\$" <<<"$before")
	choose "$r" "$backend" "$family" 2 || return
	busywait 8000 reached "$r" heal_evicted "$lost" || fail "not healed: $lost" || return
	! busywait 2500 reached "$r" heal_evicted $((lost + 1)) || fail "too many" || return
	[ "$kept" = "$(grep -Fx "$kept" < <(entries "$r" "$family" udp))" ] ||
		fail "flows with a backend that is left have changed" || return
	busywait 4000 unanswered "$r" "$family" 40 || fail "flows are gone" || return
	! entries "$r" "$family" udp | grep -q "$(net "$family" 9 13)\$" ||
		fail "the old backend is still in use" || return
	note "$lost of 40 had the backend that went"
	ended 0
}

# Flows that are answered, while the rules are replaced by others.
answered_flows() {
	local family=$1 i before

	clean_topology && heal "$r" enforce || return
	rules "$r" nft "$family" <<<"postrouting udp 9000 masquerade" || return
	started server "$s" heal_talk.py serve "$(server "$family")" server 9000 || return
	started crowd "$c0" heal_talk.py crowd "$(server "$family")" 9000 40 || return
	busywait 8000 assured "$r" 40 || fail "not answered" || return
	before=$(ids "$r" "$family")
	for i in 11 12 13; do
		rules "$r" nft "$family" <<<"prerouting udp 9000 dnat $(net "$family" 9 "$i")" ||
			return
		sleep 1
	done
	counts "$r" enforce heal_asked=0 heal_seen=0 heal_evicted=0 || return
	[ "$before" = "$(ids "$r" "$family")" ] || fail "flows have changed"
	ended $?
}

# Many flows, answered and not, while the rules of three random backends are replaced each
# second without change: none is evicted.
standing() {
	local family=$1 i address before
	local all=$((KSFT_ANSWERED + KSFT_ONE_WAY))

	topology && heal "$r" enforce || return
	ulimit -n $((KSFT_ANSWERED + 1000))
	in_ns "$r" sysctl -qw net.netfilter.nf_conntrack_udp_timeout=600 \
		net.netfilter.nf_conntrack_udp_timeout_stream=600 || return
	for i in 11 12 13; do
		addresses eth "$(net "$family" 9 "$i")"
	done | ip -n "$s" -force -batch - 2>/dev/null
	for i in 11 12 13; do
		address=$(net "$family" 9 "$i")
		started "sink$i" "$s" heal_talk.py serve "$address" '' 9000 &&
			started "server$i" "$s" heal_talk.py serve "$address" server 9001 || return
	done
	choose "$r" nft "$family" 3 || fail "cannot set rules" || return
	started answered "$c0" heal_talk.py crowd "$(server "$family")" 9001 "$KSFT_ANSWERED" 5 ||
		return
	started one_way "$c1" heal_talk.py crowd "$(server "$family")" 9000 "$KSFT_ONE_WAY" ||
		return
	busywait 120000 assured "$r" "$KSFT_ANSWERED" &&
		busywait 20000 unanswered "$r" "$family" "$KSFT_ONE_WAY" ||
		fail "the flows do not begin" || return
	before=$(ids "$r" "$family")
	looptrack -n "$r" reset
	{ echo "flush ruleset" && in_ns "$r" nft list ruleset; } >"$tmp/same"
	in_ns "$r" heal_talk.py reload "$tmp/same" "$KSFT_STANDING" >"$tmp/reload" 2>&1 ||
		fail "cannot set rules: $(<"$tmp/reload")" || return
	note "rules $(<"$tmp/reload"); $(looptrack -n "$r" stats | grep '^heal_.*[1-9]')"
	counts "$r" enforce "heal_asked>=$((KSFT_ONE_WAY / 2))" heal_seen=0 heal_evicted=0 ||
		return
	[ "$(wc -l <<<"$before")" = "$all" ] || fail "$(wc -l <<<"$before") flows" || return
	[ "$before" = "$(ids "$r" "$family")" ] || fail "flows have changed"
	ended $?
}

ids() {
	in_ns "$1" conntrack -L -f "ipv$2" -o id 2>/dev/null | grep -o 'id=.*' | sort
}

assured() {
	[ "$(in_ns "$1" conntrack -L -p udp 2>/dev/null | grep -vc UNREPLIED)" -ge "$2" ]
}

# Marks that rules for the destination set, and rules for the source match and clear,
# as kube-proxy's do: what they say of a later packet is no other than of the first.
marked() {
	local family=$1 tool=iptables-nft-restore before

	[ "$family" = 4 ] || tool=ip6tables-nft-restore
	clean_topology && heal "$r" enforce || return
	in_ns "$r" "$tool" <<-EOT || fail "cannot set rules" || return
		*nat
		:KUBE-MARK-MASQ - [0:0]
		:KUBE-POSTROUTING - [0:0]
		-A PREROUTING -p udp --dport 5061 -j KUBE-MARK-MASQ
		-A PREROUTING -p udp --dport 5061 -j DNAT --to-destination $(net "$family" 9 77)
		-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
		-A POSTROUTING -j KUBE-POSTROUTING
		-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
		-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
		-A KUBE-POSTROUTING -j MASQUERADE
		COMMIT
	EOT
	started flow "$c0" heal_talk.py send udp "$(server "$family")" 5061 5061 || return
	busywait 5000 unanswered "$r" "$family" 1 || fail "no flow" || return
	before=$(entries "$r" "$family" udp)
	busywait 8000 reached "$r" heal_asked 3 || fail "not asked about" || return
	counts "$r" enforce heal_seen=0 heal_busy=0 || return
	[ "$before" = "$(entries "$r" "$family" udp)" ] || fail "the flow has changed"
	ended $?
}

# Rules that match what a question does not have: the entry is as before, and is not
# evicted a second time.
unlike() {
	local family=$1 ip=ip

	[ "$family" = 4 ] || ip=ip6
	clean_topology && heal "$r" enforce || return
	in_ns "$r" nft -f - <<-EOT || fail "cannot set rules" || return
		table $ip heal {
			chain prerouting {
				type nat hook prerouting priority -100
				udp dport 5061 udp length 13 dnat to $(net "$family" 9 77)
			}
		}
	EOT
	started flow "$c0" heal_talk.py send udp "$(server "$family")" 5061 5061 || return
	busywait 8000 reached "$r" heal_evicted 1 || fail "not asked about" || return
	busywait 6000 reached "$r" heal_again 1 || fail "not found again" || return
	counts "$r" enforce heal_seen=1 heal_evicted=1
	ended $?
}

# Flows whose rule has changed, but which have a helper, or a timeout that user space
# has set.
left_alone() {
	local family=$1 ip=ip server before

	[ "$family" = 4 ] || ip=ip6
	clean_topology && heal "$r" off || return
	server=$(server "$family")
	rules "$r" nft "$family" <<<"prerouting udp 5061 dnat $(net "$family" 9 77)" || return
	in_ns "$r" nft -f - <<-EOT || fail "cannot set rules" || return
		table $ip helper {
			ct helper tftp {
				type "tftp" protocol udp
			}
			chain prerouting {
				type filter hook prerouting priority -150
				udp dport 69 ct helper set "tftp"
			}
		}
	EOT
	started pinned "$c0" heal_talk.py send udp "$server" 5061 5061 || return
	started helper "$c0" heal_talk.py send udp "$server" 69 5069 || return
	busywait 5000 unanswered "$r" "$family" 2 || fail "the flows do not begin" || return
	before=$(entries "$r" "$family" udp)
	in_ns "$r" conntrack -U -f "ipv$family" -p udp --orig-port-dst 5061 -t 60 -u FIXED_TIMEOUT \
		>/dev/null 2>&1
	heal "$r" enforce || return
	rules "$r" nft "$family" <<-EOT || return
		prerouting udp 5061 dnat $server
		prerouting udp 69 dnat $(net "$family" 9 77)
	EOT
	busywait 8000 reached "$r" heal_helper 1 || fail "the helper's flow is not met" || return
	busywait 8000 reached "$r" heal_pinned 1 || fail "the other one is not met" || return
	counts "$r" enforce heal_asked=0 heal_seen=0 || return
	[ "$before" = "$(entries "$r" "$family" udp)" ] || fail "the flows have changed"
	ended $?
}

for v in 4 6; do
	either "forwarded flows, nft, IPv$v" forwarded nft $v
	variant "forwarded flows, iptables, IPv$v" forwarded iptables $v
	variant "a service on this host, nft, IPv$v" local_service nft $v
	either "a service on this host, iptables, IPv$v" local_service iptables $v
	either "a connection, nft, IPv$v" syn_sent nft $v
	either "one-way flows, backends at random, nft, IPv$v" one_way nft $v
	variant "one-way flows, backends at random, iptables, IPv$v" one_way iptables $v
	either "answered flows, IPv$v" answered_flows $v
	either "$KSFT_ANSWERED answered and $KSFT_ONE_WAY one-way flows, nft, IPv$v" \
		standing $v
	either "marks between rules, IPv$v" marked $v
	either "rules that match what a question has not, IPv$v" unlike $v
	either "helper and fixed timeout, IPv$v" left_alone $v
done
run_subtests
