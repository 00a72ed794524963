#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What users have reported of flows that are older than their rules, and heal.sh does not
# play: ports that are published later, services that lose all backends, connections that
# are tried anew from the same port, a WAN that is set up anew, a DNS proxy that comes
# later. docs/heal.md has a table of the reports. With the mode off that does not end;
# observe reports and changes nothing; with enforce each is answered within seconds.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=heal_lib.sh
. "$(dirname "$0")/heal_lib.sh"

need ip nft iptables-nft-restore ip6tables-nft-restore conntrack heal_talk.py
need_module
tmpdir

# A port of the router itself: packets came before it was published; one whose container
# was replaced; and the same port of another address, whose container was not.
published() {
	local backend=$1 family=$2 server absent near far kept

	clean_topology && heal "$r" off || return
	server=$(server "$family") absent=$(net "$family" 9 77)
	near=$(net "$family" 0 1) far=$(net "$family" 1 1)
	started server "$s" heal_talk.py serve "$server" server 7000 7001 || return
	rules "$r" "$backend" "$family" <<-EOT || return
		prerouting udp 51898@$near dnat $absent 7000
		prerouting udp 51898@$far dnat $server 7001
		postrouting udp 7000 masquerade
		postrouting udp 7001 masquerade
	EOT
	started early "$c0" heal_talk.py send udp "$near" 51897 5061 || return
	started replaced "$c0" heal_talk.py send udp "$near" 51898 5062 || return
	started other "$c0" heal_talk.py send udp "$far" 51898 5063 || return
	busywait 5000 unanswered "$r" "$family" 2 && busywait 5000 answered other ||
		fail "the flows do not begin" || return
	kept=$(answered_ids "$r" "$family")
	rules "$r" "$backend" "$family" <<-EOT || return
		prerouting udp 51897@$near dnat $server 7000
		prerouting udp 51898@$near dnat $server 7000
		prerouting udp 51898@$far dnat $server 7001
		postrouting udp 7000 masquerade
		postrouting udp 7001 masquerade
	EOT
	goes_through "$r" "$family" udp early replaced || return
	[ -n "$kept" ] && [[ $(answered_ids "$r" "$family") = *"$kept"* ]] ||
		fail "the other address' flow has changed" || return
	ended $?
}

# The ids of flows that were answered.
answered_ids() {
	in_ns "$1" conntrack -L -f "ipv$2" -p udp -o id 2>/dev/null | grep -v UNREPLIED |
		sed 's/.* //' | sort
}

# A service that loses its last backend: its rule goes, and a rule that rejects comes, which
# sees no packet of a flow that still goes to the backend.
no_backend() {
	local backend=$1 family=$2 service absent ip=ip

	[ "$family" = 4 ] || ip=ip6
	clean_topology && heal "$r" off || return
	service=$(dst "$family" 10) absent=$(net "$family" 9 77)
	# There, and silent.
	ip -n "$r" neigh replace "$absent" lladdr 02:00:00:00:00:77 dev s
	ip -n "$r" route replace default via "$server4"
	ip -n "$r" -6 route replace default via "$server6"
	rules "$r" "$backend" "$family" <<<"prerouting udp 8125 dnat $absent" || return
	started sender "$c0" heal_talk.py refused "$service" 8125 5061 || return
	busywait 5000 unanswered "$r" "$family" 1 || fail "no flow" || return
	rules "$r" "$backend" "$family" <<<"prerouting udp 8126 dnat $absent" &&
		in_ns "$r" nft -f - <<-EOT || return
			table $ip filter_heal {
				chain forward {
					type filter hook forward priority 0
					$ip daddr $service udp dport 8125 reject
				}
			}
		EOT
	goes_through "$r" "$family" udp sender || return
	ended $?
}

# A node gets a service's address before the service: connections from one port that are
# given up and tried anew, each second, go where the first one's SYN went.
tried_anew() {
	local backend=$1 family=$2 near server mode since

	near=$(net "$family" 0 1) server=$(server "$family")
	for mode in off observe enforce; do
		clean_topology && heal "$r" "$mode" || return
		# The node drops what no rule is for, as with a firewall.
		in_ns "$r" nft -f - <<-EOT || return
			table inet filter_heal {
				chain input {
					type filter hook input priority 0
					tcp dport 5001 ct state new accept
				}
				chain late {
					type filter hook output priority -310
					tcp sport 5001 tcp flags & rst == rst drop
				}
			}
		EOT
		started server "$s" heal_talk.py serve "$server" server 7000 || return
		rules "$r" "$backend" "$family" <<<"postrouting tcp 7000 masquerade" || return
		started syn "$c0" heal_talk.py retry "$near" 5001 40000 || return
		busywait 5000 syns "$r" "$family" || fail "no SYN was sent" || return
		rules "$r" "$backend" "$family" <<-EOT || return
			prerouting tcp 5001 dnat $server 7000
			postrouting tcp 7000 masquerade
		EOT
		since=${EPOCHREALTIME/[.,]/}
		case $mode in
		off)
			! busywait 4500 answered syn || fail "off: connected" || return
			counts "$r" off heal_asked=0 || return
			;;
		observe)
			busywait "$patience" reached "$r" heal_seen 1 || fail "observe: not seen" ||
				return
			! answered syn || fail "observe: connected" || return
			counts "$r" observe heal_evicted=0 || return
			;;
		*)
			busywait "$patience" answered syn || fail "enforce: not connected" || return
			note "enforce: after $(((${EPOCHREALTIME/[.,]/} - since) / 1000)) ms"
			counts "$r" enforce heal_seen=1 heal_evicted=1 || return
			;;
		esac
		ended 0
	done
}

syns() {
	[ -n "$(entries "$1" "$2" tcp)" ]
}

# A WAN whose address changes: it goes, with the entries that masqueraded for it; packets
# come while there is no rule; and then there is one again.
wan() {
	local backend=$1 family=$2 server old new

	topology && heal "$r" off || return
	server=$(server "$family") old=$(net "$family" 9 1) new=$(net "$family" 9 5)
	started server "$s" heal_talk.py serve "$server" server 4242 || return
	rules "$r" "$backend" "$family" <<<"postrouting udp 4242 masquerade" || return
	started peer "$c0" heal_talk.py send udp "$server" 4242 4242 || return
	busywait 5000 answered peer || fail "no flow" || return
	rules "$r" "$backend" "$family" <<<"postrouting udp 4243 masquerade" || return
	{
		echo "addr del $old/$([ "$family" = 4 ] && echo 24 || echo 64) dev s"
		addresses s "$new/$([ "$family" = 4 ] && echo 24 || echo 64)"
	} | ip -n "$r" -batch - || return
	: >"$tmp/peer"
	busywait 5000 untranslated "$r" "$family" || fail "the flow was not begun anew" || return
	: >"$tmp/peer"
	rules "$r" "$backend" "$family" <<<"postrouting udp 4242 masquerade" || return
	goes_through "$r" "$family" udp peer || return
	ended $?
}

untranslated() {
	in_ns "$1" conntrack -L -f "ipv$2" -p udp 2>/dev/null |
		grep -q "UNREPLIED.* dst=$(net "$2" 0 2) "
}

# A host whose queries were sent before its DNS proxy's rule was there: by one socket, and
# by new ones from the same port.
proxied() {
	local backend=$1 family=$2 resolver

	clean_topology && heal "$c0" off || return
	resolver=$(dst "$family" 53)
	in_ns "$c0" nft flush ruleset
	rules "$c0" "$backend" "$family" <<<"output udp 54 redirect 15053" || return
	started proxy "$c0" heal_talk.py serve "$(loopback "$family")" proxy 15053 || return
	started first "$c0" heal_talk.py send udp "$resolver" 53 5053 || return
	busywait 5000 unanswered "$c0" "$family" 1 || fail "no flow" || return
	rules "$c0" "$backend" "$family" <<<"output udp 53 redirect 15053" || return
	goes_through "$c0" "$family" udp first || return
	ended $?
}

for v in 4 6; do
	either "a port that is published later, iptables, IPv$v" published iptables $v
	variant "a port that is published later, nft, IPv$v" published nft $v
	either "a service that loses its backends, iptables, IPv$v" no_backend iptables $v
	either "connections from the same port, nft, IPv$v" tried_anew nft $v
	either "a WAN that is set up anew, nft, IPv$v" wan nft $v
	either "a DNS proxy that comes later, iptables, IPv$v" proxied iptables $v
done
run_subtests
