#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Who owns a source port. NAT asks only its own table: it rewrites a port for the
# sake of a flow whose sockets have gone, and gives a port away that a connection
# of this host has, or (feature listeners) one that a socket of it listens on. Each
# subtest shows that with the mode off, that observe changes nothing but counts it,
# and that it is gone with enforce and, but for listeners, which is off by default,
# with all features at their defaults.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft conntrack nstat
need_module

# What counts as slow, in ms; some of 100 are forgiven if no packet was lost: a
# machine stalls now and then.
prompt=$((KSFT_SLOW ? 900 : 100))
stalls=2

##############################################################################
# A port used again

# paws NS: how many segments TCP has refused for their timestamps.
paws() {
	in_ns "$1" nstat -asz 'TcpExtPAWS*' | awk '!/^#/ { sum += $2 } END { print sum + 0 }'
}

# reuse FAMILY BACKEND FIRST [SYSCTL]: 50 times, a connection is over, FIRST
# (proxy or client) having closed first, and the client uses its port for another
# destination behind the same proxy. Over means that both have all FINs: until then
# the port is rightly in use.
reuse() {
	local family=$1 backend=$2 first=$3 sysctl=${4-} mode before=0 after n=50 end

	has_backend "$backend" "$family" ||
		skip "$(backend_tool "$backend" "$family") is not installed" || return
	alone || return
	[ -z "$sysctl" ] || in_ns "$a" sysctl -qw "$sysctl" || return
	redirect "$a" "$backend" "$family" tcp output 80:15001 || return
	end=$'close c.peer\neof c\nshut c\nclose c'
	[ "$first" = proxy ] || end=$'close c\neof c.peer\nshut c.peer\nclose c.peer'

	for mode in $(modes "$family"); do
		only "$a" ports "$mode" || return
		scene "$a" "$family" "$mode" -T "$prompt" <<-EOT || return
			listen A 15001
			repeat $n
			connect c $(dst "$family" 1) 80 from $base+%
			$end
			connect c $(dst "$family" 2) 80 from $base+%
			$end
			end
		EOT
		base=$((base + n))
		after=$(paws "$a")
		note "$mode: $((after - before)) rejected by PAWS"
		want "$mode" answered=$((2 * n)) misled=0 || return
		# A port that NAT has chosen may be wanted later on; so there may be more.
		case $mode in
		off | observe)
			want "$mode" "rewritten>=$n" || return
			;;
		*)
			want "$mode" rewritten=0 resent=0 "slow<=$stalls" || return
			[ "$after" = "$before" ] || fail "$mode: PAWS rejects" || return
			;;
		esac
		before=$after
		case $mode in
		off) counts "$a" off ports_dead=0 ports_kept=0 ;;
		observe) counts "$a" observe "ports_dead>=$n" ports_kept=0 ;;
		enforce) counts "$a" enforce "ports_dead>=$n" "ports_kept>=$n" ports_rewritten=0 ;;
		# Something else may have removed the entry before.
		defaults) counts "$a" defaults ports_rewritten=0 ports_exhausted=0 ;;
		esac || return
	done
}

# Rules that clear the mark they match on say no when they choose again. The first
# flow that this happens to keeps what they said first, or loses its SYN, where nft
# frees what it drops; the others are seen with the mark they had.
refused() {
	local family=$1 mode told n=20

	alone || return
	redirect "$a" nft "$family" tcp output 80:15001 && in_ns "$a" nft -f - <<-EOT || return
		table inet marks {
			chain output {
				type filter hook output priority -150
				ct state new meta mark set 5
			}
			chain postrouting {
				type nat hook postrouting priority 100
				policy drop
				meta mark 5 meta mark set 0 accept
			}
		}
	EOT
	for mode in off enforce; do
		only "$a" ports "$mode" || return
		looptrack -j -n "$a" monitor --decision refused >"$tmp/refused" &
		busywait 5000 listened "$a" || fail "nobody listens" || return
		scene "$a" "$family" "$mode" <<-EOT || return
			listen A 15001
			repeat $n
			connect c $(dst "$family" 1) 80 from $base+%
			close c.peer
			eof c
			shut c
			close c
			connect c $(dst "$family" 2) 80 from $base+%
			close c
			eof c.peer
			close c.peer
			end
		EOT
		base=$((base + n))
		want "$mode" answered=$((2 * n)) || return
		kill $! && wait $!
	done
	told=$(grep -c '"ports"' "$tmp/refused")
	want "$mode" "rewritten<=1" "resent<=1" && holds "$mode" told "$told" '>=' "$R_resent" &&
		counts "$a" enforce "ports_dead>=$n" "ports_kept>=$((n - 1))"
}

# The same with datagrams: a socket that is connected has no other peer.
reuse_udp() {
	local family=$1 mode n=50

	alone || return
	redirect "$a" nft "$family" udp output 53:15001 || return
	for mode in $(modes "$family"); do
		# Of what the mode before has left nobody could say whose it was, and
		# the ports NAT chose may be those that come next.
		in_ns "$a" conntrack -F >/dev/null 2>&1
		only "$a" ports "$mode" || return
		scene "$a" "$family" "$mode" <<-EOT || return
			udp A at $(loopback "$family") from 15001
			repeat $n
			udp u from $base+%
			aim u $(dst "$family" 1) 53
			ask u
			close u
			udp u from $base+%
			aim u $(dst "$family" 2) 53
			ask u
			close u
			end
		EOT
		base=$((base + n))
		want "$mode" by_A=$((2 * n)) || return
		case $mode in
		off | observe) want "$mode" "rewritten>=$n" ;;
		*) want "$mode" rewritten=0 ;;
		esac || return
		case $mode in
		off) counts "$a" off ports_dead=0 ;;
		observe) counts "$a" observe "ports_dead>=$n" ports_kept=0 ;;
		enforce) counts "$a" enforce "ports_dead>=$n" "ports_kept>=$n" ;;
		defaults) counts "$a" defaults ports_rewritten=0 ;;
		esac || return
	done
}

# Both flows live: the second one has to have another port, and the first one
# keeps its own.
alive() {
	local family=$1 mode dead n=20

	alone || return
	redirect "$a" nft "$family" tcp output 80:15001 || return
	redirect "$a" nft "$family" udp output 53:15001 || return
	for mode in $(modes "$family"); do
		only "$a" ports "$mode" || return
		scene "$a" "$family" "$mode" <<-EOT || return
			listen A 15001
			udp B at $(loopback "$family") from 15001
			repeat $n
			connect c $(dst "$family" 1) 80 from $base+%
			connect d $(dst "$family" 2) 80 from $base+%
			ask c
			ask d
			close c
			close d
			close c.peer
			close d.peer
			udp u from $base+%
			ask u $(dst "$family" 1) 53
			ask u $(dst "$family" 2) 53
			ask u $(dst "$family" 1) 53
			close u
			end
		EOT
		base=$((base + n))
		# Of TCP twice each, of UDP one datagram. A port that NAT has chosen may
		# be wanted later on, when its flow is live or dead: so there may be more.
		want "$mode" answered=$((7 * n)) "rewritten>=$((3 * n))" \
			"rewritten<=$((4 * n))" misled=0 || return
		if [ "$mode" = off ]; then
			counts "$a" off ports_rewritten=0
		else
			dead=$(counter "$a" ports_dead)
			counts "$a" "$mode" "ports_rewritten>=$((2 * n - dead))" \
				"ports_dead<=$((n / 4))"
		fi || return
	done
}

##############################################################################
# Sockets that NAT does not know of

# The proxy's half-closed socket outlives entry and client, and the client's port
# is used again (istio issue 43301).
half_closed() {
	local family=$1 mode n

	alone || return
	redirect "$a" nft "$family" tcp output 80:15001 || return
	for mode in $(modes "$family"); do
		n=$((KSFT_SLOW ? 20 : 100))
		[[ $mode != o* ]] || n=5
		only "$a" ports "$mode" || return
		scene "$a" "$family" "$mode" -T "$prompt" <<-EOT || return
			listen A 15001
			repeat $n
			connect c% $(dst "$family" 1) 80 from $base+%
			shut c%.peer
			eof c%
			vanish c%
			end
			zero
			sh conntrack -F 2>/dev/null
			repeat $n
			connect d% $(dst "$family" 2) 80 from $base+%
			end
		EOT
		base=$((base + n))
		want "$mode" asked="$n" || return
		case $mode in
		off | observe)
			want "$mode" "resent>=$n"
			;;
		*)
			want "$mode" answered="$n" by_A="$n" misled=0 resent=0 "slow<=$stalls"
			;;
		esac || return
		case $mode in
		off) counts "$a" off ports_blocked=0 ;;
		observe) counts "$a" observe ports_blocked="$n" ports_moved=0 ;;
		*) counts "$a" "$mode" ports_blocked="$n" ports_moved="$n" ports_exhausted=0 ;;
		esac || return
	done
}

# Two redirected ports and one client port, both connections alive. On kernels
# before 6.6 early demultiplexing has chosen the socket by the port that NAT
# changes after it (istio issue 38982).
two_ports() {
	local family=$1 first=$2 second=$3 mode n by=()

	by=("by_A=0" "by_B=0")
	topology || return
	redirect "$r" nft "$family" tcp prerouting "80:$first" "8080:$second" || return
	# New neighbours take their time.
	scene "$r" "$family" "first of all" <<-EOT || return
		listen A $first
		netns $c0
		connect c $(dst "$family" 1) 80
	EOT
	for mode in $(modes "$family"); do
		n=$((KSFT_SLOW ? 20 : 100))
		[[ $mode != o* ]] || n=3
		only "$r" ports "$mode" || return
		scene "$r" "$family" "$mode" -T "$prompt" -g 2500 <<-EOT || return
			listen A 15006
			listen B 15001
			netns $c0
			repeat $n
			connect c $(dst "$family" 1) 80 from $base+%
			connect d $(dst "$family" 1) 8080 from $base+%
			drop c
			drop d
			drop c.peer
			drop d.peer
			end
		EOT
		base=$((base + n))
		want "$mode" asked=$((2 * n)) || return
		if [[ $mode = o* ]]; then
			[ "$R_slow" != 0 ] || [ "$R_answered" != "$R_asked" ] ||
				note "$mode: no trouble with this kernel"
			continue
		fi
		by=("by_A=$((2 * n))")
		[ "$first" = "$second" ] || by=("by_A=$n" "by_B=$n")
		want "$mode" answered=$((2 * n)) "${by[@]}" misled=0 resent=0 \
			"slow<=$stalls" || return
		if [ "$first" = "$second" ]; then
			want "$mode" "rewritten>=$n" "rewritten<=$((n + 10))" || return
		else
			want "$mode" rewritten=0 || return
		fi
		counts "$r" "$mode" ports_rewritten="$R_rewritten" ports_kept=0 || return
		note "$mode: $(counter "$r" ports_demuxed) packets assigned again"
	done
}

# A client behind our MASQUERADE has the source port of a listener on the router.
# With datagrams: what the server sends to the listener reaches the client. With
# TCP: the server can't connect to the listener from the port it serves on. The
# feature listeners prevents that; by default the client keeps its port.
shadow() {
	local family=$1 proto=$2 mode port=5555

	clean_topology || return
	snat "$r" nft "$family" masquerade || return
	for mode in $(modes "$family"); do
		only "$r" listeners "$mode" || return
		if [ "$proto" = udp ]; then
			scene "$r" "$family" "$mode" <<-EOT || return
				udp L from $port
				netns $s
				udp S from 7000
				netns $c0
				udp C from $port
				ask C $(server "$family") 7000
				ask S $(router "$family") $port
			EOT
		else
			scene "$r" "$family" "$mode" <<-EOT || return
				listen L $port
				netns $s
				listen S 7000 reuseport
				netns $c0
				connect c $(server "$family") 7000 from $port
				netns $s
				try d $(router "$family") $port from 7000 reuseport
			EOT
		fi
		port=$((port + 1))
		if [ "$mode" = enforce ]; then
			want "$mode" by_S=1 by_L=1 rewritten=1
		else
			want "$mode" by_S=1 by_L=0 rewritten=0
		fi && counts "$r" "$mode" ports_blocked=0 || return
		case $mode in
		observe) counts "$r" observe listeners_seen=1 listeners_moved=0 ;;
		enforce)
			counts "$r" enforce listeners_seen=1 listeners_moved=1 \
				listeners_exhausted=0
			;;
		*) counts "$r" "$mode" listeners_seen=0 ;;
		esac || return
	done
}

# shadow_range FAMILY BACKEND PROTO PORTS: the rule gives a range that begins with
# the listener's port, 5555.
shadow_range() {
	local family=$1 backend=$2 proto=$3 ports=$4 to=7000 mode listen open list all outside _

	has_backend "$backend" "$family" ||
		skip "$(backend_tool "$backend" "$family") is not installed" || return
	clean_topology || return
	snat "$r" "$backend" "$family" "masquerade:$ports" || return
	list="ip netns exec $r conntrack -L -f ipv$family -p $proto"
	for mode in $(modes "$family"); do
		# Of the mode before the server's end may be left.
		to=$((to + 1))
		listen='udp X from'
		open=$'udp c from 5555\n'"ask c $(server "$family") $to"
		if [ "$proto" = tcp ]; then
			listen='listen X'
			open="connect c $(server "$family") $to from 5555"
		fi
		only "$r" listeners "$mode" || return
		scene "$r" "$family" "$mode" <<-EOT || return
			${listen/X/L} 5555
			netns $s
			${listen/X/S} $to
			netns $c0
			$open
			sh $list 2>/dev/null >$tmp/entries
			sh ip netns exec $r conntrack -F 2>/dev/null
			drop c
		EOT
		read -r all outside _ < \
			<(strays "$family" "$to" "masquerade:$ports" <"$tmp/entries")
		[ "$all $outside" = "1 0" ] ||
			fail "$mode: of $all flows $outside are outside the rule's range" || return
		if [ "$mode" != enforce ] || [ "$ports" = 5555 ]; then
			want "$mode" by_S=1 rewritten=0
		else
			want "$mode" by_S=1 rewritten=1
		fi || return
		case $mode-$ports in
		observe-*)
			counts "$r" observe listeners_seen=1 listeners_moved=0
			;;
		enforce-5555)
			counts "$r" enforce listeners_seen=1 listeners_moved=0 \
				listeners_exhausted=1
			;;
		enforce-*)
			counts "$r" enforce listeners_seen=1 listeners_moved=1 \
				listeners_exhausted=0
			;;
		*) counts "$r" "$mode" listeners_seen=0 ports_blocked=0 ;;
		esac || return
	done
}

# Nobody is in the way: a listener on another address of the router; the router's
# own sockets, which have the ports they use; a socket of another protocol.
not_shadowed() {
	local family=$1 inner=10.99.0.1 mode

	[ "$family" = 4 ] || inner=fd99:0::1
	# With sockets of an earlier subtest in TIME_WAIT, a port isn't free.
	topology || return
	snat "$r" nft "$family" masquerade || return
	for mode in enforce defaults; do
		only "$r" listeners "$mode" || return
		in_ns "$r" conntrack -F 2>/dev/null
		scene "$r" "$family" "$mode" <<-EOT || return
			listen L 5555 at $inner
			udp M at $inner from 5555
			udp O from 5556
			listen P 5557
			netns $s
			listen S 7000
			udp T from 7000
			netns $c0
			connect c $(server "$family") 7000 from 5555
			connect d $(server "$family") 7000 from 5556
			udp u from 5555
			ask u $(server "$family") 7000
			udp v from 5557
			ask v $(server "$family") 7000
			netns $r
			ask O $(server "$family") 7000
			connect p $(server "$family") 7000 from 5558
		EOT
		want "$mode" answered=6 rewritten=0 &&
			counts "$r" "$mode" listeners_seen=0 ports_blocked=0 \
				ports_rewritten=0 || return
	done
}

# A connection of the router's own has lost its entry. A client's flow must not
# get its addresses and ports.
own_connection() {
	local family=$1 mode port=6000

	clean_topology || return
	snat "$r" nft "$family" masquerade || return
	for mode in $(modes "$family"); do
		only "$r" ports "$mode" || return
		scene "$r" "$family" "$mode" -T "$prompt" <<-EOT || return
			netns $s
			listen S 7000
			netns $r
			connect o $(server "$family") 7000 from $port
			sh ip netns exec $r conntrack -F 2>/dev/null
			netns $c0
			zero
			connect c $(server "$family") 7000 from $port
			ask o
		EOT
		port=$((port + 1))
		case $mode in
		off | observe)
			[ "$R_answered" != 2 ] || [ "$R_resent" != 0 ] ||
				fail "$mode: no trouble"
			;;
		*)
			want "$mode" answered=2 rewritten=1 resent=0 failed=0
			;;
		esac || return
		case $mode in
		off) counts "$r" off ports_blocked=0 ;;
		observe) counts "$r" observe 'ports_blocked>=1' ports_moved=0 ;;
		*) counts "$r" "$mode" 'ports_blocked>=1' 'ports_moved>=1' ;;
		esac || return
	done
}

for v in 4 6; do
	either "port reused after the proxy closed, nft, IPv$v" reuse $v nft proxy
	either "port reused after the proxy closed, no timestamps, IPv$v" \
		reuse $v nft proxy net.ipv4.tcp_timestamps=0
	either "port reused after the client closed, nft, IPv$v" reuse $v nft client
	either "rules that say no the second time, IPv$v" refused $v
	either "port reused by a datagram socket, IPv$v" reuse_udp $v
	either "a live flow keeps its port, IPv$v" alive $v
	either "half-closed socket without an entry, IPv$v" half_closed $v
	either "two redirected ports, one proxy port, IPv$v" two_ports $v 15006 15006
	either "two redirected ports, two proxy ports, IPv$v" two_ports $v 15006 15001
	either "a listener's port, UDP, IPv$v" shadow $v udp
	either "a listener's port, TCP, IPv$v" shadow $v tcp
	either "ports that are free, IPv$v" not_shadowed $v
	either "a connection of the router's own without an entry, IPv$v" own_connection $v
done
subtest "a range that has the listener's port, UDP, IPv4" shadow_range 4 nft udp 5555-5558
subtest "a range that has the listener's port, TCP, IPv6" shadow_range 6 nft tcp 5555-5558
subtest "a range that is the listener's port, TCP, IPv4" shadow_range 4 nft tcp 5555
subtest "a range that is the listener's port, UDP, IPv6" shadow_range 6 nft udp 5555
subtest "a range that has the listener's port, iptables-nft, IPv6" \
	shadow_range 6 iptables udp 5555-5558
subtest "a range that has the listener's port, iptables-legacy, IPv4" \
	shadow_range 4 legacy tcp 5555-5558
subtest "port reused after the proxy closed, iptables-nft, IPv4" reuse 4 iptables proxy
subtest "port reused after the proxy closed, iptables-legacy, IPv6" reuse 6 legacy proxy
run_subtests
