#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What is left of a loopback flow when both sockets have gone: an entry in the
# conntrack table and a TIME_WAIT socket. Churn fills the table with the one and
# uses up the source ports with the other. Each subtest shows that with the mode
# off and that it is gone with enforce; or that what still serves is left alone.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft conntrack ss tc
need_module
tmpdir

: "${KSFT_CONNECTIONS:=$((KSFT_SLOW ? 2000 : 10000))}"
: "${KSFT_SECONDS:=$((KSFT_SLOW ? 30 : 12))}"
: "${KSFT_FEW_SECONDS:=$((KSFT_SLOW ? 15 : 5))}"

# entries NS PROTO [FILTER...]: how many there are.
entries() {
	in_ns "$1" conntrack -L -p "$2" "${@:3}" 2>/dev/null | wc -l
}

no_entry() {
	[ "$(entries "$@")" = 0 ]
}

# gone MODE NS PROTO [FILTER...]: the entries are, within a second, if they
# should be.
gone() {
	case $1 in
	off | observe)
		! busywait 1200 no_entry "${@:2}" || fail "$1: the entries are gone"
		;;
	*)
		busywait 1000 no_entry "${@:2}" ||
			fail "$1: left are $(in_ns "$2" conntrack -L -p "${@:3}" 2>/dev/null)"
		;;
	esac
}

# soon NS TEXT TERM...: the counters are so within a second.
soon() {
	busywait 1000 counts "$@" || counts "$@"
}

# waiting NS [FILTER...]: TIME_WAIT sockets.
waiting() {
	in_ns "$1" ss -Htan state time-wait "${@:2}" | wc -l
}

nobody_waits() {
	[ "$(waiting "$@")" = 0 ]
}

##############################################################################
# Churn

# exhausted FAMILY PORTS SECONDS MODE...: the client closes first, and waits for
# packets that cannot come.
exhausted() {
	local family=$1 ports=$2 seconds=$3 mode

	for mode in "${@:4}"; do
		alone || return
		redirect "$a" nft "$family" tcp output 80:15001 || return
		in_ns "$a" sysctl -qw net.ipv4.ip_local_port_range="20000 $((19999 + ports))" ||
			return
		only "$a" linger "$mode" || return
		churn "$a" "$mode" -c -d "$seconds" 15001 80 "$(dst "$family" 1)" \
			"$(dst "$family" 2)" "$(dst "$family" 3)" "$(dst "$family" 4)" || return
		want "$mode" failed=0 gaveup=0 || return
		if [ "$mode" = off ] || [ "$mode" = observe ]; then
			# Each port serves four destinations.
			[ "$R_noport" -gt 0 ] || [ "$R_ok" -ge $((5 * ports)) ] ||
				xfail "too slow: $R_ok connections in $seconds s" || return
		fi
		case $mode in
		off)
			want off 'noport>=1' && counts "$a" off linger_seen=0
			;;
		observe)
			want observe 'noport>=1' && soon "$a" observe 'linger_seen>=1' \
				linger_evicted=0 linger_reaped=0
			;;
		enforce)
			want enforce noport=0 && soon "$a" enforce 'linger_evicted>=1' \
				'linger_reaped>=1'
			;;
		defaults)
			want defaults noport=0 slow=0
			;;
		esac || return
	done
}

# at_most NS MAXIMUM
at_most() {
	[ "$(in_ns "$1" conntrack -C)" -le "$2" ]
}

# left FAMILY FIRST ADDRESS PORT MODE: entries 2 s after many connections.
left() {
	local family=$1 first=$2 address=$3 port=$4 mode vanilla args=(-N "$KSFT_CONNECTIONS")

	[ "$first" = proxy ] || args+=(-c)
	for mode in off "$5"; do
		alone || return
		redirect "$a" nft "$family" tcp output 80:15001 || return
		in_ns "$a" sysctl -qw net.ipv4.ip_local_port_range="1024 65000" || return
		only "$a" linger "$mode" || return
		churn "$a" "$mode" "${args[@]}" 15001 "$port" "$address" || return
		want "$mode" ok="$KSFT_CONNECTIONS" || return
		if [ "$mode" = off ]; then
			sleep 2
			vanilla=$(in_ns "$a" conntrack -C)
			note "off: $vanilla entries, $(waiting "$a") sockets in TIME_WAIT"
			[ "$vanilla" -ge $((KSFT_CONNECTIONS / 2)) ] ||
				fail "only $vanilla entries were left" || return
			continue
		fi
		busywait 2000 at_most "$a" $((vanilla / 100)) ||
			fail "$mode: $(in_ns "$a" conntrack -C) entries left" || return
		busywait 1000 nobody_waits "$a" ||
			fail "$mode: $(waiting "$a") sockets in TIME_WAIT" || return
		note "$mode: $(in_ns "$a" conntrack -C) entries, $(waiting "$a") in TIME_WAIT"
	done
}

##############################################################################
# One flow

# The host, with the rules of all subtests that follow: ports 80 of TCP and 53 of
# UDP are a proxy's, port 81 is nobody's.
host() {
	local family

	[ -z "$a" ] || return 0
	alone || return
	for family in 4 6; do
		redirect "$a" nft "$family" tcp output 80:15001 81:15009 || return
		redirect "$a" nft "$family" udp output 53:15001 || return
	done
}

# udp FAMILY
datagrams() {
	local family=$1 mode

	host || return
	for mode in $(modes "$family"); do
		# What is left of the mode before had an owner, too.
		in_ns "$a" conntrack -F 2>/dev/null
		only "$a" linger "$mode" || return
		scene "$a" "$family" "$mode" <<-EOT || return
			udp A at $(loopback "$family") from 15001
			udp u from $base
			ask u $(dst "$family" 1) 53
			udp v from $base+1
			aim v $(dst "$family" 1) 53
			ask v $(dst "$family" 1) 53
		EOT
		want "$mode" answered=2 || return
		gone "$mode" "$a" udp --orig-port-src "$base" || return
		gone "$mode" "$a" udp --orig-port-src $((base + 1)) || return
		case $mode in
		off) counts "$a" off linger_seen=0 ;;
		observe) soon "$a" observe linger_seen=2 linger_evicted=0 ;;
		enforce) soon "$a" enforce linger_seen=2 linger_evicted=2 ;;
		esac || return
		base=$((base + 2))
	done
}

# The other end of the flow has not gone.
datagrams_alive() {
	local family=$1 mode

	host || return
	for mode in enforce defaults; do
		only "$a" linger "$mode" || return
		scene "$a" "$family" "$mode" <<-EOT || return
			udp A at $(loopback "$family") from 15001
			udp u from $base
			ask u $(dst "$family" 1) 53
			close A
			udp v from $base+1
			udp B at $(loopback "$family") from 15001
			ask v $(dst "$family" 1) 53
			close v
			sh sleep 1.5
			sh conntrack -L -p udp >$tmp/list 2>/dev/null
			sh grep -c sport=$base $tmp/list >$tmp/entries
			sh grep -c sport=$((base + 1)) $tmp/list >>$tmp/entries
		EOT
		base=$((base + 2))
		[ "$(paste -sd ' ' "$tmp/entries")" = "1 1" ] ||
			fail "$mode: left are $(<"$tmp/entries")" || return
	done
}

# Resets are dropped before conntrack sees them; or when they arrive.
cat >"$tmp/mute" <<-EOT
	table inet mute {
		chain out {
			type filter hook output priority raw
			tcp flags rst drop
		}
	}
EOT
cat >"$tmp/deaf" <<-EOT
	table inet deaf {
		chain in {
			type filter hook input priority filter
			tcp flags & rst == rst drop
		}
	}
EOT

# ended FAMILY ENTRIES SCRIPT: a connection ends in another way. The script finds
# the destination and the source port in TO, one that nobody serves in NOBODY. From
# SLOW to FAST packets are under way for a while. ENTRIES are left without the module.
ended() {
	local family=$1 entries=$2 script=$3 mode got

	host || return
	for mode in $(modes "$family"); do
		script=$3
		script=${script//TO/$(dst "$family" 1) 80 from $base}
		script=${script//NOBODY/$(dst "$family" 1) 81 from $base}
		script=${script/SLOW/"sh tc -n $a qdisc add dev lo root netem delay 100ms"}
		script=${script/FAST/"sh tc -n $a qdisc del dev lo root"}
		only "$a" linger "$mode" || return
		scene "$a" "$family" "$mode" <<-EOT || return
			listen A 15001
			$script
		EOT
		want "$mode" gaveup=0 || return
		got=$(entries "$a" tcp --orig-port-src "$base")
		if [[ $mode = o* ]]; then
			[ "$got" = "$entries" ] ||
				fail "$mode: $got entries are left, not $entries" || return
		else
			gone "$mode" "$a" tcp --orig-port-src "$base" || return
			busywait 1000 nobody_waits "$a" "sport = :$base or dport = :$base" ||
				fail "$mode: sockets in TIME_WAIT are left" || return
		fi
		case $mode in
		off) counts "$a" off linger_seen=0 ;;
		observe) soon "$a" observe "linger_seen>=$entries" linger_evicted=0 ;;
		enforce) soon "$a" enforce "linger_evicted>=$entries" ;;
		esac || return
		base=$((base + 1))
	done
}

# unseen FAMILY SCRIPT: both sockets go, and conntrack does not see a packet that says
# so: they may be taken down to be put up again, here or elsewhere. Their flow has its
# entry then. From MUTE to SPEAK no reset leaves.
unseen() {
	local family=$1 mode script

	host || return
	for mode in observe enforce defaults; do
		script=${2/MUTE/"sh ip netns exec $a nft -f $tmp/mute"}
		script=${script/SPEAK/"sh ip netns exec $a nft delete table inet mute"}
		only "$a" linger "$mode" || return
		scene "$a" "$family" "$mode" <<-EOT || return
			listen A 15001
			connect c $(dst "$family" 1) 80 from $base
			$script
			sh sleep 1.2
		EOT
		want "$mode" gaveup=0 || return
		[ "$(entries "$a" tcp --orig-port-src "$base")" = 1 ] ||
			fail "$mode: the entry is gone" || return
		counts "$a" "$mode" linger_seen=0 || return
		base=$((base + 1))
	done
}

# held FAMILY WANTED SCRIPT: something of the connection lives on; a second later
# it has its entry, and does what it should, by the words WANTED. From DEAF to HEAR no
# reset arrives.
held() {
	local family=$1 wanted=$2 script=$3 mode words check

	read -r -a words <<<"$wanted"
	host || return
	for mode in off enforce defaults; do
		script=$3
		script=${script//TO/$(dst "$family" 1) 80 from $base}
		script=${script/DEAF/"sh ip netns exec $a nft -f $tmp/deaf"}
		script=${script/HEAR/"sh ip netns exec $a nft delete table inet deaf"}
		check="sh conntrack -L -p tcp --orig-port-src $base 2>/dev/null | grep -q src="
		script=${script//CHECK/"$check"}
		only "$a" linger "$mode" || return
		scene "$a" "$family" "$mode" <<-EOT || return
			listen A 15001
			$script
		EOT
		want "$mode" "${words[@]}" || return
		[ "$mode" = off ] || gone "$mode" "$a" tcp --orig-port-src "$base" || return
		base=$((base + 1))
	done
}

# states NS: protocol, state and port of the entries, and whether they are far from
# their end.
states() {
	in_ns "$1" conntrack -L 2>/dev/null | awk '
		{
			match($0, /dport=[0-9]+/)
			port = substr($0, RSTART, RLENGTH)
			state = $1 == "tcp" ? $4 : ""
			print $1, state, port, ($3 > 7)
		}' | sort
}

# Flows with a remote end are the kernel's: of the client, of a router, of the
# server. "nat": a rule changes the source of what leaves, in each of them.
remote() {
	local family=$1 nat=$2 mode ns wanted='tcp TIME_WAIT dport=7000 1,udp  dport=7001 1,'
	local modes=(off enforce defaults)

	[ -z "$nat" ] || modes=(enforce)
	for mode in "${modes[@]}"; do
		topology || return
		ip -n "$s" -batch - <<-EOT || return
			route add 10.99.0.0/24 via 10.99.9.1
			route add fd99:0::/64 via fd99:9::1
		EOT
		for ns in "$c0" "$r" "$s"; do
			in_ns "$ns" nft -f - <<-EOT || return
				table inet watch {
					chain input {
						type filter hook input priority 0
						ct state established
					}
					chain forward {
						type filter hook forward priority 0
						ct state established
					}
				}
			EOT
			[ -z "$nat" ] || in_ns "$ns" nft -f - <<-EOT || return
				table inet nat {
					chain postrouting {
						type nat hook postrouting priority srcnat
						masquerade
					}
				}
			EOT
			# A slow machine needs half a minute for what follows.
			in_ns "$ns" sysctl -qw net.netfilter.nf_conntrack_udp_timeout=120 || return
			only "$ns" linger "$mode" || return
		done
		scene "$c0" "$family" "$mode" <<-EOT || return
			netns $s
			listen S 7000
			udp T from 7001
			netns $c0
			connect c $(server "$family") 7000 from $base
			close c
			eof c.peer
			close c.peer
			udp u from $base
			ask u $(server "$family") 7001
			ask u $(server "$family") 7001
		EOT
		[ "$mode" = off ] || sleep 1.5
		for ns in c0 r s; do
			states "${!ns}" | tr '\n' ',' >"$tmp/$ns-$mode"
			note "$mode: $ns: $(<"$tmp/$ns-$mode")"
			[[ $(<"$tmp/$ns-$mode") = *"$wanted"* ]] ||
				fail "$mode: $ns has other entries" || return
			counts "${!ns}" "$mode" linger_seen=0 linger_reaped=0 || return
		done
		[ "$(waiting "$c0")" = 1 ] ||
			fail "$mode: $(waiting "$c0") sockets in TIME_WAIT" || return
	done
}

# Somebody has set the timeout for good.
fixed() {
	local family=$1 mode flow own=10.98.0.1

	[ "$family" = 4 ] || own=fd98::1
	host || return
	for mode in enforce defaults; do
		only "$a" linger "$mode" || return
		flow="-p tcp -s $own -d $(dst "$family" 1) --sport $base --dport 80"
		scene "$a" "$family" "$mode" <<-EOT || return
			listen A 15001
			connect c $(dst "$family" 1) 80 from $base
			sh conntrack -U $flow -t 300 -u FIXED_TIMEOUT >$tmp/update 2>&1 || :
			close c
			eof c.peer
			close c.peer
		EOT
		grep -q ' 1 flow.*been updated' "$tmp/update" ||
			skip "conntrack cannot fix a timeout: $(<"$tmp/update")" || return
		! busywait 1500 no_entry "$a" tcp --orig-port-src "$base" ||
			fail "$mode: the entry is gone" || return
		counts "$a" "$mode" linger_evicted=0 || return
		base=$((base + 1))
	done
}

# entry NS PORT: is there an entry of TCP from PORT?
entry() {
	! no_entry "$1" tcp --orig-port-src "$2"
}

# resets NS: how many have left.
resets() {
	local text

	text=$(in_ns "$1" nft list table inet count)
	[[ $text =~ counter\ packets\ ([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}

# The packets of another host, which tc hands to lo: received by lo is no proof that the
# peer is on this host.
misdirected() {
	local family=$1 mode other='' here=10.98.0.1 proto=ip

	[ "$family" = 4 ] || here=fd98::1 proto=ipv6
	for mode in off enforce; do
		alone || return
		new_ns other
		ip -n "$a" link set d1 netns "$other" || return
		addresses d1 10.98.0.2/24 fd98::2/64 | ip -n "$other" -batch - || return
		in_ns "$a" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.lo.rp_filter=0
		# Of TCP only, or neighbours would not find each other.
		in_ns "$a" tc qdisc add dev d0 ingress &&
			in_ns "$a" tc filter add dev d0 ingress protocol "$proto" prio 1 \
				flower ip_proto tcp action mirred ingress redirect dev lo ||
			skip "the kernel cannot redirect to lo" || return
		in_ns "$a" nft -f - <<-EOT || return
			table inet count {
				chain track {
					type filter hook input priority filter
					iifname lo ct state established accept
				}
				chain out {
					type filter hook output priority filter
					tcp flags & rst == rst counter
				}
			}
		EOT
		only "$a" linger "$mode" || return
		base=$((base + 1))
		scene "$a" "$family" "$mode" < <(
			cat <<-EOT
				listen A 7000
				netns $other
				connect c $here 7000 from $base
				netns $a
				sh nft list table inet count >$tmp/before
				close c.peer
				eof c
				sh sleep 1.5
				sh ss -Htan "sport = :7000 and dport = :$base" >$tmp/half
				sh conntrack -L -p tcp --orig-port-src $base >$tmp/entry 2>/dev/null
				close c
				sh sleep 0.8
				sh ss -Htan "sport = :7000 and dport = :$base" >$tmp/over
			EOT
		) || return
		want "$mode" answered=1 failed=0 || return
		note "$mode: half closed: $(<"$tmp/half")"
		note "$mode: both closed: $(<"$tmp/over")"
		grep -q FIN-WAIT-2 "$tmp/half" || fail "$mode: the socket in FIN_WAIT2 is gone" ||
			return
		grep -q "sport=$base" "$tmp/entry" || fail "$mode: the entry is gone" || return
		[ "$(resets "$a")" = 0 ] || fail "$mode: the FIN was answered by a reset" || return
		grep -q TIME-WAIT "$tmp/over" || fail "$mode: no socket is in TIME_WAIT" || return
		entry "$a" "$base" || fail "$mode: the entry is gone at last" || return
		counts "$a" "$mode" linger_seen=0 linger_evicted=0 linger_reaped=0 || return
	done
	# The next host needs its link.
	drop_ns
}

# Clients that reset while their connections wait for the proxy to accept them: it asks
# afterwards where they were addressed to.
unaccepted() {
	local family=$1 mode n=10 known

	host || return
	for mode in off enforce defaults; do
		only "$a" linger "$mode" || return
		scene "$a" "$family" "$mode" < <(
			cat <<-EOT
				listen A 15001 idle
				repeat $n
				start c% $(dst "$family" 1) 80 from $base+%
				up c%
				tell c%
				reset c%
				end
				sh sleep 1.5
				accept A $tmp/asked
			EOT
		) || return
		known=$(grep -cx "$(dst "$family" 1) 80" "$tmp/asked")
		note "$mode: original destination known of $known of $(wc -l <"$tmp/asked")"
		[ "$known" = "$n" ] ||
			fail "$mode: known of $known of $n: $(sort -u "$tmp/asked")" || return
		base=$((base + n))
	done
}

# A helper expects connections that belong to the flow.
helped() {
	local family=$1 backend=$2 mode tool lo

	lo=$(loopback "$family")
	modprobe -q nf_conntrack_ftp || skip "the kernel has no FTP helper" || return
	if [ "$backend" = nft ]; then
		alone && in_ns "$a" nft -f - <<-EOT || skip "nft does not take a helper" || return
			table inet help {
				ct helper ftp {
					type "ftp" protocol tcp
				}
				chain out {
					type filter hook output priority filter
					tcp dport 7000 ct helper set "ftp"
				}
			}
		EOT
	else
		tool=$(backend_tool legacy "$family")
		has_backend legacy "$family" || skip "$tool is not installed" || return
		alone && in_ns "$a" "$tool" -w -t raw -A OUTPUT -p tcp --dport 7000 \
			-j CT --helper ftp || skip "$tool has no CT" || return
		legacy_used=1
	fi
	for mode in off enforce defaults; do
		only "$a" linger "$mode" || return
		scene "$a" "$family" "$mode" <<-EOT || return
			listen A 7000
			connect c $lo 7000 from $base
			connect d $lo 7000 from $base+1
			close c
			eof c.peer
			close c.peer
			reset d
			close d.peer
		EOT
		in_ns "$a" conntrack -L -p tcp 2>/dev/null | grep -q helper=ftp ||
			fail "$mode: the flow has no helper" || return
		! busywait 1500 no_entry "$a" tcp --orig-port-src "$base" ||
			fail "$mode: the entry is gone" || return
		entry "$a" $((base + 1)) || fail "$mode: the entry that was reset is gone" || return
		counts "$a" "$mode" linger_evicted=0 || return
		base=$((base + 2))
	done
	drop_ns
}

# A socket does not know its zone, so that one that is found may be another flow's.
zoned() {
	local family=$1 mode lo

	lo=$(loopback "$family")
	alone && in_ns "$a" nft -f - <<-EOT || return
		table inet zone {
			chain out {
				type filter hook output priority raw
				tcp dport 7000 ct zone set 5
				tcp sport 7000 ct zone set 5
			}
			chain in {
				type filter hook prerouting priority raw
				tcp dport 7000 ct zone set 5
				tcp sport 7000 ct zone set 5
			}
		}
	EOT
	for mode in enforce defaults; do
		only "$a" linger "$mode" || return
		scene "$a" "$family" "$mode" <<-EOT || return
			listen A 7000
			connect c $lo 7000 from $base
			close c
			eof c.peer
			close c.peer
		EOT
		! busywait 1500 no_entry "$a" tcp --zone 5 --orig-port-src "$base" ||
			fail "$mode: the entry is gone" || return
		counts "$a" "$mode" linger_seen=0 || return
		base=$((base + 1))
	done
	drop_ns
}

# The namespace goes a moment after its flows have ended, which are to be looked at.
gone_ns() {
	local i

	for ((i = 0; i < 5; i++)); do
		alone && redirect "$a" nft 4 tcp output 80:15001 || return
		only "$a" linger enforce || return
		churn "$a" enforce -c -N 200 15001 80 "$(dst 4 1)" || return
		want enforce ok=200 || return
		drop_ns
	done
}

# Nothing is left out where there is not too much of it.
kept_up() {
	host || return
	only "$a" linger enforce || return
	churn "$a" enforce -c -N $((KSFT_CONNECTIONS / 5)) 15001 80 "$(dst 4 1)" "$(dst 4 2)" ||
		return
	soon "$a" enforce "linger_evicted>=$R_ok" linger_dropped=0
}


# More connections are reset in a proxy's accept queue than linger can keep in mind.
# It leaves them to the kernel, and counts them.
crowd() {
	local family=$1 number=5000 mode seen said fd

	((!KSFT_SLOW)) || skip "the machine is too slow to fill a queue" || return
	for mode in off enforce; do
		alone || return
		redirect "$a" nft "$family" tcp output 80:15001 || return
		in_ns "$a" sysctl -qw net.core.somaxconn=8192 net.ipv4.tcp_max_syn_backlog=8192 \
			net.netfilter.nf_conntrack_tcp_timeout_close=300 || return
		only "$a" linger "$mode" || return
		coproc in_ns "$a" "$(dirname "$0")/linger_crowd.py" 15001 \
			"$(dst "$family" 1)" 80 "$number"
		read -r said <&"${COPROC[0]}" && [ "$said" = ready ] ||
			fail "$mode: no crowd" || return
		seen=$(entries "$a" tcp)
		note "$mode: $seen entries are left"
		[ "$seen" = "$number" ] ||
			fail "$mode: $seen entries are left, not $number" || return
		case $mode in
		off) counts "$a" off linger_dropped=0 ;;
		enforce) counts "$a" enforce 'linger_dropped>=1' linger_evicted=0 ;;
		esac || return
		fd=${COPROC[1]}
		exec {fd}>&-
		wait "$COPROC_PID"
	done
}

for v in 4 6; do
	either "both sockets of a datagram flow closed, IPv$v" datagrams $v
	either "one socket of a datagram flow closed, IPv$v" datagrams_alive $v
	either "reset by the client, IPv$v" ended $v 1 $'connect c TO\nreset c\nclose c.peer'
	either "reset by the proxy, IPv$v" ended $v 1 $'connect c TO\nreset c.peer\nclose c'
	either "refused, IPv$v" ended $v 0 'connect c NOBODY'
	either "closed by the client first, IPv$v" \
		ended $v 1 $'connect c TO\nclose c\neof c.peer\nclose c.peer'
	either "closed by the proxy first, IPv$v" \
		ended $v 1 $'connect c TO\nclose c.peer\neof c\nclose c'
	either "closed by both at once, IPv$v" ended $v 1 \
		$'connect c TO\nSLOW\nclose c\nclose c.peer\nsh sleep 0.5\nFAST'
	either "reset unseen by conntrack, IPv$v" \
		unseen $v $'MUTE\nreset c\nreset c.peer\nSPEAK'
	either "taken down by TCP_REPAIR, IPv$v" unseen $v $'vanish c\nvanish c.peer'
	either "half closed by the client, IPv$v" held $v "passed=2 failed=0" \
		$'connect c TO\nshut c\nsh sleep 1.2\nCHECK\npass c.peer c\npass c.peer c'
	either "half closed by the proxy, IPv$v" held $v "passed=2 failed=0" \
		$'connect c TO\nshut c.peer\nsh sleep 1.2\nCHECK\npass c c.peer\npass c c.peer'
	either "closed by the client only, IPv$v" held $v "failed=0" \
		$'connect c TO\nclose c\nsh sleep 1.2\nCHECK\neof c.peer\nclose c.peer'
	either "a reset that is lost, IPv$v" held $v "failed=0" \
		$'connect c TO\nDEAF\nreset c\nsh sleep 1.2\nCHECK\nHEAR\ntell c.peer\nclose c.peer'
	either "a fixed timeout, IPv$v" fixed $v
done
for v in 4 6; do
	either "a flow with a remote end, IPv$v" remote $v ''
	either "a flow with a remote end, NAT on its way, IPv$v" remote $v nat
	either "a remote end whose packets come by lo, IPv$v" misdirected $v
	either "reset before the proxy accepted, IPv$v" unaccepted $v
	either "a flow with a helper, nft, IPv$v" helped $v nft
	either "a flow with a helper, CT target, IPv$v" helped $v legacy
done
for v in 4 6; do
	either "a flow in a zone, IPv$v" zoned $v
done
subtest "a namespace that goes with ended flows" gone_ns
subtest "none is left out" kept_up
subtest "entries left, REDIRECT, the client closes first, IPv4" \
	left 4 client "$(dst 4 1)" 80 enforce
subtest "entries left, the proxy closes first, IPv6" left 6 proxy ::1 15001 defaults
subtest "source ports used up, IPv4" \
	exhausted 4 1000 "$KSFT_SECONDS" off enforce defaults
subtest "source ports used up, IPv6" \
	exhausted 6 250 "$KSFT_FEW_SECONDS" off observe enforce
either "more resets than are kept in mind, IPv4" crowd 4
either "more resets than are kept in mind, IPv6" crowd 6
run_subtests
