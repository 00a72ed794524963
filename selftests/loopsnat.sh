#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A rule that rewrites the source of everything also rewrites what the host sends
# to itself. Each subtest shows that with the mode off, that observe changes
# nothing but counts it, and that with enforce flows that stay keep their source
# and those that leave are treated as before.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft conntrack exclusions_talk packets scene
need_module
tmpdir
mode='' answer='' took=''

# ask ARGUMENT...: from $a; leaves the answer, which says whom the server sees.
ask() {
	read -r took answer < <(in_ns "$a" exclusions_talk ask \
		-t $((KSFT_SLOW ? 20000 : 4000)) "$@" 2>&1)
	note "$mode: $answer ($took ms)"
}

# told WANTED: the answer is what the pattern says.
told() {
	# shellcheck disable=SC2053 # a pattern
	[[ $answer = $1 ]] || fail "$mode: the answer is \"$answer\", not \"$1\""
}

# heard WANTED: the UDP server has, whether its answer got back or not.
heard() {
	busywait 5000 grep -qx "$1" "$tmp/udp" ||
		fail "$mode: the server has not heard \"$1\" but: $(<"$tmp/udp")"
}

# snat_all NS BACKEND FAMILY WHAT: source NAT by a rule that names no device.
snat_all() {
	local tool ip=ip

	[ "$3" = 4 ] || ip=ip6
	if [ "$2" = nft ]; then
		in_ns "$1" nft -f - <<-EOT
			table $ip every {
				chain postrouting {
					type nat hook postrouting priority srcnat
					$4
				}
			}
		EOT
		return
	fi
	tool=$(backend_tool "$2" "$3")
	[ "$2" != legacy ] || legacy_used=1
	# shellcheck disable=SC2086 # several words
	in_ns "$1" "$tool" -w -t nat -A POSTROUTING -j $4
}

loopsnat() {
	looptrack -n "$1" set loopsnat "$2" && looptrack -n "$1" reset ||
		fail "looptrack set loopsnat $2 failed"
}

# seen NS N: what the counters are to say after N flows that a rule changed.
seen() {
	case $mode in
	off) counts "$1" off loopsnat_seen=0 loopsnat_restored=0 ;;
	observe) counts "$1" observe loopsnat_seen="$2" loopsnat_restored=0 ;;
	enforce) counts "$1" enforce loopsnat_seen="$2" loopsnat_restored="$2" ;;
	esac
}

##############################################################################

# Loopback addresses, under an address of the network.
masqueraded() {
	local backend=$1 family=$2 lo own=10.98.0.1 what line icmp=icmp

	has_backend "$backend" "$family" ||
		skip "$(backend_tool "$backend" "$family") is not installed" || return
	lo=$(loopback "$family")
	[ "$family" = 4 ] || icmp=icmpv6
	# To masquerade, IPv6 finds no better source for ::1 than itself.
	case $family-$backend in
	4-nft) what=masquerade ;;
	4-*) what=MASQUERADE ;;
	6-nft) what="snat to fd98::1" own=fd98::1 ;;
	6-*) what="SNAT --to-source fd98::1" own=fd98::1 ;;
	esac
	alone && snat_all "$a" "$backend" "$family" "$what" &&
		started tcp "$a" exclusions_talk serve tcp 7000 &&
		started udp "$a" exclusions_talk serve udp 7000 || return
	in_ns "$a" sysctl -qw net.ipv4.ping_group_range='0 0'
	for mode in off observe enforce; do
		[ "$mode" != enforce ] || own=$lo
		loopsnat "$a" "$mode" || return
		ask -s $((base += 1)) tcp "$lo" 7000 hello && told "hello $own $base 7000" &&
			ask -t 500 -s $((base += 1)) udp "$lo" 7000 hello &&
			heard "hello $own $base 7000" || return
		# Who was asked under another address than his answers another.
		[ "$mode" != enforce ] || told "hello $own $base 7000" || return
		in_ns "$a" packets -N 2 icmp "$lo" || fail "$mode: no echo" || return
		# No program sees whom an echo came from; conntrack does.
		line=$(in_ns "$a" conntrack -L -f "ipv$family" -p "$icmp" 2>/dev/null)
		[[ $line = *"src=$lo dst=$lo "*"src=$lo dst=$own "* ]] ||
			fail "$mode: an echo was seen as \"$line\"" || return
		in_ns "$a" conntrack -D -f "ipv$family" -p "$icmp" >/dev/null 2>&1
		seen "$a" 3 || return
	done
}

# A rule that changes the port alone, or both.
changed() {
	local family=$1 statement=$2 address=$3 want=$4 lo

	lo=$(loopback "$family")
	alone && snat_all "$a" nft "$family" "$statement" &&
		started tcp "$a" exclusions_talk serve tcp 7000 || return
	for mode in off observe enforce; do
		[ "$mode" != enforce ] || want=$address
		loopsnat "$a" "$mode" || return
		ask -s $((base += 1)) tcp "$address" 7000 hello || return
		if [ "$mode" = enforce ]; then
			told "hello $address $base 7000"
		else
			told "hello $want * 7000" && [[ $answer != *" $base "* ]] ||
				fail "$mode: the port was not changed: $answer"
		fi && seen "$a" 1 || return
	done
}

# What was redirected stays, too; and where two flows want one port, the second has
# another, but no other address.
redirected() {
	# To masquerade by lo, the kernel takes the address of that device; with IPv6 that
	# is ::1 in some kernels.
	local family=$1 ip=ip own=10.98.0.1 second=10.97.0.1/32 rule=masquerade

	[ "$family" = 4 ] || ip=ip6 own=fd98::1 second=fd97::1/128 rule="snat to fd97::1"
	alone && redirect "$a" nft "$family" tcp output 80:7000 &&
		in_ns "$a" nft "add chain $ip redirect-tcp post {
			type nat hook postrouting priority 100; }" &&
		in_ns "$a" nft "add rule $ip redirect-tcp post $rule" &&
		in_ns "$a" ip addr add "$second" dev lo || return
	scene_sees observe && scene_sees enforce
}

# The flows of two sockets with one port through the proxy at once.
scene_sees() {
	mode=$1
	loopsnat "$a" "$mode" || return
	base=$((base + 1))
	scene "$a" "$family" "$mode" <<-EOT || return
		listen A 7000
		connect c $(dst "$family" 1) 80 from $base
		connect d $(dst "$family" 2) 80 from $base
		ask c
		ask d
		sh conntrack -L 2>/dev/null >$tmp/flows
	EOT
	want "$mode" answered=4 misled=0 || return
	case $mode in
	observe)
		counts "$a" observe "loopsnat_seen>=1" loopsnat_restored=0 || return
		grep "dport=80 .*sport=7000" "$tmp/flows" | grep -qv "dst=$own sport=7000" ||
			fail "observe: the rule changed no source"
		;;
	enforce)
		counts "$a" enforce "loopsnat_seen>=1" "loopsnat_restored>=1" || return
		grep "dport=80 .*sport=7000" "$tmp/flows" | grep -v "dst=$own sport=7000" &&
			fail "enforce: a source was changed"
		return 0
		;;
	esac
}

# Flows that leave are masqueraded as before, and what was 127.0.0.1 and is sent to
# another host has an address that host can answer.
leaving() {
	local backend=$1 family=$2 what=masquerade ip=ip own=10.99.0.2 there=$server4:7000

	has_backend "$backend" "$family" ||
		skip "$(backend_tool "$backend" "$family") is not installed" || return
	[ "$backend" = nft ] || what=MASQUERADE
	[ "$family" = 4 ] || ip=ip6 own=fd99::2 there=[$server6]:7000
	topology || return
	a=$c0
	# The far end has a route to one address of the host and none to the other.
	if [ "$family" = 4 ]; then
		ip -n "$s" route add 10.99.0.0/24 via 10.99.9.1
		ip -n "$a" addr add 192.0.2.1/32 dev lo
	else
		ip -n "$s" route add fd99:0::/64 via fd99:9::1
		ip -n "$a" addr add 2001:db8:7::1/128 dev lo
	fi || return
	snat_all "$a" "$backend" "$family" "$what" &&
		in_ns "$a" sysctl -qw net.ipv4.conf.all.route_localnet=1 &&
		in_ns "$a" nft -f - <<-EOT || return
			table $ip out {
				chain output {
					type nat hook output priority -100
					oifname lo tcp dport 7001 dnat to $there
				}
			}
		EOT
	started tcp "$s" exclusions_talk serve tcp 7000 || return
	for mode in off observe enforce; do
		loopsnat "$a" "$mode" || return
		ask tcp "$(server "$family")" 7000 hello &&
			told "hello $own * 7000" || return
		if [ "$family" = 4 ]; then
			ask tcp 127.0.0.1 7001 hello && told "hello $own * 7000" || return
			ask tcp 192.0.2.1 7001 hello && told "hello $own * 7000" || return
		fi
		counts "$a" "$mode" loopsnat_seen=0 || return
	done
}

# Who listens is told of each flow.
told_about() {
	local want

	# linger tells of the flow before, at a time of its own.
	alone && snat_all "$a" nft 4 masquerade && looptrack -n "$a" set linger off &&
		started tcp "$a" exclusions_talk serve tcp 7000 || return
	for mode in observe enforce; do
		loopsnat "$a" "$mode" || return
		looptrack -j -n "$a" monitor -C 1 >"$tmp/events" &
		background+=($!)
		busywait 5000 listened "$a" || fail "nobody listens" || return
		ask -s $((base += 1)) tcp 127.0.0.1 7000 hello
		busywait 5000 grep -q . "$tmp/events" || fail "$mode: no event" || return
		note "$(<"$tmp/events")"
		want='"feature":"loopsnat","decision":"'$(decision)'",.*"wanted":'
		want+='{"src":"127.0.0.1","dst":"127.0.0.1","sport":7000,"dport":'$base'}'
		grep -q "$want" "$tmp/events" || fail "$mode: another event" || return
	done
}

decision() {
	[ "$mode" = enforce ] && echo restored || echo observed
}

# intended BACKEND FAMILY: rules for source NAT that mean loopback: they name the device, or
# a destination that only local flows have, or give an address that does not leave the host.
intended() {
	local lo=127.0.0.1 net=127.0.0.0/8 ip=ip

	[ "$2" = 4 ] || lo=::1 net=::1/128 ip=ip6
	if [ "$1" = nft ]; then
		cat <<-EOT
			oifname lo udp dport 15053 snat to $lo
			oif lo snat to $lo
			udp dport 15053 $ip daddr $net snat to $lo
			$ip daddr $lo snat to $lo
			fib daddr type local snat to $lo
			udp dport 15053 snat to $lo
		EOT
	else
		cat <<-EOT
			-o lo -p udp --dport 15053 -j SNAT --to-source $lo
			-p udp --dport 15053 -d $net -j SNAT --to-source $lo
			-d $lo -j SNAT --to-source $lo
			-p udp --dport 15053 -j SNAT --to-source $lo
		EOT
	fi
}

# source_rule BACKEND FAMILY RULE: in place of what was there.
source_rule() {
	local backend=$1 tool ip=ip

	[ "$2" = 4 ] || ip=ip6
	if [ "$backend" = nft ]; then
		in_ns "$a" nft -f - <<-EOT
			table $ip every {}
			delete table $ip every
			table $ip every {
				chain postrouting {
					type nat hook postrouting priority srcnat
					$3
				}
			}
		EOT
		return
	fi
	tool=$(backend_tool "$backend" "$2")
	in_ns "$a" "$tool" -w -t nat -F POSTROUTING || return
	# shellcheck disable=SC2086 # several words
	in_ns "$a" "$tool" -w -t nat -A POSTROUTING $3
}

# Questions of DNS go to a resolver on this host, whose answers would come from another
# address than the one that was asked, but for a rule that gives the questions a loopback
# address. It is there on purpose.
captured() {
	local backend=$1 family=$2 lo=127.0.0.1 rule tool to

	has_backend "$backend" "$family" ||
		skip "$(backend_tool "$backend" "$family") is not installed" || return
	[ "$family" = 4 ] || lo=::1
	alone || return
	if [ "$backend" = nft ]; then
		to=$lo:15053
		[ "$family" = 4 ] || to="[$lo]:15053"
		in_ns "$a" nft -f - <<-EOT || return
			table ip${family/4/} capture {
				chain output {
					type nat hook output priority -100
					udp dport 53 dnat to $to
				}
			}
		EOT
	else
		tool=$(backend_tool "$backend" "$family")
		[ "$backend" != legacy ] || legacy_used=1
		to=$lo:15053
		[ "$family" = 4 ] || to="[$lo]:15053"
		in_ns "$a" "$tool" -w -t nat -A OUTPUT -p udp --dport 53 -j DNAT \
			--to-destination "$to" || return
	fi
	mode=off
	loopsnat "$a" off && resolved "no rule" 0 || return
	while read -r rule <&3; do
		source_rule "$backend" "$family" "$rule" || fail "cannot set: $rule" || return
		for mode in off observe enforce; do
			loopsnat "$a" "$mode" && resolved "$rule" 2 || return
			counts "$a" "$mode, $rule" loopsnat_restored=0 || return
		done
	done 3< <(intended "$backend" "$family")
}

# resolved TEXT ANSWERS: to two questions.
resolved() {
	base=$((base + 2))
	scene "$a" "$family" "$mode, $1" -g $((KSFT_SLOW ? 4000 : 700)) <<-EOT || return
		udp A from 15053
		udp u from $base
		aim u $(dst "$family" 53) 53
		ask u
		udp v from $base+1
		aim v $(dst "$family" 53) 53
		ask v
	EOT
	want "$mode, $1" asked=2 answered="$2"
}

# A rule that names lo gives flows another address of the host, on purpose, too; one that
# names another device is none of loopback's, and a later one that names none is undone.
named() {
	local backend=$1 family=$2 own=10.98.0.1 lo rule

	has_backend "$backend" "$family" ||
		skip "$(backend_tool "$backend" "$family") is not installed" || return
	lo=$(loopback "$family")
	[ "$family" = 4 ] || own=fd98::1
	alone && started tcp "$a" exclusions_talk serve tcp 7000 || return
	[ "$backend" != legacy ] || legacy_used=1
	rule="oifname lo snat to $own"
	[ "$backend" = nft ] || rule="-o lo -j SNAT --to-source $own"
	source_rule "$backend" "$family" "$rule" || fail "cannot set: $rule" || return
	for mode in off observe enforce; do
		loopsnat "$a" "$mode" && ask -s $((base += 1)) tcp "$lo" 7000 hello &&
			told "hello $own $base 7000" &&
			counts "$a" "$mode" loopsnat_restored=0 || return
	done
	rule="snat to $own"
	[ "$backend" = nft ] || rule="-j SNAT --to-source $own"
	source_rule "$backend" "$family" "$rule" || fail "cannot set: $rule" || return
	loopsnat "$a" enforce && ask -s $((base += 1)) tcp "$lo" 7000 hello &&
		told "hello $lo $base 7000" && counts "$a" enforce loopsnat_restored=1
}

for v in 4 6; do
	for backend in nft iptables legacy; do
		play=variant
		[ $backend != nft ] || play=either
		$play "rules that mean loopback, $backend, IPv$v" captured $backend $v
		$play "a rule that names lo, $backend, IPv$v" named $backend $v
	done
	for backend in nft iptables legacy; do
		play=variant
		[ $backend = iptables ] || play=either
		$play "masqueraded loopback, $backend, IPv$v" masqueraded $backend $v
		$play "flows that leave, $backend, IPv$v" leaving $backend $v
	done
	either "redirected flows, IPv$v" redirected $v
done
either "the port alone, IPv4" changed 4 'masquerade random' 10.98.0.1 10.98.0.1
either "the port alone, IPv6" changed 6 'masquerade random' fd98::1 fd98::1
subtest "rules that mean loopback, iptables-nft, IPv4" captured iptables 4
subtest "another address and port" changed 4 \
	'meta l4proto tcp snat to 10.98.0.77:40000-40009' 10.98.0.1 10.98.0.77
subtest "each flow is an event" told_about
run_subtests
