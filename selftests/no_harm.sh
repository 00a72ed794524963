#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What works without the module works with it. Each subtest sets up a host as people
# run them, shows that it works with all features off, and that it works the same
# with the module's defaults and with the features a user may switch on. A port is
# changed, and an entry evicted, only for something that is alive, or dead for sure.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft conntrack python3
need_module
tmpdir

prompt=$((KSFT_SLOW ? 900 : 100))

# How many ports two clients race for.
: "${KSFT_PORTS:=$((KSFT_SLOW ? 100 : 300))}"

# settings NS SETTING: "defaults": as they are in a new namespace, which NS has to be;
# "off": all features; "all": enforce for each that is not off by default; else as for
# "looptrack set", on top of that. Flows go, counts start from zero.
settings() {
	local rest mode orders=() words
	local feature='"name":"([a-z]+)"[^{}]*"default":"([a-z]+)"(.*)'

	in_ns "$1" conntrack -F 2>/dev/null
	[ "$2" != defaults ] || return 0
	read -r -a words <<<"$2"
	[[ $2 = off || $2 = all ]] || orders=("${words[@]}")
	rest=$(looptrack -j -n "$1" status)
	while [[ $rest =~ $feature ]]; do
		mode=off
		[ "$2" = off ] || [ "${BASH_REMATCH[2]}" = off ] || mode=enforce
		[ "${BASH_REMATCH[1]}" = "${words[0]}" ] ||
			orders+=("${BASH_REMATCH[1]}" "$mode")
		rest=${BASH_REMATCH[3]}
	done
	looptrack -n "$1" set "${orders[@]}" && looptrack -n "$1" reset ||
		fail "looptrack set ${orders[*]} failed"
}

##############################################################################
# Ports that somebody counts on

# publish BACKEND FAMILY: rules of the router as Docker makes them for "-p 27015:27015",
# TCP and UDP, where $c0 is the container.
publish() {
	local ip=ip to=10.99.0.2:27015 net=10.99.0.0/24 tool proto

	[ "$2" = 4 ] || ip=ip6 to='[fd99:0::2]:27015' net=fd99:0::/64
	if [ "$1" = nft ]; then
		in_ns "$r" nft -f - <<-EOT
			table $ip docker {
				chain published {
					iifname != "c0" udp dport 27015 dnat to $to
					iifname != "c0" tcp dport 27015 dnat to $to
				}
				chain prerouting {
					type nat hook prerouting priority -100
					fib daddr type local jump published
				}
				chain output {
					type nat hook output priority -100
					fib daddr type local jump published
				}
				chain postrouting {
					type nat hook postrouting priority 100
					$ip saddr $net oifname != "c0" masquerade
				}
			}
		EOT
	else
		tool="ip netns exec $r $(backend_tool "$1" "$2") -w -t nat"
		[ "$1" != legacy ] || legacy_used=1
		$tool -N DOCKER &&
			$tool -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER &&
			$tool -A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER &&
			$tool -A POSTROUTING -s "$net" ! -o c0 -j MASQUERADE || return
		for proto in udp tcp; do
			$tool -A DOCKER ! -i c0 -p "$proto" --dport 27015 \
				-j DNAT --to-destination "$to" || return
		done
	fi || fail "cannot set the rules: $1, IPv$2"
}

# docker-proxy's sockets where it has one for both families.
dual_stack='
import socket, time
kept = [socket.socket(socket.AF_INET6, kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)]
for sock in kept:
    sock.bind(("::", 27015))
kept[1].listen(5)
print("ready", flush=True)
time.sleep(3600)
'

# published FAMILY BACKEND [dual]: a container with a published port, which a
# docker-proxy holds on the host, sends from that port to eight peers, as game servers
# and SIP do: each sees the port. Who calls the published port reaches the container.
published() {
	local family=$1 backend=$2 hold=$'udp P from 27015\nlisten Q 27015' setting

	has_backend "$backend" "$family" ||
		skip "$(backend_tool "$backend" "$family") is not installed" || return
	[ -z "${3-}" ] || hold=''
	topology && publish "$backend" "$family" || return
	[ -z "${3-}" ] || started holder "$r" python3 -c "$dual_stack" || return
	for setting in defaults off all "listeners observe" "listeners enforce"; do
		settings "$r" "$setting" || return
		scene "$r" "$family" "$setting" <<-EOT || return
			$hold
			netns $s
			repeat 8
			udp u% from 10620+%
			listen t% 10620+%
			end
			udp o from 7000
			netns $c0
			udp C from 27015
			listen L 27015 reuseport
			repeat 8
			ask C $(server "$family") 10620+%
			connect c% $(server "$family") 10620+% from 27015 reuseport
			end
			netns $s
			ask o $(router "$family") 27015
			connect i $(router "$family") 27015
			reset i
			reset i.peer
			repeat 8
			reset c%
			reset c%.peer
			end
		EOT
		want "$setting" answered=18 rewritten=0 by_C=1 by_L=1 || return
		counts "$r" "$setting" ports_moved=0 || return
		case $setting in
		listeners*) counts "$r" "$setting" listeners_moved=0 listeners_exhausted=0 ;;
		esac || return
	done
}

# holders NAME PROTO PORT..., in a script: sockets that wait on each of the ports.
holders() {
	local port

	for port in "${@:3}"; do
		if [ "$2" = tcp ]; then
			echo "listen $1$port $port"
		else
			echo "udp $1$port from $port"
		fi
	done
}

# gateway FAMILY PROTO: the router has sockets of its own on the ports of IKE and NTP.
# A client behind it that uses these ports keeps them, unless listeners is to protect
# them and they are not exempt.
gateway() {
	local family=$1 proto=$2 setting moved port
	local -a ports=(500 4500 123)

	topology && snat "$r" nft "$family" masquerade || return
	for setting in defaults off all "listeners observe" "listeners enforce" \
		"listeners enforce exempt 123-500" \
		"listeners enforce exempt 500 exempt 4500 exempt 123"; do
		settings "$r" "$setting" || return
		scene "$r" "$family" "$setting" < <(
			holders r "$proto" "${ports[@]}"
			echo "netns $s"
			holders s "$proto" "${ports[@]}"
			echo "netns $c0"
			for port in "${ports[@]}"; do
				if [ "$proto" = tcp ]; then
					echo "connect c$port $(server "$family") $port from $port"
					echo "reset c$port"
					echo "reset c$port.peer"
				else
					echo "udp c$port from $port"
					echo "ask c$port $(server "$family") $port"
				fi
			done
		) || return
		case $setting in
		"listeners enforce") moved=3 ;;
		*123-500) moved=1 ;;
		*) moved=0 ;;
		esac
		want "$setting" answered=3 rewritten="$moved" &&
			counts "$r" "$setting" ports_moved=0 ports_exhausted=0 || return
		case $setting in
		"listeners observe")
			counts "$r" "$setting" 'listeners_seen>=3' listeners_moved=0
			;;
		listeners*)
			counts "$r" "$setting" listeners_moved="$moved" listeners_exhausted=0
			;;
		esac || return
	done
}

##############################################################################
# Ports of sockets that are alive

# untrack PORT: what the router itself sends from PORT has no entry, and conntrack does
# not make one in the middle of a connection.
untrack() {
	in_ns "$r" sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0 &&
		in_ns "$r" nft -f - <<-EOT || fail "cannot set the rule"
			table inet untrack {}
			flush table inet untrack
			table inet untrack {
				chain output {
					type filter hook output priority -300
					tcp sport $1 notrack
				}
			}
		EOT
}

# connected FAMILY HOW: a datagram socket of the router is connected to the server and
# has no entry: it has not sent yet, or the entry was deleted. A client that uses the
# same port for the same server gets another: what the server sends to the router's
# socket has to reach it.
connected() {
	local family=$1 how=$2 mode port=6000 sent

	clean_topology && snat "$r" nft "$family" masquerade || return
	for mode in $(modes "$family"); do
		sent=''
		if [ "$how" = deleted ]; then
			sent="ask O"$'\n'"sh conntrack -D -f ipv$family -p udp"
			sent+=" --sport $port >$tmp/deleted 2>&1"
		fi
		only "$r" ports "$mode" || return
		scene "$r" "$family" "$mode" <<-EOT || return
			netns $s
			udp S from 7000
			netns $r
			udp O from $port
			aim O $(server "$family") 7000
			$sent
			netns $c0
			udp C from $port
			zero
			ask C $(server "$family") 7000
			ask S $(router "$family") $port
		EOT
		port=$((port + 1))
		case $mode in
		off | observe) want "$mode" answered=2 by_C=1 by_O=0 rewritten=0 ;;
		*) want "$mode" answered=2 by_C=0 by_O=1 rewritten=1 ;;
		esac || return
		case $mode in
		off) counts "$r" off ports_blocked=0 ;;
		observe) counts "$r" observe ports_blocked=1 ports_moved=0 ;;
		*) counts "$r" "$mode" ports_blocked=1 ports_moved=1 ;;
		esac || return
	done
}

# The same with a connection of the router that is not tracked.
untracked() {
	local family=$1 mode port=6000

	clean_topology && snat "$r" nft "$family" masquerade || return
	for mode in $(modes "$family"); do
		only "$r" ports "$mode" && untrack "$port" || return
		scene "$r" "$family" "$mode" -T "$prompt" -g 3000 <<-EOT || return
			netns $s
			listen S 7000
			netns $r
			connect o $(server "$family") 7000 from $port
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
		*) want "$mode" answered=2 rewritten=1 resent=0 failed=0 ;;
		esac || return
		case $mode in
		off) counts "$r" off ports_blocked=0 ;;
		observe) counts "$r" observe 'ports_blocked>=1' ports_moved=0 ;;
		*) counts "$r" "$mode" 'ports_blocked>=1' 'ports_moved>=1' ;;
		esac || return
	done
}

# Sockets of the router that have the client's port and are connected to another port of
# the server: nothing that the client's flow brings is theirs, and it keeps its port.
elsewhere() {
	local family=$1 setting

	topology && snat "$r" nft "$family" masquerade || return
	for setting in defaults off all "listeners enforce"; do
		settings "$r" "$setting" || return
		scene "$r" "$family" "$setting" <<-EOT || return
			netns $s
			udp S from 7000
			udp T from 7001
			listen U 7000
			listen V 7001
			netns $r
			udp O from $base
			aim O $(server "$family") 7001
			connect o $(server "$family") 7001 from $base
			netns $c0
			udp C from $base
			ask C $(server "$family") 7000
			connect c $(server "$family") 7000 from $base
			netns $r
			ask O
			ask o
		EOT
		base=$((base + 1))
		want "$setting" answered=5 rewritten=0 by_S=1 by_T=1 by_U=1 by_V=2 &&
			counts "$r" "$setting" ports_moved=0 || return
		[[ $setting != listeners* ]] ||
			counts "$r" "$setting" listeners_seen=0 || return
	done
}

# raced FAMILY HOLDERS SETTING: two clients send at the same instant from a port that a
# socket of the router has, port after port. HOLDERS: bound, or connected to the same
# server. None of the flows may get such a port.
raced() {
	local family=$1 holders=$2 setting aim='' last=$((19999 + KSFT_PORTS)) all free _
	local rounds=$KSFT_PORTS

	[ "$(nproc)" -ge 2 ] || skip "a race needs two CPUs" || return
	[ "$holders" = bound ] || aim="aim h% $(server "$family") 7000"
	topology && snat "$r" nft "$family" masquerade || return
	for setting in "$3" off; do
		# A datagram that is lost takes a second.
		[ "$setting" != off ] || rounds=$((KSFT_PORTS / 10))
		settings "$r" "$setting" || return
		scene "$r" "$family" "$setting" <<-EOT || return
			repeat $KSFT_PORTS
			udp h% from 20000+%
			$aim
			end
			sh race -n $c0 -n $c1 -S $s -t udp -r $rounds -b 20000 -g 1000 \
				$(server "$family") 7000 >$tmp/race
		EOT
		report "$setting" "$(<"$tmp/race")"
		read -r all free _ < <(in_ns "$r" conntrack -L -f "ipv$family" -p udp 2>/dev/null |
			strays "$family" 7000 "masquerade:20000-$last")
		note "$setting: $free of $all flows have a port that is free"
		if [ "$setting" = off ]; then
			[ "$free" -lt "$all" ] || fail "off: no trouble" || return
			continue
		fi
		want "$setting" ok=$((2 * KSFT_PORTS)) gaveup=0 &&
			holds "$setting" flows "$all" = $((2 * KSFT_PORTS)) &&
			holds "$setting" free "$free" = "$all" || return
		if [ "$holders" = bound ]; then
			counts "$r" "$setting" listeners_exhausted=0
		else
			counts "$r" "$setting" ports_exhausted=0
		fi || return
	done
}

##############################################################################
# Entries that are in use

# resolver FAMILY PORT: the server is reached by $c0 as itself and by an address that a
# rule of $c0 translates to it.
# A script $tmp/to-PORT sets the rule.
resolver() {
	local ip=ip to=$server4

	[ "$1" = 4 ] || ip=ip6 to="[$server6]"
	cat >"$tmp/to-$2" <<-EOT
		nft -f - <<-END
		table $ip resolver {}
		flush table $ip resolver
		table $ip resolver {
			chain output {
				type nat hook output priority -100
				$ip daddr $(dst "$1" 1) udp dport 5353 dnat to $to:$2
			}
		}
		END
	EOT
}

remote() {
	topology && ip -n "$s" -batch - <<-EOT
		route add 10.99.0.0/24 via 10.99.9.1
		route add fd99:0::/64 via fd99:9::1
	EOT
}

client() {
	[ "$1" = 4 ] && echo 10.99.0.2 || echo fd99:0::2
}

# restarted FAMILY HANDOVER: a daemon with a fixed port talks to a server; another
# socket takes over and goes on with the same entry. HANDOVER: restart, the first one
# closes before the second one is made; reuseport, both are there for a while. The
# second one also sends to an address that is translated to the same server, so that
# both flows want the same reply tuple. What the server sends to the first flow, from its
# port 53, has to come from there.
restarted() {
	local family=$1 mode hand=$'close a\nudp B from PORT'

	[ "$2" = restart ] || hand=$'udp B from PORT reuseport\nclose a'
	remote && resolver "$family" 53 && in_ns "$c0" sh "$tmp/to-53" || return
	for mode in off enforce defaults observe; do
		only "$c0" ports "$mode" || return
		scene "$c0" "$family" "$mode" <<-EOT || return
			netns $s
			udp S from 53
			netns $c0
			udp a from $base ${2/restart/}
			ask a $(server "$family") 53
			${hand//PORT/$base}
			ask B $(server "$family") 53
			ask B $(dst "$family" 1) 5353
			zero
			ask S $(client "$family") $base
		EOT
		base=$((base + 1))
		want "$mode" answered=1 by_B=1 rewritten=0 &&
			counts "$c0" "$mode" ports_dead=0 ports_kept=0 || return
	done
}

# A socket with SO_REUSEPORT opens a flow by a rule, which changes; another one joins
# while it lives, and goes on when it has gone. The flow goes on, too: what is sent
# reaches the first server, and that server's answer comes from the address that was
# asked, by port 5353.
handover() {
	local family=$1 mode

	remote && resolver "$family" 15001 && resolver "$family" 15002 || return
	for mode in off enforce defaults observe; do
		only "$c0" stale "$mode" || return
		scene "$c0" "$family" "$mode" <<-EOT || return
			sh sh $tmp/to-15001
			netns $s
			udp A from 15001
			udp D from 15002
			netns $c0
			udp u from $base reuseport
			ask u $(dst "$family" 1) 5353
			udp B from $base reuseport
			close u
			sh sh $tmp/to-15002
			zero
			ask B $(dst "$family" 1) 5353
			ask A $(client "$family") $base
		EOT
		base=$((base + 1))
		# The server's answer has been rewritten by the rule.
		want "$mode" answered=2 by_A=1 by_B=1 heard_D=0 rewritten=1 &&
			counts "$c0" "$mode" stale_seen=0 stale_evicted=0 || return
	done
}

# entries PORT ADDRESS, in a script: appends to $tmp/entries those of flows from PORT to
# ADDRESS, which is of any family.
entries() {
	local family=ipv4 proto

	[[ $2 != *:* ]] || family=ipv6
	for proto in tcp udp; do
		echo "sh conntrack -L -f $family -p $proto -d $2 --sport $1" \
			">>$tmp/entries 2>/dev/null || :"
	done
}

# are_there TEXT NUMBER: so many entries are in the file.
are_there() {
	holds "$1" entries "$(grep -c src= "$tmp/entries")" = "$2"
}

# Rules that give flows to the first address of dst() a helper.
help_flows() {
	local ip=ip

	modprobe -q nf_conntrack_ftp && modprobe -q nf_conntrack_tftp ||
		skip "the kernel has no helpers" || return
	[ "$1" = 4 ] || ip=ip6
	# Before the redirect changes the destination.
	in_ns "$a" nft -f - <<-EOT || fail "cannot set the helpers"
		table $ip helpers {
			ct helper ftp { type "ftp" protocol tcp; }
			ct helper tftp { type "tftp" protocol udp; }
			chain output {
				type filter hook output priority -150
				$ip daddr $(dst "$1" 1) tcp dport 80 ct helper set "ftp"
				$ip daddr $(dst "$1" 1) udp dport 53 ct helper set "tftp"
			}
		}
	EOT
}

# spared FAMILY helper|fixed: an entry whose sockets have gone holds a port that a new
# flow wants. If a helper watches the flow, or somebody has fixed the entry's timeout,
# it stays, and the new flow has another port, as without the module.
spared() {
	local family=$1 what=$2 mode to fix=''

	alone || return
	redirect "$a" nft "$family" tcp output 80:15001 &&
		redirect "$a" nft "$family" udp output 53:15001 || return
	[ "$what" != helper ] || help_flows "$family" || return
	to=$(dst "$family" 1)
	for mode in off observe enforce defaults; do
		[ "$what" = helper ] ||
			fix="sh conntrack -U -p PROTO -d $to --sport $base -t 300 -u FIXED_TIMEOUT"
		fix+=${fix:+" >>$tmp/update 2>&1 || :"}
		: >"$tmp/update"
		: >"$tmp/entries"
		only "$a" ports "$mode" || return
		scene "$a" "$family" "$mode" <<-EOT || return
			listen A 15001
			udp B at $(loopback "$family") from 15001
			connect c $to 80 from $base
			${fix/PROTO/tcp}
			vanish c.peer
			vanish c
			udp u from $base
			ask u $to 53
			${fix/PROTO/udp}
			close u
			zero
			connect d $(dst "$family" 2) 80 from $base
			udp v from $base
			ask v $(dst "$family" 2) 53
			$(entries "$base" "$to")
		EOT
		base=$((base + 1))
		[ -z "$fix" ] || [ "$(grep -c ' 1 flow.*been updated' "$tmp/update")" = 2 ] ||
			skip "conntrack cannot fix a timeout: $(<"$tmp/update")" || return
		want "$mode" answered=2 rewritten=2 && are_there "$mode" 2 &&
			counts "$a" "$mode" ports_kept=0 || return
	done
}

# The same with an entry that a flowtable has. It is that of a datagram socket of the
# router whose packets come back to the router before they go to $c1: only what is
# forwarded is offloaded.
offloaded() {
	local mode to=10.99.1.2

	modprobe -q nft_flow_offload || skip "the kernel has no flowtables" || return
	topology || return
	ip -n "$s" route add 10.99.1.0/24 via 10.99.9.1 || return
	in_ns "$s" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 \
		net.ipv4.conf.eth.send_redirects=0 || return
	in_ns "$r" sysctl -qw net.ipv4.conf.all.accept_local=1 net.ipv4.conf.all.rp_filter=0 \
		net.ipv4.conf.s.rp_filter=0 || return
	ip -n "$r" -batch - <<-EOT || return
		route add default via 10.99.9.2 dev s table 100
		route add 203.0.113.0/24 via 10.99.9.2
	EOT
	in_ns "$r" nft -f - <<-EOT || fail "nft takes no flowtable" || return
		table ip fastpath {
			flowtable fast {
				hook ingress priority 0
				devices = { "s", "c1" }
			}
			chain forward {
				type filter hook forward priority 0
				udp dport 53 flow add @fast
			}
			chain output {
				type nat hook output priority -100
				ip daddr $(dst 4 1) udp dport 53 dnat to $to:53
			}
		}
	EOT
	for mode in off observe enforce defaults; do
		: >"$tmp/entries"
		only "$r" ports "$mode" || return
		scene "$r" 4 "$mode" <<-EOT || return
			netns $c1
			udp S from 53
			netns $r
			sh ip -n $r rule add iif lo to $to lookup 100
			udp u at 10.99.9.1 from $base
			tell u $to 53
			tell u $to 53
			sh ip -n $r rule del iif lo to $to lookup 100
			$(entries "$base" "$to")
			close u
			zero
			udp v at 10.99.9.1 from $base
			tell v $(dst 4 1) 53
			$(entries "$base" "$to")
		EOT
		base=$((base + 1))
		grep -q OFFLOAD "$tmp/entries" ||
			fail "the flow is not offloaded: $(<"$tmp/entries")" || return
		# Before and after.
		want "$mode" heard_S=1 && are_there "$mode" 2 &&
			counts "$r" "$mode" ports_kept=0 || return
	done
}

for v in 4 6; do
	either "a container's published port, IPv$v" published $v nft
	either "a gateway's own ports, UDP, IPv$v" gateway $v udp
	either "a gateway's own ports, TCP, IPv$v" gateway $v tcp
	either "a connected datagram socket that has not sent, IPv$v" connected $v unsent
	either "a connected datagram socket without an entry, IPv$v" connected $v deleted
	either "a connection that is not tracked, IPv$v" untracked $v
	either "a port of sockets that are connected elsewhere, IPv$v" elsewhere $v
	either "two clients race for a listener's port, IPv$v" raced $v bound "listeners enforce"
	either "two clients race for a connected socket's port, IPv$v" raced $v connected defaults
	either "a datagram flow goes on after a restart, IPv$v" restarted $v restart
	either "a datagram flow wanted after a hand-over, IPv$v" restarted $v reuseport
	either "a datagram flow goes on after a hand-over, IPv$v" handover $v
	either "an entry with a helper, IPv$v" spared $v helper
	either "an entry with a fixed timeout, IPv$v" spared $v fixed
done
subtest "a container's published port, one socket for both families, IPv4" published 4 nft dual
subtest "a container's published port, iptables-nft, IPv6" published 6 iptables
variant "a container's published port, iptables-legacy, IPv4" published 4 legacy
subtest "an entry that a flowtable has, IPv4" offloaded
run_subtests
