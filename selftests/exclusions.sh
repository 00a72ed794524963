#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The flows that the commit has to leave to the kernel, and those that look as
# if it had to: each works the same with the mode off and with enforce, is
# counted as documented, and the kernel has nothing to complain about.
#
# Where a clash matters it is made without luck: an NFQUEUE between NAT and the
# commit holds two packets until both have chosen their ports.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft conntrack
need_module
tmpdir

# ms to wait for an answer: long, or less than the first retransmission
# timer, so that what is answered has lost no packet.
long=$((KSFT_SLOW ? 30000 : 8000))
short=$((KSFT_SLOW ? 990 : 900))

##############################################################################
# What the subtests share

# both NAME ARGUMENT...: the function NAME sets the scene, then NAME_traffic is
# seen with each mode. It reads $mode, and leaves in want_committed,
# want_excluded and want_repicked what enforce has to count.
both() {
	local mode

	cleanup
	tmpdir
	"$@" || return
	kmsg_here
	for mode in off enforce; do
		mode "$r" clash "$mode" || return
		in_ns "$r" conntrack -F >/dev/null 2>&1
		looptrack -n "$r" reset
		want_committed=0 want_excluded=0 want_repicked=0
		"$1_traffic" "${@:2}" || return
		counted || return
	done
	! kmsg_complains || fail "the kernel complained"
}

# The counters are as they should be.
counted() {
	local stats committed excluded repicked seen

	stats=$(looptrack -j -n "$r" stats)
	committed=$(json clash_committed <<<"$stats")
	excluded=$(json clash_excluded <<<"$stats")
	repicked=$(json clash_repicked <<<"$stats")
	seen=$(json clash_seen <<<"$stats")
	note "$mode: committed $committed, excluded $excluded, seen $seen, repicked $repicked"
	if [ "$mode" = off ]; then
		[ "$committed $excluded $seen $repicked" = "0 0 0 0" ] ||
			fail "mode off counts"
		return
	fi
	[ "$committed" = "$want_committed" ] ||
		fail "$committed flows committed by the module, not $want_committed" || return
	[ "$excluded" = "$want_excluded" ] ||
		fail "$excluded flows excluded, not $want_excluded" || return
	[ "$repicked" = "$want_repicked" ] && [ "$seen" = "$want_repicked" ] ||
		fail "$seen clashes seen, $repicked flows picked again, not $want_repicked" ||
		return
	[ "$(json clash_exhausted <<<"$stats")" = 0 ] || fail "a flow found no port"
}

talk() {
	in_ns "$1" exclusions_talk "${@:2}"
}

# ask NS ARGUMENT...: leaves the answer in $answer, the time in $took.
answer='' took=''
ask() {
	read -r took answer < <(talk "$1" ask -t "$long" "${@:2}" 2>&1)
	note "$mode: $answer ($took ms)"
}

# told WANTED: the answer is what the pattern says.
told() {
	# shellcheck disable=SC2053 # a pattern
	[[ $answer = $1 ]] || fail "$mode: the answer is \"$answer\", not \"$1\""
}

# together VERB NS0 ARGUMENTS0 NS1 ARGUMENTS1: two clients at the same time, the
# arguments of each in one word. What they print is left in $tmp/0 and $tmp/1.
together() {
	local at i verb=$1 pids=()

	at=$((${EPOCHREALTIME/[.,]/} / 1000 + 1000 * (1 + 4 * KSFT_SLOW)))
	shift
	for i in 0 1; do
		# shellcheck disable=SC2086 # several words
		talk "$1" "$verb" -a "$at" -t "$short" $2 >"$tmp/$i" 2>&1 &
		pids+=($!)
		shift 2
	done
	wait "${pids[@]}"
	for i in 0 1; do
		note "$mode: client $i: $(<"$tmp/$i")"
	done
}

# one_or_both WANTED0 WANTED1: of two clients that clashed one was answered with
# the mode off, both with enforce, and both see different ports then.
one_or_both() {
	local i answers=0 answer

	for i in 0 1; do
		read -r _ answer <"$tmp/$i"
		# shellcheck disable=SC2053 # a pattern
		[[ $answer = $1 ]] && answers=$((answers + 1))
		shift
	done
	if [ "$mode" = off ]; then
		[ "$answers" = 1 ] || fail "off: $answers answers, there was no clash"
	else
		[ "$answers" = 2 ] || fail "enforce: $answers of 2 clients answered"
	fi
}

# hold COUNT HOOK PRIORITY MATCH [MS]: packets in $r that match wait in a queue until
# COUNT of them are there, or none has come for MS. With a count of 1 all, else those of
# flows that are not committed yet.
hold() {
	command -v exclusions_queue >/dev/null || skip "exclusions_queue is not built" || return
	modprobe -q nfnetlink_queue
	in_ns "$r" nft -f - <<-EOT || skip "nft cannot queue" || return
		table inet hold {
			chain hold {
				type filter hook $2 priority $3
				$([ "$1" = 1 ] || echo "ct status confirmed accept")
				$4 queue num 7
			}
		}
	EOT
	started queue "$r" exclusions_queue 7 "$1" ${5:+"$5"}
}

# waiting COUNT: that many packets wait in the queue.
waiting() {
	# shellcheck disable=SC2016 # awk's
	in_ns "$r" awk -v count="$1" '$1 == 7 { exit !($3 == count) }' \
		/proc/net/netfilter/nfnetlink_queue
}

# held COUNT: that many packets were let go at once, once in this mode. An answer may be
# faster than the line that tells of them.
held() {
	busywait 5000 grep -qx "$1" "$tmp/queue" ||
		fail "$mode: $1 packets did not meet in the queue" || return
	: >"$tmp/queue"
}

# rules: nft rules from standard input, in $r.
rules() {
	in_ns "$r" nft -f - || fail "nft does not take the rules"
}

##############################################################################
# FTP with helper

ftp() {
	topology && snat "$r" nft 4 masquerade || return
	modprobe -q nf_nat_ftp || skip "the kernel has no FTP helper" || return
	command -v /usr/bin/python3 >/dev/null || skip "python3 is not installed" || return
	if [ "$1" = nft ]; then
		rules <<-EOT || return
			table ip ftp {
				ct helper ftp { type "ftp" protocol tcp; }
				chain prerouting {
					type filter hook prerouting priority filter
					tcp dport 21 ct helper set "ftp"
				}
			}
		EOT
	else
		has_backend legacy 4 || skip "iptables-legacy is not installed" || return
		in_ns "$r" iptables-legacy -w -t raw -A PREROUTING -p tcp --dport 21 \
			-j CT --helper ftp || fail "no rule with a helper" || return
	fi
	started ftp "$s" exclusions_ftp.py serve
}

ftp_traffic() {
	local how expected helped

	for how in passive active; do
		answer=$(in_ns "$c0" exclusions_ftp.py get "$server4" "$how" "$how-$mode" 2>&1)
		note "$mode: $answer"
		# The last address: whom the server reached for the data, or
		# who came for it. Without the helper it would be the client.
		told "$how-$mode 10.99.9.1 10.99.9.1" || return
	done
	helped=$(in_ns "$r" conntrack -L -p tcp 2>/dev/null | grep -c helper=ftp)
	expected=$(in_ns "$r" conntrack -L -p tcp -u EXPECTED 2>/dev/null | grep -c .)
	[ "$helped $expected" = "2 2" ] ||
		fail "$helped flows have a helper, $expected were expected" || return
	want_excluded=4
}

##############################################################################
# SYNPROXY

synproxy() {
	topology && snat "$r" nft 4 masquerade || return
	in_ns "$r" sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0 \
		net.ipv4.tcp_syncookies=1 net.ipv4.tcp_timestamps=1
	if [ "$1" = nft ]; then
		in_ns "$r" nft -f - <<-EOT || skip "no synproxy" || return
			table ip proxy {
				chain prerouting {
					type filter hook prerouting priority raw
					tcp dport 7000 tcp flags syn notrack
				}
				chain forward {
					type filter hook forward priority filter
					tcp dport 7000 ct state invalid,untracked \\
						synproxy mss 1460 wscale 7 timestamp sack-perm
				}
			}
		EOT
	else
		has_backend legacy 4 || skip "iptables-legacy is not installed" || return
		in_ns "$r" iptables-legacy -w -t raw -A PREROUTING -p tcp --syn --dport 7000 \
			-j CT --notrack &&
			in_ns "$r" iptables-legacy -w -A FORWARD -p tcp --dport 7000 \
				-m conntrack --ctstate INVALID,UNTRACKED -j SYNPROXY \
				--mss 1460 --wscale 7 --timestamp --sack-perm ||
			skip "no SYNPROXY" || return
	fi
	started server "$s" exclusions_talk serve tcp 7000
}

# Cookies that came back, of all CPUs.
cookies() {
	local n sum=0

	while read -r _ _ _ n _; do
		sum=$((sum + 16#$n))
	done < <(in_ns "$r" tail -n +2 /proc/net/stat/synproxy)
	echo "$sum"
}

synproxy_traffic() {
	local ns before

	before=$(cookies)
	for ns in "$c0" "$c1" "$c0" "$c1"; do
		ask "$ns" tcp "$server4" 7000 "proxied-$mode"
		told "proxied-$mode 10.99.9.1 * 7000" || return
	done
	[ $(($(cookies) - before)) = 4 ] || fail "not all came by the synproxy" || return
	want_excluded=4
}

##############################################################################
# IPVS

ipvs() {
	local port

	command -v ipvsadm >/dev/null || skip "ipvsadm is not installed" || return
	topology && snat "$r" nft 4 masquerade || return
	modprobe -q ip_vs_rr && in_ns "$r" sysctl -qw net.ipv4.vs.conntrack=1 ||
		skip "the kernel has no IPVS with conntrack" || return
	ip -n "$r" addr add 10.99.7.1/32 dev lo
	in_ns "$r" ipvsadm -A -t 10.99.7.1:7000 -s rr || fail ipvsadm || return
	for port in 7001 7002; do
		in_ns "$r" ipvsadm -a -t 10.99.7.1:7000 -r "$server4:$port" -m ||
			fail ipvsadm || return
		started "server$port" "$s" exclusions_talk serve tcp "$port" || return
	done
}

ipvs_traffic() {
	local ns seen=()

	for ns in "$c0" "$c1" "$c0" "$c1"; do
		ask "$ns" tcp 10.99.7.1 7000 "balanced-$mode"
		told "balanced-$mode 10.99.9.1 * 700[12]" || return
		seen+=("${answer##* }")
	done
	[[ "${seen[*]}" = "7001 7002 7001 7002" || "${seen[*]}" = "7002 7001 7002 7001" ]] ||
		fail "not in turns: ${seen[*]}" || return
	want_excluded=4
}

##############################################################################
# Packets that share an entry

# Source and port of MESSAGE at each of the receivers, which all have to get it
# once and from the same source: that of the rule.
same_for_all() {
	local message=$1 file seen=() n

	shift
	for file; do
		busywait 5000 grep -q "^$message " "$tmp/$file" ||
			fail "$mode: $file did not get $message" || return
	done
	sleep 0.2
	for file; do
		n=$(grep -c "^$message " "$tmp/$file")
		[ "$n" = 1 ] || fail "$mode: $file got $message $n times" || return
		seen+=("$(grep "^$message " "$tmp/$file")")
	done
	note "$mode: $(printf '%s; ' "${seen[@]}")"
	[ "$(printf '%s\n' "${seen[@]}" | sort -u | wc -l)" = 1 ] ||
		fail "$mode: the receivers see different sources" || return
	[[ ${seen[0]} = "$message 10.99.8.1 "2[0-9][0-9][0-9][0-9]" 7000" ]] ||
		fail "$mode: the rule was not obeyed: ${seen[0]}"
}

share_rule() {
	rules <<-EOT
		table ip nat {
			chain postrouting {
				type nat hook postrouting priority srcnat
				udp dport 7000 snat to 10.99.8.1:20000-29999
			}
		}
	EOT
}

# A bridge with three ports in $r; $c0 sends. The two others have the same
# addresses and never say a word, so that their MAC is not known to it.
bridge_mac=02:00:00:00:00:50
flood() {
	local ns

	modprobe -q br_netfilter && command -v bridge >/dev/null ||
		skip "the kernel has no br_netfilter" || return
	new_ns r c0 c1 s
	ip -n "$r" link add br0 type bridge || skip "the kernel has no bridges" || return
	ip -n "$r" addr add 10.98.0.1/24 dev br0
	for ns in c0 c1 s; do
		in_ns "${!ns}" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
			net.ipv6.conf.default.disable_ipv6=1
		ip link add eth netns "${!ns}" type veth peer name "$ns" netns "$r"
		ip -n "$r" link set "$ns" master br0 up
	done
	for ns in "$c1" "$s"; do
		ip -n "$ns" link set eth address "$bridge_mac"
		ip -n "$ns" addr add 10.98.0.3/24 dev eth
	done
	ip -n "$c0" addr add 10.98.0.2/24 dev eth
	for ns in "$c0" "$c1" "$s"; do
		ip -n "$ns" link set eth up
	done
	ip -n "$r" link set br0 up
	ip -n "$c0" neigh replace 10.98.0.3 lladdr "$bridge_mac" dev eth
	in_ns "$r" sysctl -qw net.bridge.bridge-nf-call-iptables=1 || return
	share_rule || return
	started r "$r" exclusions_talk serve -q udp 7000 &&
		started c1 "$c1" exclusions_talk serve -q udp 7000 &&
		started s "$s" exclusions_talk serve -q udp 7000
}

flood_traffic() {
	# To two ports and the bridge itself.
	ask "$c0" -q udp 10.98.0.255 7000 "broadcast-$mode"
	same_for_all "broadcast-$mode" c1 s r || return
	ask "$c0" -q udp 10.98.0.3 7000 "unknown-$mode"
	same_for_all "unknown-$mode" c1 s || return
	want_excluded=2

	# To one port: its own entry.
	bridge -n "$r" fdb replace "$bridge_mac" dev c1 master static
	ask "$c0" -q udp 10.98.0.3 7000 "known-$mode"
	same_for_all "known-$mode" c1 || return
	bridge -n "$r" fdb del "$bridge_mac" dev c1 master
	! grep -q "^known-$mode" "$tmp/s" || fail "it was flooded" || return
	want_committed=1
}

group=239.1.2.3

# One copy to the wire, one back to this host.
looped() {
	topology && share_rule || return
	started r "$r" exclusions_talk serve -q -g "$group" -i s udp 7000 &&
		started s "$s" exclusions_talk serve -q -g "$group" -i eth udp 7000
}

looped_traffic() {
	ask "$r" -q -i s udp "$group" 7000 "looped-$mode"
	same_for_all "looped-$mode" r s || return
	want_excluded=1
}

# Forwarded to two devices.
routed() {
	topology && share_rule || return
	started route "$r" exclusions_talk route "$group" c0 c1 s ||
		skip "the kernel has no multicast routing" || return
	started c1 "$c1" exclusions_talk serve -q -g "$group" -i eth udp 7000 &&
		started s "$s" exclusions_talk serve -q -g "$group" -i eth udp 7000
}

routed_traffic() {
	ask "$c0" -q udp "$group" 7000 "routed-$mode"
	same_for_all "routed-$mode" c1 s || return
	want_excluded=1
}

##############################################################################
# NFQUEUE

serve_both() {
	started tcp "$s" exclusions_talk serve tcp 7000 &&
		started udp "$s" exclusions_talk serve udp 7000
}

# In the place of mangle, before NAT: each packet.
queued() {
	topology && snat "$r" nft "$1" masquerade || return
	hold 1 postrouting mangle "meta l4proto { tcp, udp }" && serve_both
}

queued_traffic() {
	local proto ns own=10.99.9.1

	[ "$1" = 4 ] || own=fd99:9::1
	for proto in tcp udp; do
		for ns in "$c0" "$c1"; do
			ask "$ns" -s 4000 "$proto" "$(server "$1")" 7000 "queued-$mode"
			told "queued-$mode $own * 7000" || return
		done
	done
	held 1 || return
	want_committed=4
}

# After NAT: two first packets.
clashing() {
	topology && snat "$r" nft "$1" masquerade || return
	hold 2 postrouting 200 "meta l4proto $2" && serve_both
}

clashing_traffic() {
	local own=10.99.9.1 to

	to=$(server "$1")
	[ "$1" = 4 ] || own=fd99:9::1
	together ask "$c0" "-s 4000 $2 $to 7000 zero-$mode" "$c1" "-s 4000 $2 $to 7000 one-$mode"
	held 2 && one_or_both "zero-$mode $own * 7000" "one-$mode $own * 7000" || return
	want_committed=2 want_repicked=1
}

# Rules that change marks are run twice for the loser of a clash; both packets leave with what
# one run makes of their marks.
marking() {
	topology && rules <<-EOT || return
		table ip nat {
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname "s" udp dport 7000 meta mark set meta mark xor 3 \
					ct mark set ct mark xor 5 masquerade
			}
		}
		table netdev seen {
			chain out {
				type filter hook egress device "s" priority 0
				udp dport 7000 meta mark 3 counter comment "right"
				udp dport 7000 meta mark != 3 counter comment "wrong"
			}
		}
	EOT
	hold 2 postrouting 200 "meta l4proto udp" && serve_both
}

# marked NAME: how many have left.
marked() {
	local text

	text=$(in_ns "$r" nft list chain netdev seen out)
	[[ $text =~ packets\ ([0-9]+)\ bytes\ [0-9]+\ comment\ \"$1\" ]] &&
		echo "${BASH_REMATCH[1]}"
}

marking_traffic() {
	local right marks

	right=$(marked right)
	together ask "$c0" "-s 4000 udp $server4 7000 zero-$mode" \
		"$c1" "-s 4000 udp $server4 7000 one-$mode"
	held 2 && one_or_both "zero-$mode 10.99.9.1 * 7000" "one-$mode 10.99.9.1 * 7000" || return
	marks=$(in_ns "$r" conntrack -L -p udp 2>/dev/null | grep -o ' mark=[0-9]*' |
		sort | uniq -c)
	note "$mode: $(($(marked right) - right)) left with the mark, $(marked wrong) without;" \
		"marks of flows:" "$marks"
	[ "$(marked wrong)" = 0 ] || fail "$mode: a packet has another mark" || return
	if [ "$mode" = enforce ]; then
		[ "$(($(marked right) - right))" = 2 ] || fail "not both have left" || return
		[[ $marks =~ ^\ *2\ +mark=5$ ]] || fail "a flow has another mark" || return
	fi
	want_committed=2 want_repicked=1
}

##############################################################################
# VRF

vrf() {
	local dev

	topology && snat "$r" nft 4 masquerade || return
	modprobe -q vrf
	ip -n "$r" link add red type vrf table 100 || skip "the kernel has no VRF" || return
	ip -n "$r" link set red up
	for dev in c0 c1 s; do
		ip -n "$r" link set "$dev" master red
	done
	# With a queueing discipline the packets go by another function.
	[ -z "$1" ] || in_ns "$r" tc qdisc replace dev red root pfifo ||
		skip "no pfifo" || return
	started server "$s" exclusions_talk serve tcp 7000
}

vrf_traffic() {
	local ns flows

	for ns in "$c0" "$c1"; do
		ask "$ns" -s 4000 tcp "$server4" 7000 "forwarded-$mode"
		told "forwarded-$mode 10.99.9.1 * 7000" || return
	done
	ask "$r" -s 4000 -i red tcp "$server4" 7000 "own-$mode"
	told "own-$mode 10.99.9.1 * 7000" || return
	flows=$(in_ns "$r" conntrack -L -p tcp 2>/dev/null | grep -c dport=7000)
	[ "$flows" = 3 ] || fail "$flows entries for 3 flows" || return
	want_committed=3
}

##############################################################################
# IPsec

# Transport mode between router and server, required for what the client says
# once it has the router's address.
esp() {
	local ns dir=(out in)

	modprobe -q esp4
	topology && snat "$r" nft 4 masquerade || return
	for ns in "$r" "$s"; do
		esp_state "$ns" 10.99.9.1 10.99.9.2 0x1001 &&
			esp_state "$ns" 10.99.9.2 10.99.9.1 0x1002 ||
			skip "the kernel has no ESP" || return
		esp_policy "$ns" "${dir[0]}" 10.99.9.1 10.99.9.2 dport &&
			esp_policy "$ns" "${dir[1]}" 10.99.9.2 10.99.9.1 sport || return
		dir=(in out)
	done
	hold 2 postrouting 200 "tcp dport 7000" &&
		started server "$s" exclusions_talk serve tcp 7000
}

# esp_state NS SRC DST SPI [MODE]
esp_state() {
	ip -n "$1" xfrm state add src "$2" dst "$3" proto esp spi "$4" mode "${5-transport}" \
		enc 'cbc(aes)' 0x000102030405060708090a0b0c0d0e0f \
		auth 'hmac(sha256)' \
		0x000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f
}

# esp_policy NS DIRECTION SRC DST dport|sport: required, both ways.
esp_policy() {
	ip -n "$1" xfrm policy add dir "$2" src "$3" dst "$4" proto tcp "$5" 7000 \
		tmpl src "$3" dst "$4" proto esp mode transport level required
}

# How many ESP packets the server has got.
esp_packets() {
	ip -n "$s" -s xfrm state get src 10.99.9.1 dst 10.99.9.2 proto esp spi 0x1001 |
		sed -n 's/.*(bytes), *\([0-9]*\)(packets).*/\1/p' | head -n 1
}

esp_traffic() {
	local before after

	before=$(esp_packets)
	together ask "$c0" "-s 4000 tcp $server4 7000 zero-$mode" \
		"$c1" "-s 4000 tcp $server4 7000 one-$mode"
	held 2 && one_or_both "zero-$mode 10.99.9.1 * 7000" "one-$mode 10.99.9.1 * 7000" || return
	after=$(esp_packets)
	note "$mode: $((after - before)) ESP packets reached the server"
	# Of each connection at least SYN, ACK and the message.
	if [ "$mode" = off ]; then
		[ $((after - before)) -ge 3 ] || fail "IPsec was not used" || return
	else
		[ $((after - before)) -ge 6 ] || fail "one flow has left IPsec" || return
	fi
	# The flow of the ESP packets is one, too.
	[ "$(in_ns "$r" conntrack -L 2>/dev/null | grep -c ' 50 ')" = 1 ] ||
		fail "no ESP flow" || return
	want_committed=3 want_repicked=1
}

# A tunnel from router to server, required for the client's port 4000 only: the server takes
# nothing from there that came without. NAT's own hook looks for the policy of a packet
# whose source it has changed. Where a flow gets its own port back, the module has to.
own_port() {
	local ip=ip client=10.99.0.2 own=10.99.0.2 from to

	[ "$1" = 4 ] || ip=ip6 client=fd99::2 own='[fd99::2]'
	from=$(router "$1") to=$(server "$1")
	modprobe -qa esp4 esp6
	topology && ip -n "$s" route add "$client" via "$from" || return
	rules <<-EOT || return
		table $ip nat {
			chain prerouting {
				type nat hook prerouting priority dstnat
				udp dport { 7001, 7002 } dnat to :7000
			}
			chain postrouting {
				type nat hook postrouting priority srcnat
				iifname "c0" udp dport 7000 snat to $own:4000-4001
			}
		}
	EOT
	tunnel "$r" out && tunnel "$s" in || return
	hold 3 postrouting 200 "udp sport 4001" 20000 && serve_both
}

# tunnel NS DIRECTION: by the variables of own_port.
tunnel() {
	esp_state "$1" "$from" "$to" 0x1001 tunnel || skip "the kernel has no ESP" || return
	ip -n "$1" xfrm policy add dir "$2" src "$client" dst "$to" proto udp sport 4000 \
		dport 7000 tmpl src "$from" dst "$to" proto esp mode tunnel level required
}

# The client's second flow from port 4000 is given port 4001, as the first one has its own.
# While it waits another flow takes 4001, and the first flow goes.
own_port_traffic() {
	local to client=10.99.0.2 pid

	[ "$1" = 4 ] || client=fd99::2
	to=$(server "$1")
	ask "$c0" -s 4000 udp "$to" 7001 "first-$mode"
	told "first-$mode $client 4000 7000" || return
	talk "$c0" ask -q -s 4001 udp "$to" 7001 "other-$mode" >/dev/null
	busywait 10000 waiting 1 || fail "$mode: no packet waits" || return
	talk "$c0" ask -t "$long" -s 4000 udp "$to" 7002 "second-$mode" >"$tmp/second" 2>&1 &
	pid=$!
	busywait 10000 waiting 2 || fail "$mode: the second flow has not got port 4001" || return
	in_ns "$r" conntrack -D -p udp --orig-port-src 4000 --orig-port-dst 7001 >/dev/null 2>&1 ||
		fail "$mode: the first flow is gone" || return
	talk "$c1" ask -q -s 4001 udp "$to" 7000 "third-$mode" >/dev/null
	wait "$pid"
	held 3 || return
	read -r _ answer <"$tmp/second"
	note "$mode: $answer"
	if [ "$mode" = off ]; then
		told timeout || return
	else
		told "second-$mode $client 4000 7000" || return
	fi
	# ESP is a flow, too.
	want_committed=5 want_repicked=1
}

##############################################################################
# LOCAL_IN

# To the router itself, which rewrites destination and source.
local_in() {
	topology || return
	# It would see the first connection's socket, and choose again itself.
	mode "$r" ports off || return
	rules <<-EOT || return
		table ip nat {
			chain prerouting {
				type nat hook prerouting priority dstnat
				iifname { "c0", "c1" } tcp dport 7000 $1
			}
			chain input {
				type nat hook input priority 100
				tcp dport 7001 snat to 10.99.8.1
			}
		}
	EOT
	# The answers need a way before they are translated back.
	ip -n "$r" route add 10.99.8.0/24 dev s
	[ "$2" = 1 ] || hold "$2" input 200 "tcp dport 7001" || return
	started server "$r" exclusions_talk serve tcp 7001
}

local_in_traffic() {
	local ns

	if [ "$2" = 1 ]; then
		for ns in "$c0" "$c1"; do
			ask "$ns" -s 4000 tcp "$server4" 7000 "local-$mode"
			told "local-$mode 10.99.8.1 * 7001" || return
		done
		want_committed=2
		return
	fi
	together ask "$c0" "-s 4000 tcp $server4 7000 zero-$mode" \
		"$c1" "-s 4000 tcp $server4 7000 one-$mode"
	held 2 && one_or_both "zero-$mode 10.99.8.1 * 7001" "one-$mode 10.99.8.1 * 7001" || return
	want_committed=2 want_repicked=1
}

##############################################################################
# REJECT

# In FORWARD, or after the source NAT of INPUT.
reject() {
	topology && snat "$r" nft 4 masquerade || return
	if [ "$1" = forward ]; then
		has_backend legacy 4 || skip "iptables-legacy is not installed" || return
		in_ns "$r" iptables-legacy -w -A FORWARD -p tcp --dport 7009 \
			-j REJECT --reject-with tcp-reset || fail "no REJECT" || return
	else
		rules <<-EOT || return
			table ip refuse {
				chain nat {
					type nat hook input priority 100
					snat to 10.99.8.1
				}
				chain input {
					type filter hook input priority 200
					tcp dport 7009 reject with tcp reset
				}
			}
		EOT
		# The reset needs a way before it is translated back.
		ip -n "$r" route add 10.99.8.0/24 dev s
	fi
	started server "$s" exclusions_talk serve tcp 7000
}

reject_traffic() {
	local ns to=$server4

	[ "$1" = forward ] || to=10.99.9.1
	for ns in "$c0" "$c1"; do
		ask "$ns" -s 4000 tcp "$to" 7009 "refused-$mode"
		told refused || return
		[ "$took" -lt "$short" ] || fail "$mode: refused after $took ms" || return
	done
	ask "$c0" -s 4000 tcp "$server4" 7000 "not-refused-$mode"
	told "not-refused-$mode 10.99.9.1 4000 7000" || return
	want_committed=1
}

##############################################################################
# Both ends first

twin() {
	topology && snat "$r" nft 4 10.99.8.1:20000-29999 || return
	in_ns "$r" nft insert rule ip nat postrouting udp dport 5000 accept &&
		in_ns "$r" nft insert rule ip nat postrouting udp sport 5000 accept ||
		fail "no rule" || return
	ip -n "$s" route add 10.99.0.0/24 via 10.99.9.1
	hold 2 postrouting 200 "meta l4proto udp"
}

arrived_off=''
twin_traffic() {
	local lines=() arrived

	together meet "$c0" "-s 5000 udp $server4 5000 client-$mode" \
		"$s" "-s 5000 udp 10.99.0.2 5000 server-$mode"
	held 2 || return
	lines=("$(grep -cx "server-$mode $server4 5000 5000" "$tmp/0")"
		"$(grep -cx "client-$mode 10.99.0.2 5000 5000" "$tmp/1")")
	[ "$(cat "$tmp/0" "$tmp/1" | wc -l)" = $((lines[0] + lines[1])) ] ||
		fail "$mode: a port was rewritten" || return
	# Two from each. Kernels before 6.12 lose the first one of one of them,
	# and it must be no more with enforce.
	arrived=$((lines[0] + lines[1]))
	[ "$mode" = off ] && arrived_off=$arrived
	[ "${lines[0]}" -ge 1 ] && [ "${lines[1]}" -ge 1 ] && [ "$arrived" -ge 3 ] &&
		[ "$arrived" -ge "$arrived_off" ] ||
		fail "$mode: only ${lines[0]} and ${lines[1]} of 2 messages arrived" || return
	# From 6.12 on confirm itself lets both go on with one entry: both are committed.
	want_committed=$(counter "$r" clash_committed)
	[ "$mode" = off ] || [[ $want_committed = [12] ]] ||
		fail "$mode: $want_committed flows committed, not one or two"
}

##############################################################################
# ICMP

echoes() {
	topology && snat "$r" nft 4 masquerade || return
	[ "$1" = 1 ] || hold "$1" postrouting 200 "meta l4proto icmp"
}

echoes_traffic() {
	local ns

	if [ "$1" = 1 ]; then
		for ns in "$c0" "$c1"; do
			ask "$ns" icmp "$server4" 4242 "echo-$mode"
			told "echo-$mode $server4 4242" || return
		done
		want_committed=2
		return
	fi
	together ask "$c0" "icmp $server4 4242 zero-$mode" "$c1" "icmp $server4 4242 one-$mode"
	held 2 && one_or_both "zero-$mode $server4 4242" "one-$mode $server4 4242" || return
	want_committed=2 want_repicked=1
}

subtest "FTP helper assigned by nft" both ftp nft
subtest "FTP helper assigned by iptables-legacy" both ftp legacy
subtest "synproxy of nft" both synproxy nft
subtest "SYNPROXY of iptables-legacy" both synproxy legacy
subtest "IPVS" both ipvs
subtest "bridge floods" both flood
subtest "multicast, looped back" both looped
subtest "multicast, routed" both routed
either "NFQUEUE before NAT, IPv4" both queued 4
either "NFQUEUE before NAT, IPv6" both queued 6
either "NFQUEUE after NAT, a clash, TCP, IPv4" both clashing 4 tcp
either "NFQUEUE after NAT, a clash, TCP, IPv6" both clashing 6 tcp
either "NFQUEUE after NAT, a clash, UDP, IPv4" both clashing 4 udp
either "NFQUEUE after NAT, a clash, UDP, IPv6" both clashing 6 udp
subtest "marks that a rule changes, a clash" both marking
subtest "VRF" both vrf ''
subtest "VRF with a queueing discipline" both vrf pfifo
subtest "IPsec for the translated address, a clash" both esp
either "IPsec for a port of the client's own, a clash, IPv4" both own_port 4
either "IPsec for a port of the client's own, a clash, IPv6" both own_port 6
subtest "redirect, source NAT in INPUT" both local_in "redirect to :7001" 1
subtest "dnat, source NAT in INPUT" both local_in "dnat to 10.99.9.1:7001" 1
subtest "dnat, source NAT in INPUT, a clash" both local_in "dnat to 10.99.9.1:7001" 2
subtest "REJECT in FORWARD" both reject forward
subtest "reject in INPUT after NAT" both reject input
subtest "UDP from both ends at once" both twin
subtest "ICMP echo, one identifier" both echoes 1
subtest "ICMP echo, one identifier, a clash" both echoes 2
run_subtests
