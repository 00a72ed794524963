#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A host without IPv6, where the kernel has made only half of what IPv6 is, but
# conntrack may have entries of it. To be run with ipv6.disable=1.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft conntrack scene
[ ! -e /proc/net/if_inet6 ] || skip_all "this host has IPv6"
need_module

# A host that is alone, with addresses of IPv4 only, and every feature enforced; but
# loopguard, to whom a scene that is both client and proxy is a loop.
host() {
	drop_ns
	new_ns a && ip -n "$a" addr add 10.98.0.1/24 dev lo &&
		ip -n "$a" route add 203.0.113.0/24 dev lo src 10.98.0.1 &&
		redirect "$a" nft 4 tcp output 80:15001 || fail "no host" || return
	looptrack -n "$a" save |
		sed -E 's/^([a-z]+) +off/\1 enforce/; /^passmark/s|$| mark 1/1|' |
		looptrack -n "$a" restore - || fail "the features stay off"
}

entries() {
	local ends='-s 2001:db8::1 -d 2001:db8::2 --sport 1000 --dport 80 -t 60'

	# shellcheck disable=SC2086 # words
	host && in_ns "$a" conntrack -I -p udp $ends >/dev/null 2>&1 &&
		in_ns "$a" conntrack -I -p tcp --state ESTABLISHED $ends >/dev/null 2>&1 ||
		fail "conntrack makes no entry" || return
	[ "$(looptrack -n "$a" -6 flow list | wc -l)" = 2 ] ||
		fail "$(looptrack -n "$a" flow list)" || return
	looptrack -n "$a" explain tcp '[2001:db8::1]:1000' '[2001:db8::2]:80' >/dev/null &&
		looptrack -n "$a" flow get udp '[2001:db8::1]:1000' '[2001:db8::2]:80' >/dev/null ||
		fail "nothing is said of an entry"
}

flows() {
	host || return
	scene "$a" 4 enforce <<-EOT || return
		listen A 15001
		repeat 20
		connect c 203.0.113.1 80 from 20000+%
		close c.peer
		eof c
		shut c
		close c
		connect d 203.0.113.2 80 from 20000+%
		close d.peer
		eof d
		close d
		end
	EOT
	want enforce asked=40 answered=40 rewritten=0
}

subtest "entries of IPv6" entries
subtest "flows of IPv4" flows
run_subtests
