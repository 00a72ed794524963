#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A transparent proxy whose own connections the rule forgot to exempt. With the mode
# off it is given each of them until it has no file descriptors left; observe
# reports that within the first ten and changes nothing; with enforce the client is
# answered, by way of the proxy, and the proxy accepts one connection.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft exclusions_talk /usr/bin/python3
need_module
tmpdir
mode='' answer='' took=''
PATH=$(dirname "$(readlink -f "$0")"):$PATH

# ask PROTO FAMILY: from $c0 to the server; leaves its answer, which does not come
# where there is a loop.
ask() {
	read -r took answer < <(in_ns "$c0" exclusions_talk ask \
		-t $((KSFT_SLOW ? 20000 : 3000)) "$1" "$(server "$2")" 7000 hello 2>&1)
	note "$mode: $answer ($took ms)"
}

# A host with a proxy, $c0, and a server behind a router. All the host sends to the
# server is redirected, unless it has the mark 7.
proxied() {
	local backend=$1 family=$2 proto=$3 ip=ip tool

	[ "$family" = 4 ] || ip=ip6
	topology && snat "$r" nft "$family" masquerade || return
	started server "$s" exclusions_talk serve "$proto" 7000 || return
	if [ "$backend" = nft ]; then
		in_ns "$c0" nft -f - <<-EOT
			table $ip proxy {
				chain output {
					type nat hook output priority -100
					meta mark != 7 $proto dport 7000 redirect to :15001
				}
			}
		EOT
		return
	fi
	tool=$(backend_tool "$backend" "$family")
	[ "$backend" != legacy ] || legacy_used=1
	in_ns "$c0" "$tool" -w -t nat -A OUTPUT -m mark ! --mark 7 -p "$proto" --dport 7000 \
		-j REDIRECT --to-ports 15001
}

# proxy PROTO FAMILY OPTION...: anew, as one that has recursed is of no use.
proxy() {
	local proto=$1 family=$2

	shift 2
	[ "$proto" = tcp ] || set -- "$@" udp 15001 "$(server "$family")" 7000
	[ "$proto" = udp ] || set -- "$@" tcp 15001
	started proxy "$c0" loopguard_proxy.py "$@"
}

# None of the host's processes outlives it: a worker, too, holds the port.
stop_proxy() {
	ip netns pids "$c0" | xargs -r kill
	busywait 5000 quiet "$c0" || fail "a proxy does not end"
}

quiet() {
	[ -z "$(ip netns pids "$1")" ]
}

# How often the proxy was given a flow.
given() {
	grep -c -e accepted -e datagram "$tmp/proxy"
}

loopguard() {
	looptrack -n "$c0" set loopguard "$1" && looptrack -n "$c0" reset ||
		fail "looptrack set loopguard $1 failed"
}

# loop BACKEND FAMILY PROTO [OPTION]
loop() {
	local backend=$1 family=$2 proto=$3 option=${4-} n

	has_backend "$backend" "$family" ||
		skip "$(backend_tool "$backend" "$family") is not installed" || return
	proxied "$backend" "$family" "$proto" || return
	for mode in off observe enforce; do
		loopguard "$mode" || return
		# shellcheck disable=SC2086 # none or one
		proxy "$proto" "$family" $option || return
		ask "$proto" "$family"
		n=$(given)
		note "$mode: the proxy was given $n, the module saw" \
			"$(counter "$c0" loopguard_seen)"
		stop_proxy || return
		if [ "$mode" = enforce ]; then
			[[ $answer = "hello "* ]] || fail "no answer: $(<"$tmp/proxy")" || return
			[ "$n" = 1 ] || fail "the proxy was given $n, not one" || return
			counts "$c0" enforce loopguard_seen=1 loopguard_released=1 || return
			continue
		fi
		[[ $answer != "hello "* ]] && [ "$n" -ge 20 ] ||
			fail "$mode: there was no loop: $(<"$tmp/proxy")" || return
		if [ "$mode" = off ]; then
			counts "$c0" off loopguard_seen=0
		else
			counts "$c0" observe "loopguard_seen>=$((n - 10))" loopguard_released=0
		fi || return
	done
}

# A proxy that exempts its own is none, nor is its client, of the same user and in
# the same cgroup.
exempted() {
	local family=$1 proto

	for proto in tcp udp; do
		proxied nft "$family" "$proto" && proxy "$proto" "$family" -m 7 || return
		for mode in observe enforce; do
			loopguard "$mode" && ask "$proto" "$family" || return
			[[ $answer = "hello "* ]] || fail "no answer" || return
			counts "$c0" "$mode" loopguard_seen=0 || return
		done
		[ "$(given)" = 2 ] || fail "the proxy was given $(given), not two" || return
		stop_proxy || return
	done
}

# Who listens is told early, of both ends, and not of each.
told() {
	local line want n monitor

	proxied nft 4 tcp || return
	for mode in observe enforce; do
		loopguard "$mode" && proxy tcp 4 || return
		looptrack -j -n "$c0" monitor >"$tmp/events" &
		monitor=$!
		busywait 5000 listened "$c0" || fail "nobody listens" || return
		ask tcp 4
		busywait 5000 grep -q loopguard "$tmp/events" || fail "no event" || return
		read -r line < <(grep loopguard "$tmp/events")
		note "$line"
		want='"decision":"observed"'
		[ "$mode" = observe ] || want='"decision":"released"'
		[[ $line = *$want*'"flow":{'*'"dst":"10.99.9.2",'*'"dport":7000}'*'"holder":{'* &&
			$line = *'"dport":15001}'*'"owner":{'*'"uid":0}'*'"holder_owner":{'* ]] ||
			fail "$mode: another event" || return
		n=$(grep -c '"feature":"loopguard"' "$tmp/events")
		note "$mode: $n events of $(counter "$c0" loopguard_seen) loops"
		kill "$monitor"
		stop_proxy || return
	done
}

for v in 4 6; do
	for backend in nft iptables legacy; do
		play=variant
		[ $backend$v != nft4 ] && [ $backend$v != legacy6 ] || play=subtest
		$play "a proxy's own connections, $backend, IPv$v" loop $backend $v tcp
	done
	subtest "a forked worker's, IPv$v" loop nft $v tcp -w
	subtest "a proxy's own datagrams, nft, IPv$v" loop nft $v udp
	subtest "a proxy that exempts its own, IPv$v" exempted $v
done
subtest "both ends are told" told
run_subtests
