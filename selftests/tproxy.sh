#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Hosts without any NAT: where TPROXY leads the host's own flows to a proxy, and where
# rules only ask conntrack. Owners, pass counts, entries of closed sockets and stale ones
# are looked after there as elsewhere; with the mode off nothing is.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft conntrack scene callers looptrack
need_module
tmpdir
family=4 backend=nft there='' tcp='' udp='' at='' early=''

# plain: rules that ask conntrack, and no NAT.
plain() {
	local tool

	if [ "$backend" = nft ]; then
		in_ns "$a" nft -f - <<-EOT
			table inet watch {
				chain in {
					type filter hook input priority filter
					ct state established,related accept
				}
			}
		EOT
	else
		tool=$(backend_tool "$backend" "$family")
		[ "$backend" != legacy ] || legacy_used=1
		in_ns "$a" "$tool" -w -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
	fi || fail "cannot set rules that ask conntrack"
}

# tproxy: what the host sends to dst() is led to lo by a mark, and there to a proxy at
# port 15001, of TCP and of UDP.
tproxy() {
	local tool proto ip=ip net=203.0.113.0/24

	[ "$family" = 4 ] || ip=ip6 net=2001:db8::/64
	{
		echo "rule add fwmark 1 lookup 100"
		echo "route add local default dev lo table 100"
	} | ip "-$family" -n "$a" -batch - || return
	if [ "$backend" = nft ]; then
		modprobe -q nft_tproxy
		in_ns "$a" nft -f - <<-EOT || skip "the kernel has no TPROXY"
			table $ip divert {
				chain out {
					type route hook output priority mangle
					$ip daddr $net meta l4proto { tcp, udp } meta mark set 1
				}
				chain pre {
					type filter hook prerouting priority mangle
					iifname lo $ip daddr $net meta l4proto { tcp, udp } \
						tproxy to :15001 meta mark set 1 accept
				}
			}
		EOT
		return
	fi
	tool=$(backend_tool "$backend" "$family")
	[ "$backend" != legacy ] || legacy_used=1
	for proto in tcp udp; do
		in_ns "$a" "$tool" -w -t mangle -A OUTPUT -d "$net" -p "$proto" \
			-j MARK --set-mark 1 &&
			in_ns "$a" "$tool" -w -t mangle -A PREROUTING -i lo -d "$net" -p "$proto" \
				-j TPROXY --on-port 15001 --tproxy-mark 1/1 ||
			skip "$tool has no TPROXY" || return
	done
}

# site KIND BACKEND FAMILY: plain or tproxy. What is asked is $there: ports $tcp and $udp.
# $early runs before there are rules.
site() {
	local kind=$1

	backend=$2 family=$3
	has_backend "$backend" "$family" ||
		skip "$(backend_tool "$backend" "$family") is not installed" || return
	alone && ${early:-true} && plain || return
	if [ "$kind" = plain ]; then
		there=$(loopback "$family") tcp=15001 udp=15001 at="at $there"
		return
	fi
	there=$(dst "$family" 1) tcp=80 udp=53 at=''
	tproxy
}

# servers: A of TCP; B of UDP. Behind TPROXY, what B answers is a flow of its own, as its
# address is not the one that was asked.
servers() {
	echo "listen A 15001 transparent"
	echo "udp B $at from 15001 transparent"
}

# The client is known, by getsockopt and in the list of flows.
origin() {
	local mode

	site "$@" || return
	for mode in off enforce; do
		mode "$a" origin "$mode" && looptrack -n "$a" reset || return
		base=$((base + 1))
		scene "$a" "$family" "$mode" < <(
			servers
			cat <<-EOT
				connect c $there $tcp from $base
				lend c.peer callers -a 0 >$tmp/origin
				udp u from $base
				ask u $there $udp
				sh looptrack -n $a -j flow list --sport $base >$tmp/list
			EOT
		) || return
		want "$mode" answered=2 || return
		note "$mode: $(<"$tmp/origin")"
		if [ "$mode" = off ]; then
			! grep -q '"owner"' "$tmp/list" || fail "off: $(<"$tmp/list")" || return
			continue
		fi
		[[ $(<"$tmp/origin") = *" known 0x3 "*" comm scene cookie "[1-9]* ]] ||
			fail "the proxy does not learn who called" || return
		[ "$(grep -c '"owner":{[^}]*"comm":"scene"' "$tmp/list")" = 2 ] ||
			fail "not two owners: $(<"$tmp/list")" || return
		counts "$a" enforce "origin_noted>=2" || return
	done
}

# The passes of a flow are counted.
passes() {
	site "$@" && looptrack -n "$a" set passmark observe mark 0x1000/0x1000 &&
		in_ns "$a" sysctl -qw net.netfilter.nf_conntrack_acct=1 || return
	scene "$a" "$family" passes < <(
		servers
		cat <<-EOT
			connect c $there $tcp from 20000
			ask c
			udp u from 20000
			ask u $there $udp
			ask u $there $udp
			sh looptrack -n $a -j flow list --sport 20000 >$tmp/list
		EOT
	) || return
	want passes answered=4 && counts "$a" passes "passmark_seen>=8" || return
	[ "$(grep -c '"second_original":' "$tmp/list")" = 2 ] ||
		fail "not both flows have counts of the passes: $(<"$tmp/list")"
}

no_entry() {
	[ -z "$(in_ns "$a" conntrack -L -p udp --orig-port-src "$1" 2>/dev/null)" ]
}

# The entry of a datagram flow between loopback addresses goes when its sockets have gone.
closed() {
	local mode lo

	site "$@" || return
	lo=$(loopback "$family")
	for mode in off observe enforce; do
		# What is left of the mode before had an owner, too.
		in_ns "$a" conntrack -F 2>/dev/null
		only "$a" linger "$mode" || return
		base=$((base + 1))
		scene "$a" "$family" "$mode" < <(
			servers
			cat <<-EOT
				udp u from $base
				ask u $lo 15001
				close u
				close B
			EOT
		) || return
		want "$mode" answered=1 || return
		if [ "$mode" = enforce ]; then
			busywait 2500 no_entry "$base" ||
				fail "enforce: the entry is left" || return
			counts "$a" enforce linger_evicted=1 || return
		else
			! busywait 1500 no_entry "$base" ||
				fail "$mode: the entry is gone" || return
			counts "$a" "$mode" linger_evicted=0 || return
		fi
		[ "$mode" != observe ] || counts "$a" observe linger_seen=1 || return
	done
}

# The entry of a connection that vanished is not a new one's.
without_linger() {
	looptrack -n "$a" set linger off
}

vanished() {
	local mode status

	early=without_linger
	site "$@" || { status=$? early='' && return "$status"; }
	early=''
	# A mode that is set finds conntrack in use; at first none is set since there are rules.
	for mode in untouched off observe enforce; do
		[ "$mode" = untouched ] || only "$a" stale "$mode" || return
		base=$((base + 1))
		scene "$a" "$family" "$mode" < <(
			servers
			cat <<-EOT
				connect c $there $tcp from $base
				vanish c.peer
				vanish c
				connect d $there $tcp from $base
			EOT
		) || return
		[ "$R_answered" -ge 1 ] || fail "$mode: no answer" || return
		case $mode in
		off) counts "$a" off stale_seen=0 ;;
		observe) counts "$a" observe stale_seen=1 stale_evicted=0 ;;
		*) want "$mode" answered=2 && counts "$a" "$mode" stale_evicted=1 ;;
		esac || return
	done
}

for kind in tproxy plain; do
	title="rules that ask conntrack only"
	[ $kind = plain ] || title="TPROXY"
	for what in origin passes closed vanished; do
		case $what in
		origin) text="who calls" ;;
		passes) text="packets of both passes" ;;
		closed) text="datagrams of closed sockets" ;;
		vanished) text="a connection that vanished" ;;
		esac
		either "$title: $text, nft, IPv4" $what $kind nft 4
		either "$title: $text, nft, IPv6" $what $kind nft 6
		variant "$title: $text, legacy, IPv4" $what $kind legacy 4
	done
done
subtest "TPROXY: who calls, iptables-nft, IPv4" origin tproxy iptables 4
subtest "TPROXY: datagrams of closed sockets, iptables-legacy, IPv4" closed tproxy legacy 4
run_subtests
