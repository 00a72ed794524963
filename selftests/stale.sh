#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A conntrack entry outlives the socket it was made for, and a new socket with
# the same addresses and ports is taken for the old one: its NAT is that of
# rules that hold no more. Each subtest shows that with the mode off, that
# observe changes nothing but counts it, and that it is gone with enforce and
# with all features at their defaults; or that what looks like it is left alone.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft conntrack
need_module

# How often to try each of four ways to take over a flow.
: "${KSFT_ATTEMPTS:=$((KSFT_SLOW ? 50 : 250))}"

# backends FAMILY PROTO PORT [BACKEND]: rules $tmp/to-a and $tmp/to-b.
backends() {
	redirection to-a "${4:-nft}" "$1" "$2" output "$3:15001"
	redirection to-b "${4:-nft}" "$1" "$2" output "$3:15002"
}

# in_zone NS: all that this host sends is in a conntrack zone.
in_zone() {
	in_ns "$1" nft -f - <<-EOT
		table inet zone {
			chain output {
				type filter hook output priority -300
				ct zone set 7
			}
		}
	EOT
}

# drop NAME HOOK PRIORITY MATCH: prints the order of a script that drops packets.
drop() {
	tmpdir
	cat >"$tmp/$1" <<-EOT
		table inet $1 {
			chain gate {
				type filter hook $2 priority $3
				$4 drop
			}
		}
	EOT
	echo "sh nft -f $tmp/$1"
}

# hold PORT, in a script: no SYN gets to PORT, which sees it on its second pass.
hold() {
	drop hold input 0 "tcp dport $1 tcp flags syn / syn,ack"
}

unhold() {
	echo "sh nft delete table inet hold"
}

# mute, in a script: no FIN and no RST leaves, conntrack does not see it either.
mute() {
	drop mute output -400 'tcp flags & (fin | rst) != 0'
}

unmute() {
	echo "sh nft delete table inet mute"
}

# cured MODE N: after N new sockets asked.
cured() {
	case $1 in
	off | observe) want "$1" by_B=0 ;;
	*) want "$1" by_B="$2" by_A=0 rewritten=0 ;;
	esac || return
	evicted "$@"
}

# evicted MODE N [NS]: and the module says so.
evicted() {
	local ns=${3-$a}

	case $1 in
	off) counts "$ns" off stale_seen=0 stale_evicted=0 ;;
	observe) counts "$ns" observe "stale_seen>=$2" stale_evicted=0 ;;
	enforce) counts "$ns" enforce stale_seen="$2" stale_evicted="$2" ;;
	# Another feature may have been faster.
	defaults) ;;
	esac
}

##############################################################################
# TCP

# gone FAMILY BACKEND END [ZONE]: ten connections that ended without conntrack's
# being told, at the stage that END (orders with %) leads to; then the rule
# changes, and the same ports are used again.
gone() {
	local family=$1 backend=$2 end=$3 zone=${4-} mode n=10

	has_backend "$backend" "$family" ||
		skip "$(backend_tool "$backend" "$family") is not installed" || return
	if [ "$backend$zone" = nft ]; then
		same_host
	else
		alone
	fi || return
	backends "$family" tcp 80 "$backend"
	[ -z "$zone" ] || in_zone "$a" || return
	for mode in $(modes "$family"); do
		only "$a" stale "$mode" || return
		scene "$a" "$family" "$mode" -g 3000 <<-EOT || return
			sh . $tmp/to-a
			listen A 15001
			listen B 15002
			repeat $n
			connect c% $(dst "$family" 1) 80 from $base+%
			$end
			vanish c%.peer
			vanish c%
			end
			zero
			sh . $tmp/to-b
			repeat $n
			connect d% $(dst "$family" 1) 80 from $base+%
			end
		EOT
		base=$((base + n))
		want "$mode" asked="$n" && cured "$mode" "$n" || return
	done
	# The others would not like such rules.
	[ "$backend$zone" = nft ] || drop_ns
}

# The first packet never arrived, so nobody answered; the client gave up.
unanswered() {
	local family=$1 mode n=10

	same_host || return
	backends "$family" tcp 80
	for mode in off observe enforce; do
		only "$a" stale "$mode" || return
		scene "$a" "$family" "$mode" -g 3000 <<-EOT || return
			sh . $tmp/to-a
			listen A 15001
			listen B 15002
			$(hold 15001)
			repeat $n
			start c $(dst "$family" 1) 80 from $base+%
			close c
			end
			$(unhold)
			sh . $tmp/to-b
			repeat $n
			connect d% $(dst "$family" 1) 80 from $base+%
			end
		EOT
		base=$((base + n))
		want "$mode" asked="$n" && cured "$mode" "$n" || return
	done
}

# The new socket calls from what was the proxy's end: its SYN matches the entry in
# the reply direction, is invalid there, and no rule is asked.
reversed() {
	local family=$1 mode own=10.98.0.1 ip=ip n=3 rule
	local hook='type nat hook output priority -100'

	[ "$family" = 4 ] || own=fd98::1 ip=ip6
	same_host || return
	backends "$family" tcp 80
	for mode in $(modes "$family"); do
		only "$a" stale "$mode" || return
		rule="$ip daddr $own tcp dport $base-$((base + n))"
		scene "$a" "$family" "$mode" -g 1000 <<-EOT || return
			sh . $tmp/to-a
			sh nft "table $ip turned { chain c { $hook; $rule redirect to :15002; }; }"
			listen A 15001
			listen B 15002
			repeat $n
			connect c $(dst "$family" 1) 80 from $base+%
			vanish c.peer
			vanish c
			end
			zero
			close A
			repeat $n
			connect d% $own $base+% at $(loopback "$family") from 15001
			end
			sh nft delete table $ip turned
		EOT
		base=$((base + n))
		case $mode in
		off | observe) want "$mode" by_B=0 ;;
		*) want "$mode" by_B="$n" ;;
		esac || return
		evicted "$mode" "$n" || return
	done
}

# Its first SYN evicts; the one sent again must not.
sent_again() {
	local family=$1 mode

	same_host || return
	backends "$family" tcp 80
	for mode in enforce defaults; do
		only "$a" stale "$mode" || return
		scene "$a" "$family" "$mode" <<-EOT || return
			sh . $tmp/to-a
			listen A 15001
			listen B 15002
			connect c $(dst "$family" 1) 80 from $base
			vanish c.peer
			vanish c
			sh . $tmp/to-b
			zero
			$(hold 15002)
			start d $(dst "$family" 1) 80 from $base
			start e $(dst "$family" 2) 80 from $base+1
			$(unhold)
			finish d
			finish e
			ask d
			ask e
		EOT
		base=$((base + 2))
		want "$mode" answered=4 by_B=4 resent=4 rewritten=0 || return
		if [ "$mode" = enforce ]; then
			counts "$a" "$mode" stale_seen=1 stale_evicted=1
		else
			counts "$a" "$mode" 'stale_seen<=1' 'stale_evicted<=1'
		fi || return
	done
}

# Two sockets that connect to each other, and one that connects to itself.
simultaneous() {
	local family=$1 mode own=10.98.0.1

	[ "$family" = 4 ] || own=fd98::1
	same_host || return
	redirect "$a" nft "$family" tcp output 80:15001 || return
	for mode in off enforce defaults; do
		only "$a" stale "$mode" || return
		scene "$a" "$family" "$mode" <<-EOT || return
			$(hold 20000-29999)
			start x $own $base+1 from $base
			start y $own $base from $base+1
			$(unhold)
			up x
			up y
			pass x y
			pass y x
			start z $own $base+2 from $base+2
			up z
			pass z z
		EOT
		base=$((base + 3))
		want "$mode" passed=3 failed=0 gaveup=0 &&
			counts "$a" "$mode" stale_evicted=0 || return
	done
}

# The SYN of a new socket brings data.
fastopen() {
	local family=$1 mode n=5

	same_host || return
	in_ns "$a" sysctl -qw net.ipv4.tcp_fastopen=3 || return
	backends "$family" tcp 80
	for mode in off observe enforce; do
		only "$a" stale "$mode" || return
		scene "$a" "$family" "$mode" -g 3000 <<-EOT || return
			sh . $tmp/to-a
			listen A 15001 fastopen
			listen B 15002 fastopen
			connect first $(dst "$family" 1) 80 fastopen
			repeat $n
			connect c% $(dst "$family" 1) 80 from $base+% fastopen
			vanish c%.peer
			vanish c%
			end
			zero
			sh . $tmp/to-b
			repeat $n
			connect d% $(dst "$family" 1) 80 from $base+% fastopen
			end
		EOT
		base=$((base + n))
		cured "$mode" "$n" || return
		[ "$mode" != enforce ] || want enforce fastopened="$n" || return
	done
}

mptcp() {
	local family=$1 mode n=5

	same_host || return
	[ -e /proc/sys/net/mptcp/enabled ] || skip "the kernel has no MPTCP" || return
	in_ns "$a" sysctl -qw net.mptcp.enabled=1 || return
	backends "$family" tcp 80
	for mode in off observe enforce; do
		only "$a" stale "$mode" || return
		scene "$a" "$family" "$mode" -g 3000 <<-EOT || return
			sh . $tmp/to-a
			listen A 15001 mptcp
			listen B 15002 mptcp
			repeat $n
			connect c% $(dst "$family" 1) 80 from $base+% mptcp
			ask c%
			end
			$(mute)
			repeat $n
			reset c%.peer
			reset c%
			end
			$(unmute)
			zero
			sh . $tmp/to-b
			repeat $n
			connect d% $(dst "$family" 1) 80 from $base+% mptcp
			end
		EOT
		base=$((base + n))
		cured "$mode" "$n" || return
	done
}

##############################################################################
# UDP

# moved FAMILY [aim]: ten sockets have sent through a rule, which changes; then
# others have their ports.
moved() {
	local family=$1 aim=${2-} mode n=10 to lo

	same_host || return
	lo=$(loopback "$family")
	to="$(dst "$family" 1) 53"
	backends "$family" udp 53
	for mode in $(modes "$family"); do
		only "$a" stale "$mode" || return
		scene "$a" "$family" "$mode" -g 3000 <<-EOT || return
			sh . $tmp/to-a
			udp A at $lo from 15001
			udp B at $lo from 15002
			repeat $n
			udp u from $base+%
			${aim:+aim u $to}
			ask u $to
			close u
			end
			zero
			sh . $tmp/to-b
			repeat $n
			udp v from $base+%
			${aim:+aim v $to}
			ask v $to
			ask v $to
			close v
			end
		EOT
		base=$((base + n))
		want "$mode" asked=$((2 * n)) answered=$((2 * n)) || return
		case $mode in
		off | observe) want "$mode" by_A=$((2 * n)) ;;
		*) want "$mode" by_B=$((2 * n)) rewritten=0 ;;
		esac || return
		evicted "$mode" "$n" || return
	done
}

# remote FAMILY: the topology, and rules of $c0 that send a destination to the
# server's ports.
remote() {
	local ip=ip to name

	topology || return
	ip -n "$s" -batch - <<-EOT || return
		route add 10.99.0.0/24 via 10.99.9.1
		route add fd99:0::/64 via fd99:9::1
	EOT
	to=$(server "$1")
	[ "$1" = 4 ] || ip=ip6 to="[$to]"
	tmpdir
	for name in a:15001 b:15002; do
		cat >"$tmp/to-${name%:*}" <<-EOT
			nft -f - <<-END
			table $ip remote {}
			flush table $ip remote
			table $ip remote {
				chain output {
					type nat hook output priority -100
					$ip daddr $(dst "$1" 1) udp dport 53 dnat to $to:${name#*:}
				}
			}
			END
		EOT
	done
}

# The backends are on another host.
moved_away() {
	local family=$1 mode n=10 to

	remote "$family" || return
	to="$(dst "$family" 1) 53"
	for mode in $(modes "$family"); do
		only "$c0" stale "$mode" || return
		scene "$c0" "$family" "$mode" -g 3000 <<-EOT || return
			sh . $tmp/to-a
			netns $s
			udp A from 15001
			udp B from 15002
			netns $c0
			repeat $n
			udp u from $base+%
			ask u $to
			close u
			end
			zero
			sh . $tmp/to-b
			repeat $n
			udp v from $base+%
			ask v $to
			close v
			end
		EOT
		base=$((base + n))
		case $mode in
		off | observe) want "$mode" by_A="$n" ;;
		*) want "$mode" by_B="$n" rewritten=0 ;;
		esac || return
		case $mode in
		off) counts "$c0" off stale_seen=0 ;;
		observe) counts "$c0" observe stale_seen="$n" stale_evicted=0 ;;
		enforce) counts "$c0" enforce stale_seen="$n" stale_evicted="$n" ;;
		esac || return
	done
}

# harmless FAMILY: the modes for what has to go well in each of them.
harmless() {
	[ "$1" = 6 ] || echo observe
	echo enforce defaults
}

# shared FAMILY QUESTIONS SCRIPT SHARED: several sockets or processes have one flow, and
# the rule changes meanwhile. All datagrams have to go where the first one went.
# The script finds the destination in TO, the source port in PORT, and the
# change in CHANGE. SHARED: whether that is seen as the flow begins, 1 or 0.
shared() {
	local family=$1 questions=$2 script=$3 shared=$4 mode to lo

	same_host || return
	lo=$(loopback "$family")
	to="$(dst "$family" 1) 53"
	backends "$family" udp 53
	script=${script//TO/$to}
	script=${script//CHANGE/sh . $tmp/to-b}
	for mode in $(harmless "$family"); do
		only "$a" stale "$mode" || return
		scene "$a" "$family" "$mode" <<-EOT || return
			sh . $tmp/to-a
			udp A at $lo from 15001
			udp B at $lo from 15002
			${script//PORT/$base}
		EOT
		base=$((base + 1))
		want "$mode" heard_A="$questions" heard_B=0 &&
			counts "$a" "$mode" stale_evicted=0 stale_seen=0 stale_shared="$shared" ||
			return
	done
}

# Eight processes, each with a socket of its own; four exit.
reuseport='repeat 4
spawn W%
spawn V%
on W% udp u from PORT reuseport
on V% udp u from PORT reuseport
end
on W0 tell u TO
CHANGE
repeat 4
on W% tell u TO
on V% tell u TO
end
repeat 4
quit W%
on V3 tell u TO
on V% tell u TO
end
quit V0
quit V1
quit V2
on V3 tell u TO'

# The same, each connected to the destination.
reuseport_aimed='repeat 4
spawn W%
spawn V%
on W% udp u from PORT reuseport
on W% aim u TO
on V% udp u from PORT reuseport
on V% aim u TO
end
on W0 tell u
CHANGE
repeat 4
on V% tell u
on W% tell u
quit W%
on V% tell u
end'

# One socket in several processes, of which the first one forgets it.
forked='udp u from PORT
tell u TO
repeat 4
spawn W%
end
close u
CHANGE
repeat 4
on W% tell u TO
end
quit W0
quit W2
on W1 tell u TO
on W3 tell u TO
quit W1
on W3 tell u TO'

# Two sockets of one process.
reuse='udp u from PORT reuse
udp v from PORT reuse
tell u TO
CHANGE
repeat 5
tell v TO
tell u TO
end
close u
tell v TO'

# One connected, one not.
mixed='udp u from PORT reuse
aim u TO
udp v from PORT reuse
tell u
CHANGE
repeat 5
tell v TO
tell u
end'

# One is bound to an address, the other to none.
addressed='udp u from PORT reuse
udp v from PORT at OWN reuse
tell u TO
CHANGE
repeat 5
tell v TO
tell u TO
end'

# One socket, which connects, goes elsewhere, and comes back.
wandering='udp u from PORT
tell u TO
CHANGE
aim u TO
tell u
aim u ELSEWHERE
aim u TO
tell u'

# Sockets bound to different devices.
devices() {
	local family=$1 mode to

	remote "$family" || return
	to="$(dst "$family" 1) 53"
	for mode in $(harmless "$family"); do
		only "$c0" stale "$mode" || return
		scene "$c0" "$family" "$mode" -g 3000 <<-EOT || return
			sh . $tmp/to-a
			netns $s
			udp A from 15001
			udp B from 15002
			netns $c0
			udp u from $base reuse dev eth
			udp v from $base reuse
			udp w from $base reuse dev lo
			ask u $to
			sh . $tmp/to-b
			repeat 5
			tell v $to
			tell u $to
			end
			close v
			udp x from $base reuse
			tell x $to
			ask u $to
		EOT
		base=$((base + 1))
		want "$mode" heard_A=13 heard_B=0 &&
			counts "$c0" "$mode" stale_evicted=0 || return
	done
}

# Sockets that speak for other hosts (IP_TRANSPARENT), in the flow of those: for
# the server, for the client. The source ports are all the same.
transparent() {
	local family=$1 mode list client=10.99.0.2 ip=ip to=10.99.9.2:7000

	[ "$family" = 4 ] || client=fd99:0::2 ip=ip6 to='[fd99:9::2]:7000'
	topology || return
	ip -n "$s" -batch - <<-EOT || return
		route add 10.99.0.0/24 via 10.99.9.1
		route add fd99:0::/64 via fd99:9::1
	EOT
	ip -n "$r" -batch - <<-EOT || return
		route add default via 10.99.9.2
		route add default via fd99:9::2
	EOT
	in_ns "$r" nft -f - <<-EOT || return
		table $ip service {
			chain prerouting {
				type nat hook prerouting priority -100
				$ip daddr $(dst "$family" 1) udp dport 7000 dnat to $to
			}
			# Another server now, for those who ask the rules.
			chain output {
				type nat hook output priority -100
				$ip daddr $(dst "$family" 1) udp dport 7000 redirect to :9
			}
		}
	EOT
	list="ip netns exec $r conntrack -L -o id 2>/dev/null"
	for mode in $(harmless "$family"); do
		only "$r" stale "$mode" || return
		scene "$r" "$family" "$mode" <<-EOT || return
			netns $s
			udp S from 7000
			netns $c0
			udp C from 7000
			ask C $(dst "$family" 1) 7000
			ask C $(dst "$family" 1) 7000
			netns $r
			sh $list | grep -o 'id=.*' >$tmp/before
			repeat 5
			udp t at $(server "$family") from 7000 transparent
			tell t $client 7000
			close t
			udp t at $client from 7000 transparent
			tell t $(dst "$family" 1) 7000
			close t
			end
			sh $list | grep -o 'id=.*' >$tmp/after
			ask C $(dst "$family" 1) 7000
		EOT
		want "$mode" by_S=3 heard_S=8 heard_C=5 &&
			counts "$r" "$mode" stale_seen=0 stale_evicted=0 || return
		[ -s "$tmp/before" ] && cmp -s "$tmp/before" "$tmp/after" ||
			fail "$mode: the entry was $(<"$tmp/before"), is $(<"$tmp/after")" || return
	done
}

# lasting PORT, in a scene: the entries to PORT of the router, by their ids.
lasting() {
	echo "sh ip netns exec $r conntrack -L -f ipv$family -p $2 -o id 2>/dev/null" \
		"| grep dport=$1 | grep -o 'id=.*'"
}

# A process of the router sends a SYN with the addresses and ports of a flow that passes by.
# It takes some privilege (IP_TRANSPARENT), or none (IPV6_FREEBIND).
foreign_syn() {
	local family=$1 option=$2 uid=$3 mode client=10.99.0.2

	[ "$family" = 4 ] || client=fd99:0::2
	topology || return
	ip -n "$s" -batch - <<-EOT || return
		route add 10.99.0.0/24 via 10.99.9.1
		route add fd99:0::/64 via fd99:9::1
	EOT
	# Rules that ask conntrack and NAT, which has nothing to do.
	snat "$r" nft "$family" masquerade:20000-20001 &&
		in_ns "$r" nft insert rule "ip${family/4/}" nat postrouting tcp dport 7000 accept &&
		in_ns "$r" nft -f - <<-EOT || return
			table inet late {
				chain post {
					type filter hook postrouting priority 300
					meta mark 7 drop
				}
			}
		EOT
	for mode in $(harmless "$family"); do
		only "$r" stale "$mode" || return
		base=$((base + 2))
		scene "$r" "$family" "$mode" < <(
			cat <<-EOT
				netns $s
				listen S 7000
				netns $c0
				connect c $(server "$family") 7000 from $base
				netns $r
				spawn M
				on M uid $uid
				$(lasting 7000 tcp) >$tmp/before
				on M start x $(server "$family") 7000 at $client from $base $option
				on M close x
				$(lasting 7000 tcp) >$tmp/after
				ask c
				on M start y $client $base at $(server "$family") from 7000 $option
				on M close y
				$(lasting 7000 tcp) >>$tmp/after
				ask c
			EOT
		) || return
		want "$mode" answered=3 failed=0 || return
		sort -u -o "$tmp/after" "$tmp/after"
		[ -s "$tmp/before" ] && cmp -s "$tmp/before" "$tmp/after" ||
			fail "$mode: the entry was $(<"$tmp/before"), is $(<"$tmp/after")" || return
		counts "$r" "$mode" stale_seen=0 stale_evicted=0 || return
		in_ns "$r" conntrack -F >/dev/null 2>&1
	done
}

# no_tentative NS: the kernel has checked that the namespace's addresses are its own.
no_tentative() {
	[ -z "$(ip -n "$1" -6 addr show tentative)" ]
}

# A process of the router opens a flow in the name of a client, and leaves it to another.
foreign_opener() {
	local family=$1 mode client=10.99.0.2 ip=ip to=10.99.9.2:7000 there

	[ "$family" = 4 ] || client=fd99:0::2 ip=ip6 to='[fd99:9::2]:7000'
	there=$(dst "$family" 1)
	topology || return
	ip -n "$s" -batch - <<-EOT || return
		route add 10.99.0.0/24 via 10.99.9.1
		route add fd99:0::/64 via fd99:9::1
	EOT
	ip -n "$r" -batch - <<-EOT || return
		route add default via 10.99.9.2
		route add default via fd99:9::2
	EOT
	in_ns "$r" nft -f - <<-EOT || return
		table $ip service {
			chain output {
				type nat hook output priority -100
				$ip daddr $there udp dport 7000 dnat to $to
			}
		}
	EOT
	# For a foreign source the neighbour is solicited from the link-local address.
	busywait 5000 no_tentative "$r" || fail "an address stays tentative" || return
	for mode in $(harmless "$family"); do
		only "$r" stale "$mode" || return
		base=$((base + 1))
		scene "$r" "$family" "$mode" < <(
			cat <<-EOT
				netns $s
				udp S from 7000
				netns $r
				udp t at $client from $base transparent
				tell t $there 7000
				$(lasting 7000 udp) >$tmp/before
				close t
				repeat 3
				udp u at $client from $base transparent
				tell u $there 7000
				close u
				end
				$(lasting 7000 udp) >$tmp/after
			EOT
		) || return
		want "$mode" heard_S=4 || return
		[ -s "$tmp/before" ] && cmp -s "$tmp/before" "$tmp/after" ||
			fail "$mode: the entry was $(<"$tmp/before"), is $(<"$tmp/after")" || return
		counts "$r" "$mode" stale_seen=0 stale_evicted=0 || return
		in_ns "$r" conntrack -F >/dev/null 2>&1
	done
}

##############################################################################
# Attacks

# entries PROTO PORT: the flows from PORT, with the ids of their entries.
entries() {
	echo "sh conntrack -L -p $1 --orig-port-src $2 -o id 2>/dev/null" \
		"| sed 's/.* src=/src=/; s/ \[ASSURED\]//; s/use=.*id=/id=/'"
}

# attacked FAMILY: the modes.
attacked() {
	[ "$1" = 6 ] || echo stale ports
	echo off defaults
}

# Another user may bind the same ports. None of what he does touches the flow.
attack_tcp() {
	local family=$1 mode to other n

	same_host || return
	backends "$family" tcp 80
	to="$(dst "$family" 1) 80"
	# A different one at each turn.
	other="$(dst "$family" 1%) 80"
	for mode in $(attacked "$family"); do
		n=25
		case $mode in
		stale | ports) only "$a" "$mode" enforce ;;
		off) only "$a" stale off ;;
		defaults) only "$a" stale defaults && n=$KSFT_ATTEMPTS ;;
		esac || return
		scene "$a" "$family" "$mode" -g 1000 <<-EOT || return
			sh . $tmp/to-a
			listen A 15001
			listen B 15002
			spawn M
			on M uid 65534
			connect c $to from $base
			$(entries tcp "$base") >$tmp/before
			sh . $tmp/to-b
			repeat $n
			on M try x $to from $base
			on M drop x
			on M try x $to from $base noreuse
			on M drop x
			on M try x $to from $base reuseport
			on M drop x
			on M try x $to from $base dev d0
			on M drop x
			end
			zero
			$(entries tcp "$base") >$tmp/after
			ask c
			sh . $tmp/to-a
			repeat 20
			on M try x $other from $base
			on M drop x.peer
			on M drop x
			end
			ask c
		EOT
		base=$((base + 1))
		want "$mode" gaveup=0 failed=0 misled=0 denied=0 by_A=22 by_B=0 rewritten=20 ||
			return
		grep -q "id=" "$tmp/before" && cmp -s "$tmp/before" "$tmp/after" ||
			fail "$mode: the entry was $(<"$tmp/before"), is $(<"$tmp/after")" || return
		counts "$a" "$mode" stale_evicted=0 ports_kept=0 || return
	done
}

# attack_udp FAMILY OPTIONS [aim]: the victim's.
attack_udp() {
	local family=$1 options=$2 aim=${3-} mode to lo n

	same_host || return
	lo=$(loopback "$family")
	backends "$family" udp 53
	to="$(dst "$family" 1) 53"
	for mode in $(attacked "$family"); do
		n=25
		case $mode in
		stale | ports) only "$a" "$mode" enforce ;;
		off) only "$a" stale off ;;
		defaults) only "$a" stale defaults && n=$KSFT_ATTEMPTS ;;
		esac || return
		scene "$a" "$family" "$mode" <<-EOT || return
			sh . $tmp/to-a
			udp A at $lo from 15001
			udp B at $lo from 15002
			spawn M
			on M uid 65534
			udp u from $base $options
			${aim:+aim u $to}
			ask u $to
			$(entries udp "$base") >$tmp/before
			sh . $tmp/to-b
			repeat $n
			on M poke $to from $base reuse
			on M poke $to from $base reuseport
			on M poke $to from $base
			on M poke $to from $base reuse dev lo
			ask u $to
			end
			$(entries udp "$base") >$tmp/after
		EOT
		base=$((base + 1))
		n=$((n + 1))
		want "$mode" answered="$n" by_A="$n" by_B=0 heard_B=0 || return
		grep -q "id=" "$tmp/before" && cmp -s "$tmp/before" "$tmp/after" ||
			fail "$mode: the entry was $(<"$tmp/before"), is $(<"$tmp/after")" || return
		counts "$a" "$mode" stale_evicted=0 || return
	done
}

for v in 4 6; do
	own=10.98.0.1
	[ $v = 4 ] || own=fd98::1
	either "established connections gone, IPv$v" gone $v nft ''
	either "the client had closed its half, IPv$v" gone $v nft 'shut c%'
	either "the proxy had closed its half, IPv$v" gone $v nft 'shut c%.peer'
	either "connections that nobody answered, IPv$v" unanswered $v
	either "a connection from the other end, IPv$v" reversed $v
	either "a SYN sent again evicts nothing, IPv$v" sent_again $v
	either "simultaneous open, IPv$v" simultaneous $v
	either "TCP Fast Open, IPv$v" fastopen $v
	either "MPTCP, IPv$v" mptcp $v
	either "datagrams of a new socket, IPv$v" moved $v
	either "datagrams of a new connected socket, IPv$v" moved $v aim
	either "8 SO_REUSEPORT workers, IPv$v" shared $v 18 "$reuseport" 1
	either "8 connected SO_REUSEPORT workers, IPv$v" shared $v 13 "$reuseport_aimed" 1
	either "forked workers with one socket, IPv$v" shared $v 8 "$forked" 0
	either "SO_REUSEADDR sockets, IPv$v" shared $v 12 "$reuse" 1
	either "a connected socket and another, IPv$v" shared $v 11 "$mixed" 1
	either "a bound socket and another, IPv$v" shared $v 11 "${addressed//OWN/$own}" 1
	either "a socket that connects here and there, IPv$v" \
		shared $v 3 "${wandering//ELSEWHERE/$own 9}" 0
	either "another user's attempts, TCP, IPv$v" attack_tcp $v
	either "another user's attempts, UDP, IPv$v" attack_udp $v ''
	either "another user's attempts, UDP, SO_REUSEADDR, IPv$v" attack_udp $v reuse
	either "another user's attempts, UDP, connected, IPv$v" attack_udp $v reuse aim
	either "another user's attempts, UDP, SO_REUSEPORT, IPv$v" attack_udp $v reuseport
	either "datagrams to another host, IPv$v" moved_away $v
	either "sockets bound to devices, IPv$v" devices $v
	either "transparent sockets, IPv$v" transparent $v
	either "a SYN on another host's flow, transparent, IPv$v" foreign_syn $v transparent 0
	either "a flow opened for another host, IPv$v" foreign_opener $v
	either "connections gone, in a zone, IPv$v" gone $v nft '' zone
done
subtest "a SYN on another host's flow, unprivileged, IPv6" foreign_syn 6 freebind 65534
subtest "connections gone, iptables-nft, IPv4" gone 4 iptables ''
subtest "connections gone, iptables-legacy, IPv6" gone 6 legacy ''
run_subtests
