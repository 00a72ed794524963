#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A trace tells where the packets of a flow pass, on both passes and through NAT, of
# that flow alone, and leaves nothing behind.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft exclusions_talk packets
need_module
tmpdir
tracer='' b=''

# The hooks of a trace that are there, where the kernel lists hooks (6.12 does).
hooks() {
	in_ns "$1" nft list hooks 2>/dev/null | grep -c lt_hook_trace
}

untraced() {
	[ "$(hooks "$1")" = 0 ]
}

# trace NS ARGUMENT...: in the background, into $tmp/trace.
trace() {
	looptrack -j -n "$1" trace "${@:2}" >"$tmp/trace" 2>"$tmp/complaints" &
	tracer=$!
	background+=("$tracer")
	busywait 10000 grep -q tracing "$tmp/complaints" || fail "no trace: $(<"$tmp/complaints")"
}

# ended WORD...: of a packet it is said that it came to its end, with all of the words.
ended() {
	local ends word

	ends=$(grep '"kind":"end"' "$tmp/trace") || return
	for word in "$@"; do
		ends=$(grep -F -- "$word" <<<"$ends") || return
	done
}

# no_end: of no packet it is said that it was dropped.
no_end() {
	! ended || fail "it is said to be dropped: $(grep -m1 '"kind":"end"' "$tmp/trace")"
}

# What was told has been written.
quiet() {
	local size

	size=$(stat -c %s "$tmp/trace")
	sleep 0.2
	[ "$size" != 0 ] && [ "$size" = "$(stat -c %s "$tmp/trace")" ]
}

# heard NS: all of it, then the end.
heard() {
	busywait 10000 quiet || fail "nothing is told: $(<"$tmp/complaints")" || return
	stop "$1"
}

# stop NS [SIGNAL]: the trace, with all that belongs to it.
stop() {
	kill "-${2:-TERM}" "$tracer"
	wait "$tracer" 2>/dev/null
	unset 'background[-1]'
	busywait 5000 untraced "$1" || fail "$(hooks "$1") hooks are left"
}

# value KEY LINE: a string or a number.
value() {
	[[ $2 =~ \"$1\":(\"([^\"]*)\"|([0-9]+)) ]] &&
		echo "${BASH_REMATCH[2]}${BASH_REMATCH[3]}"
}

# way STAGE...: what was traced, a line for each packet: its flags, or its protocol,
# then "hook.stage.pass" wherever it had passed these stages.
way() {
	local line stage hook pass flags was='' out=''

	while read -r line; do
		stage=$(value stage "$line")
		[[ " $* " = *" $stage "* ]] || continue
		hook=$(value hook "$line") pass=$(value pass "$line")
		flags=$(value tcp_flags "$line") || flags=$(value protocol "$line")
		if [ "$hook.$stage" = output.start ] || [ "$flags" != "$was" ]; then
			out+=$'\n'$flags:
			was=$flags
		fi
		out+=" $hook.$stage.${pass:--}"
	done <"$tmp/trace"
	echo "${out#$'\n'}"
}

# told WHERE WORD...: the first record that has all the words in WHERE has these.
told() {
	local line word ok
	local -a where

	read -ra where <<<"$1"
	shift
	while read -r line; do
		ok=1
		for word in "${where[@]}"; do
			[[ $line = *"$word"* ]] || ok=''
		done
		[ -z "$ok" ] || break
	done <"$tmp/trace"
	[ -n "$ok" ] || fail "nothing is told of ${where[*]}" || return
	for word in "$@"; do
		[[ $line = *"$word"* ]] || fail "${where[*]}: no $word in $line" || return
	done
}

passes=' postrouting.start.1 prerouting.start.2 input.start.2'

# redirected FAMILY: a connection to an address that is redirected to this host.
redirected() {
	local family=$1 there both line

	there=$(dst "$family" 1)
	alone && redirect "$a" nft "$family" tcp output 80:7000 &&
		started server "$a" exclusions_talk serve tcp 7000 || return
	[ "$family" = 4 ] && both=$there:80 || both=[$there]:80
	trace "$a" tcp '*' "$both" || return
	in_ns "$a" exclusions_talk ask tcp "$there" 80 hello >/dev/null
	heard "$a" || return

	# The first three packets, by where they were when they entered a hook. As it
	# enters the first, nobody knows that the SYN-ACK belongs to the flow.
	mapfile -t line < <(way start)
	note "${line[0]}"
	note "${line[1]}"
	note "${line[2]}"
	[ "${line[0]}" = "syn: output.start.-$passes" ] &&
		[ "${line[1]}" = "syn,ack:$passes" ] &&
		[[ ${line[2]} = *ack:" output.start.-$passes" ]] ||
		fail "the first packets are not SYN, SYN-ACK and ACK on both passes" || return

	# What NAT did, and where; what conntrack knew.
	told '"hook":"output" "stage":"conntrack"' "\"dst\":\"$there\"" '"dport":80' \
		'"state":"new"' '"is_reply":false' '"is_committed":false' &&
		told '"hook":"output" "stage":"dstnat"' "\"dst\":\"$(loopback "$family")\"" \
			'"dport":7000' '"pass":1' &&
		told '"hook":"postrouting" "stage":"end"' '"is_committed":true' &&
		told 'syn,ack "hook":"output" "stage":"conntrack"' '"state":"established"' \
			'"is_reply":true'
}

# By what NAT made of it, and by one end alone.
other_side() {
	local way port

	alone && redirect "$a" nft 4 tcp output 80:7000 &&
		started server "$a" exclusions_talk serve tcp 7000 || return
	for way in "* 127.0.0.1:7000" "*:PORT *" "127.0.0.1 10.98.0.1:PORT"; do
		port=$((base += 1))
		way=${way/PORT/$port}
		trace "$a" tcp "${way% *}" "${way#* }" || return
		in_ns "$a" exclusions_talk ask -s "$port" tcp 203.0.113.1 80 hello >/dev/null
		heard "$a" || return
		note "$way: $(way start | head -n1)"
		[[ $(way start | head -n1) = "syn:"*"$passes" ]] ||
			fail "$way: another way" || return
	done
}

# What passes through.
forwarded() {
	local family=$1 line

	topology && snat "$r" nft "$family" masquerade || return
	started server "$s" exclusions_talk serve udp 7000 || return
	trace "$r" udp '*' "*:7000" || return
	in_ns "$c0" exclusions_talk ask udp "$(server "$family")" 7000 hello >/dev/null
	heard "$r" || return
	line=$(way start | tr '\n' ' ')
	note "$line"
	[[ $line = "udp: prerouting.start.- forward.start.- postrouting.start.- prerouting"* ]] ||
		fail "another way" || return
	told '"hook":"forward" "stage":"start"' '"in":"' '"out":"' '"is_committed":false' &&
		told '"hook":"postrouting" "stage":"srcnat"' '"reply":{'
}

# A dropped packet does not get to the end, and no other flow is told.
dropped() {
	alone && in_ns "$a" nft -f - <<-EOT || return
		table inet t {
			chain in {
				type filter hook input priority filter
				udp dport 7000 drop
			}
			chain pre {
				type filter hook prerouting priority mangle
				udp dport 7000 meta mark set 0x77
			}
		}
	EOT
	trace "$a" udp '*' '127.0.0.1:7000' || return
	in_ns "$a" exclusions_talk ask -t 200 udp 127.0.0.1 7000 hello >/dev/null
	in_ns "$a" exclusions_talk ask -t 200 udp 127.0.0.1 7001 hello >/dev/null
	heard "$a" || return
	note "$(way start end)"
	told '"hook":"input" "stage":"mangle"' '"pass":2' || return
	! grep -q '"hook":"input","stage":"end"' "$tmp/trace" ||
		fail "a packet that was dropped got to the end" || return
	told '"hook":"prerouting" "stage":"mangle"' '"mark":119' || return
	! grep -q 7001 "$tmp/trace" || fail "another flow is told"
}

# send NS ADDRESS PORT [COUNT]: datagrams, without waiting for an answer.
send() {
	# shellcheck disable=SC2016 # the shell's in the namespace
	in_ns "$1" bash -c 'exec 3>"/dev/udp/$0/$1"; for ((i = 0; i < $2; i++)); do
		echo hello >&3; sleep 0.02; done 2>/dev/null; true' "$2" "$3" "${4-1}"
}

# A datagram that no socket wants.
dropped_no_socket() {
	local family=$1

	alone && trace "$a" udp '*' '*:7009' || return
	send "$a" "$(loopback "$family")" 7009
	busywait 10000 ended '"reason"' || fail "no reason: $(<"$tmp/trace")" || return
	stop "$a"
	note "$(grep '"kind":"end"' "$tmp/trace")"
	ended '"result":"dropped"' '"hook":"input","stage":"end"' '"dport":7009' \
		'"reason":"NO_SOCKET"' '"function":"__udp' || fail "not why" || return
	# No second end, also not later.
	[ "$(grep -c '"kind":"end"' "$tmp/trace")" = 1 ] || fail "more than one end"
}

# Datagrams that the socket has no room for; those it has room for are not said to be dropped.
dropped_full() {
	local family=$1 sent=40 got ends

	alone || return
	cat >"$tmp/full" <<-EOT
		import socket, sys, time
		family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
		s = socket.socket(family, socket.SOCK_DGRAM)
		s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
		s.bind((sys.argv[1], 7000))
		print("ready", flush=True)
		while not sys.stdin.readline():
		    time.sleep(0.05)
		s.setblocking(False)
		got = 0
		try:
		    while s.recv(100):
		        got += 1
		except BlockingIOError:
		    pass
		print("got", got, flush=True)
	EOT
	: >"$tmp/go"
	in_ns "$a" python3 "$tmp/full" "$(loopback "$family")" <"$tmp/go" >"$tmp/got" &
	background+=($!)
	busywait 20000 grep -q ready "$tmp/got" || fail "the socket does not come" || return
	trace "$a" udp '*' '*:7000' || return
	send "$a" "$(loopback "$family")" 7000 "$sent"
	echo >"$tmp/go"
	busywait 10000 grep -q got "$tmp/got" || fail "it does not read" || return
	heard "$a" || return
	got=$(sed -n 's/^got //p' "$tmp/got")
	ends=$(grep -c '"reason":"SOCKET_RCVBUFF"' "$tmp/trace")
	note "$sent sent, $got read, $ends dropped"
	[ "$ends" != 0 ] && [ $((got + ends)) = "$sent" ] ||
		fail "$(grep '"kind":"end"' "$tmp/trace" | head -n 3)"
}

# By a rule, which is not asked for; and what another rule accepts gets to its socket.
dropped_rule() {
	local family=$1 backend tool ok

	for backend in nft legacy; do
		alone && started server "$a" exclusions_talk serve udp 7000 || return
		tool=$(backend_tool "$backend" "$family")
		if [ "$backend" = nft ]; then
			in_ns "$a" nft -f - <<-EOT || return
				table inet t {
					chain in {
						type filter hook input priority filter
						udp dport 7001 drop
					}
				}
			EOT
		elif ! has_backend legacy "$family" ||
			! in_ns "$a" "$tool" -w -A INPUT -p udp --dport 7001 -j DROP; then
			note "no iptables-legacy"
			continue
		fi
		trace "$a" udp '*' '*' || return
		in_ns "$a" exclusions_talk ask udp "$(loopback "$family")" 7000 hello >/dev/null
		send "$a" "$(loopback "$family")" 7001
		busywait 10000 ended '"reason"' || fail "$backend: no reason" || return
		heard "$a" || return
		note "$(grep '"kind":"end"' "$tmp/trace")"
		ended '"hook":"input","stage":"mangle","next":"filter"' '"dport":7001' \
			'"reason":"NETFILTER_DROP"' '"function":"nf' ||
			fail "$backend: not why" || return
		ok=$(grep '"kind":"end"' "$tmp/trace" | grep -cv 7001)
		[ "$ok" = 0 ] || fail "$backend: what was accepted is said to be dropped" || return
	done
}

# Connections that are accepted: nothing is dropped, but what nobody listens for.
dropped_tcp() {
	local family=$1 there

	there=$(loopback "$family")
	alone && started server "$a" exclusions_talk serve tcp 7000 || return
	trace "$a" tcp '*' '*' || return
	in_ns "$a" exclusions_talk ask tcp "$there" 7000 hello >/dev/null
	busywait 10000 quiet && no_end || return
	in_ns "$a" exclusions_talk ask tcp "$there" 7001 hello >/dev/null
	busywait 10000 ended '"reason":"NO_SOCKET"' '"dport":7001' ||
		fail "a port without a socket: no reason" || return
	heard "$a"
	note "$(grep '"kind":"end"' "$tmp/trace")"
}

# Packets that are not traced are dropped, in the memory of traced ones that arrived.
dropped_memory() {
	local there

	there=$(loopback "$1")
	alone && started server "$a" exclusions_talk serve -q udp 7000 || return
	trace "$a" udp '*' '*:7000' || return
	# Both by one shell, so that the memory is that of one processor.
	# shellcheck disable=SC2016 # the shell's in the namespace
	in_ns "$a" bash -c 'exec 3>"/dev/udp/$0/7000" 4>"/dev/udp/$0/7009"
		for ((i = 0; i < 50; i++)); do echo >&3; sleep 0.02; echo >&4; done
		true' "$there" 2>/dev/null
	busywait 10000 arrived 50 ||
		fail "not 50 packets: $(grep -c '"hook":"input","stage":"end"' "$tmp/trace")" ||
		return
	heard "$a" && no_end
}

# Packets that are dropped before any stage, in the memory of equal ones that arrived. Those of
# a connected socket differ in nothing; all is done by one processor.
dropped_equal() {
	topology && in_ns "$r" nft -f - <<-EOT || return
		table netdev t {
			chain ingress {
				type filter hook ingress device c0 priority 0
				udp dport 7000 numgen inc mod 2 1 drop
			}
		}
	EOT
	started server "$r" taskset 1 exclusions_talk serve -q udp 7000 &&
		trace "$r" udp '*' '*:7000' || return
	# shellcheck disable=SC2016 # the shell's in the namespace
	in_ns "$c0" taskset 1 bash -c 'exec 3>/dev/udp/fd99:0::1/7000
		for ((i = 0; i < 100; i++)); do echo >&3; sleep 0.01; done'
	heard "$r" && no_end || return
	arrived 50 || fail "$(grep -c '"hook":"input","stage":"end"' "$tmp/trace") packets, not 50"
}

# The same, where TCP has consumed the packets, and what is dropped is not alike.
dropped_unlike() {
	topology && in_ns "$r" nft -f - <<-EOT || return
		table netdev t {
			chain ingress {
				type filter hook ingress device c0 priority 0
				udp dport 7001 drop
			}
		}
	EOT
	started server "$r" taskset 1 exclusions_talk serve tcp 7000 &&
		trace "$r" tcp '*' '*:7000' || return
	in_ns "$c0" taskset 1 bash -c 'exec 3>/dev/udp/10.99.0.1/7001
		for ((i = 0; i < 50; i++)); do
			exclusions_talk ask tcp 10.99.0.1 7000 hello >/dev/null
			for ((j = 0; j < 20; j++)); do echo >&3; done
		done'
	heard "$r" && no_end
}

# A datagram whose header is not in the linear data until UDP looks at it.
dropped_paged() {
	local to

	topology && ip -n "$r" link set c0 mtu 9000 && ip -n "$c0" link set eth mtu 9000 &&
		in_ns "$r" sysctl -qw net.ipv4.ip_early_demux=0 || return
	to=$(in_ns "$r" cat /sys/class/net/c0/address)
	trace "$r" udp '*' '*:7009' || return
	in_ns "$c0" python3 - "$to" <<-'EOT' || fail "cannot send" || return
		import socket, struct, sys
		SOL_PACKET, PACKET_VNET_HDR = 263, 15
		size = 5000
		ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + size, 1, 0x4000, 64, 17, 0,
		                 socket.inet_aton("10.99.0.2"), socket.inet_aton("10.99.0.1"))
		total = sum(struct.unpack("!10H", ip))
		total = (total & 0xffff) + (total >> 16)
		ip = ip[:10] + struct.pack("!H", 0xffff - total) + ip[12:]
		udp = struct.pack("!HHHH", 7001, 7009, 8 + size, 0)
		ether = bytes.fromhex(sys.argv[1].replace(":", "") + "0200000000010800")
		# What is linear ends with the IP header.
		vnet = struct.pack("=BBHHHH", 0, 0, len(ether + ip), 0, 0, 0)
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
		s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
		s.bind(("eth", 0x800))
		s.send(vnet + ether + ip + udp + bytes(size))
	EOT
	busywait 10000 ended '"reason":"NO_SOCKET"' || fail "no reason: $(<"$tmp/trace")" || return
	heard "$r"
	note "$(grep '"kind":"end"' "$tmp/trace")"
}

# A drop is looked at once, in however many namespaces there are traces.
dropped_once() {
	local dir=/sys/kernel/tracing ns drops probes n0='' n1='' n2='' n3=''

	[ -e "$dir/trace" ] || mount -t tracefs tracefs "$dir" 2>/dev/null
	alone && make_ns n0 n1 n2 n3 || return
	for ns in "$n0" "$n1" "$n2" "$n3"; do
		trace "$ns" udp '*' '*' || return
	done
	grep -qw lt_drop_probe "$dir/available_filter_functions" 2>/dev/null ||
		skip "the kernel does not trace functions" || return
	echo 0 >"$dir/tracing_on"
	echo lt_drop_probe >"$dir/set_ftrace_filter"
	echo function >"$dir/current_tracer"
	echo 1 >"$dir/events/skb/kfree_skb/enable"
	echo 1 >"$dir/tracing_on"
	send "$a" 127.0.0.1 7009 20
	echo 0 >"$dir/tracing_on"
	drops=$(grep -c ': kfree_skb: ' "$dir/trace")
	probes=$(grep -c ': lt_drop_probe' "$dir/trace")
	echo 0 >"$dir/events/skb/kfree_skb/enable"
	echo nop >"$dir/current_tracer"
	echo >"$dir/set_ftrace_filter"
	echo 1 >"$dir/tracing_on"
	note "$drops drops, looked at $probes times"
	# Not all that are sent get there: a socket that is refused does not send at once.
	[ "$drops" != 0 ] || fail "nothing is dropped" || return
	[ "$probes" = "$drops" ] || fail "a drop is not looked at once"
}

# arrived N: so many packets were told at the end of INPUT.
arrived() {
	[ "$(grep -c '"hook":"input","stage":"end"' "$tmp/trace")" = "$1" ]
}

# drops N FILE: so many packets were dropped by a rule.
drops() {
	[ "$(grep -c '"reason":"NETFILTER_DROP"' "$2")" = "$1" ]
}

# What is dropped elsewhere is not told here, although the memory is the same; two who trace
# there are told each what they asked for, and both what both did.
dropped_elsewhere() {
	local family=$1 there pids=() which port

	topology && in_ns "$r" nft -f - <<-EOT || return
		table inet fw {
			chain passing {
				type filter hook forward priority filter
				udp dport { 7001, 7002 } drop
			}
		}
	EOT
	there=$(server "$family")
	# The client has a trace; the namespace that drops the packets has none.
	trace "$c0" udp '*' '*' || return
	send "$c0" "$there" 7001 3
	heard "$c0" && no_end || return
	for which in one all; do
		port='*'
		[ "$which" = all ] || port='*:7001'
		looptrack -j -n "$r" trace udp '*' "$port" >"$tmp/$which" 2>"$tmp/complaints" &
		pids+=($!)
		background+=($!)
		busywait 10000 grep -q tracing "$tmp/complaints" || fail "no trace" || return
	done
	trace "$c0" udp '*' '*' || return
	for port in 7001 7002 7001 7002; do
		send "$c0" "$there" "$port"
	done
	busywait 10000 drops 2 "$tmp/one" && busywait 10000 drops 4 "$tmp/all" ||
		fail "not what each asked for: $(<"$tmp/one") $(<"$tmp/all")" || return
	heard "$c0" || return
	kill "${pids[@]}"
	wait "${pids[@]}" 2>/dev/null
	note "$(grep '"kind":"end"' "$tmp/all")"
	grep -q '"hook":"postrouting"' "$tmp/trace" || fail "nothing left" || return
	no_end || return
	! grep -q '"dport":7002' "$tmp/one" || fail "one is told of the other's" || return
	busywait 5000 untraced "$r" || fail "hooks are left"
}

# Dropped packets, traces that come and go, and at last the module.
dropped_busy() {
	local pid i

	alone || return
	# Not by in_ns, which would be a process of its own, and its child would go on.
	ip netns exec "$a" bash -c \
		'while sleep 0.02; do echo >/dev/udp/127.0.0.1/7009; done' >/dev/null 2>&1 &
	pid=$!
	background+=("$pid")
	for ((i = 0; i < 5; i++)); do
		trace "$a" udp '*' '*' || return
		busywait 10000 ended '"reason":"NO_SOCKET"' || fail "trace $i: no reason" || return
		stop "$a" KILL || return
	done
	for ((i = 0; i < 2; i++)); do
		trace "$a" udp '*' '*' || return
		busywait 10000 ended '"reason":"NO_SOCKET"' || fail "load $i: no reason" || return
		rmmod nf_looptrack || fail "the module does not go" || return
		wait "$tracer"
		unset 'background[-1]'
		modprobe nf_looptrack || fail "the module does not come again" || return
	done
	kill "$pid"
	wait "$pid" 2>/dev/null
	true
}

# What the module decides stands where it did so, if the flow is the one that is traced.
decided() {
	local port mode i line

	alone && started server "$a" exclusions_talk serve tcp 7000 &&
		started other "$a" exclusions_talk serve tcp 7001 &&
		mode "$a" linger off || return
	in_ns "$a" nft -f - <<-EOT || return
		table ip every {
			chain postrouting {
				type nat hook postrouting priority srcnat
				masquerade
			}
		}
	EOT
	for mode in off enforce; do
		mode "$a" loopsnat "$mode" && trace "$a" tcp '*' 127.0.0.1:7000 || return
		for port in 7001 7000; do
			in_ns "$a" exclusions_talk ask tcp 127.0.0.1 "$port" hello >/dev/null
		done
		heard "$a" || return
		mapfile -t line < <(grep -n -B1 -A1 '"event":' "$tmp/trace")
		[ "$mode" = off ] || break
		[ ${#line[@]} = 0 ] || fail "off, and it decided ${line[1]}" || return
	done
	note "${line[1]}"
	[ ${#line[@]} = 3 ] || fail "not one decision: ${line[*]}" || return
	[[ ${line[1]} = *'"feature":"loopsnat","decision":"restored"'*'"dport":7000'* ]] ||
		fail "not what was decided" || return
	for i in 0 2; do
		[[ ${line[i]} = *'"hook":"postrouting"'*'"tcp_flags":"syn"'* ]] ||
			fail "it stands beside ${line[i]}" || return
	done
}

# It ends with the command, however that ends.
ends() {
	local i out signal

	alone || return
	for signal in INT KILL; do
		for ((i = 0; i < 8; i++)); do
			trace "$a" udp '*' "*:$((7000 + i))" || return
		done
		[ "$(hooks "$a")" != 0 ] || note "the kernel does not list hooks"
		out=$(looptrack -n "$a" trace tcp '*' '*' 2>&1)
		[ $? = 2 ] && [[ $out = *'no more than 8'* ]] ||
			fail "a ninth: $out" || return
		kill "-$signal" "${background[@]}"
		wait "${background[@]}" 2>/dev/null
		background=()
		busywait 5000 untraced "$a" ||
			fail "$signal: $(hooks "$a") hooks are left" || return
	done
}

# A reader that is slow loses some, learns it, and nobody waits for it.
slow_reader() {
	alone && trace "$a" udp '*' '*:7000' || return
	kill -STOP "$tracer"
	in_ns "$a" packets -N 400 udp 127.0.0.1 >"$tmp/packets" ||
		fail "packets were lost: $(<"$tmp/packets")" || return
	kill -CONT "$tracer"
	in_ns "$a" packets -N 2 udp 127.0.0.1 >/dev/null
	busywait 5000 grep -q '"lost":' "$tmp/trace" ||
		fail "nobody said that $((400 * 24)) stages were too many" || return
	stop "$a"
}

# Packets under way, traces that come and go.
busy() {
	local pid i

	alone || return
	(while command packets -n "$a" -N 200 udp 127.0.0.1; do :; done) >"$tmp/busy" &
	pid=$!
	for ((i = 0; i < 5; i++)); do
		trace "$a" udp '*' '*' && stop "$a" KILL || break
	done
	kill -0 "$pid" || fail "packets were lost: $(tail -n1 "$tmp/busy")"
	kill "$pid"
	wait "$pid" 2>/dev/null
	[ -z "$reason" ]
}

# The module goes, and who traces is told.
unloaded() {
	alone && trace "$a" tcp '*' '*' || return
	rmmod nf_looptrack || fail "the module does not go" || return
	wait "$tracer"
	[ $? = 3 ] || fail "exit status is not 3: $(<"$tmp/complaints")"
	unset 'background[-1]'
	modprobe nf_looptrack || fail "the module does not come again" || return
	[ -z "$reason" ]
}

refused() {
	local out

	alone || return
	out=$(setpriv --reuid 65534 --clear-groups looptrack trace tcp '*' '*' 2>&1)
	[ $? = 4 ] && [[ $out = *CAP_NET_ADMIN* ]] || fail "an unprivileged user: $out" || return
	out=$(looptrack -n "$a" trace tcp 127.0.0.1 ::1 2>&1)
	[ $? = 2 ] && [[ $out = *'one family'* ]] || fail "two families: $out" || return
	untraced "$a" || fail "hooks are left"
}

# Other netlink sockets close, some with the port id of the trace's in another protocol or
# namespace; the trace goes on.
others_close() {
	local ns
	local -a numbers

	alone && started server "$a" exclusions_talk serve udp 7000 || return
	trace "$a" udp '*' '*:7000' || return
	# Those of other programs, and some that have the very number of the trace's.
	looptrack -n "$a" status >/dev/null && in_ns "$a" nft list ruleset >/dev/null &&
		in_ns "$a" ip link show dev lo >/dev/null || return
	new_ns b
	cat >"$tmp/close" <<-EOT
		import socket, sys
		for proto in 0, 4, 9, 12, 15, 16:
		    for portid in sys.argv[1:]:
		        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, proto)
		        try:
		            s.bind((int(portid), 0))
		        except OSError:
		            pass
		        s.close()
	EOT
	# shellcheck disable=SC2016 # awk's
	mapfile -t numbers < <(in_ns "$a" awk '$2 == 16 && $3 > 0 { print $3 }' /proc/net/netlink)
	[ ${#numbers[@]} != 0 ] || fail "there is no socket" || return
	for ns in "$a" "$b"; do
		in_ns "$ns" python3 "$tmp/close" "${numbers[@]}" || fail "cannot open sockets" ||
			return
	done
	kill -0 "$tracer" || fail "the trace has ended" || return
	in_ns "$a" exclusions_talk ask udp 127.0.0.1 7000 hello >/dev/null
	busywait 5000 grep -q '"dport":7000' "$tmp/trace" || fail "nothing is told" || return
	stop "$a"
}

# A trace that ends drops what waits in queues of user space: it does not start where there
# is a queue, unless it is to.
queue() {
	local out status

	command -v exclusions_queue >/dev/null || skip "exclusions_queue is not built" || return
	modprobe -q nfnetlink_queue || skip "the kernel has no queues" || return
	alone && started queue "$a" exclusions_queue 4242 1 || return
	out=$(timeout 10 looptrack -n "$a" trace udp '*' '*' 2>&1)
	status=$?
	note "$out"
	[ "$status" = 2 ] || fail "exit status is $status, not 2" || return
	[[ $out = *4242* && $out = *--force* ]] ||
		fail "neither the queue nor --force is named: $out" || return
	untraced "$a" || fail "hooks are left" || return
	trace "$a" --force udp '*' '*' && stop "$a" || return
	# A queue elsewhere is none of it.
	new_ns b
	trace "$b" udp '*' '*' && stop "$b"
}

# rules_trace NS ARGUMENT...: text, with the rules, in the background, into $tmp/trace.
rules_trace() {
	looptrack -n "$1" trace --rules "${@:2}" >"$tmp/trace" 2>"$tmp/complaints" &
	tracer=$!
	background+=("$tracer")
	busywait 10000 grep -q tracing "$tmp/complaints" || fail "no trace: $(<"$tmp/complaints")"
}

# line ERE...: there is such a line, behind that of the ERE before.
line() {
	local text from=1 at

	for text in "$@"; do
		at=$(tail -n "+$from" "$tmp/trace" | grep -nE -m1 -- "$text") ||
			fail "no line '$text' from line $from on: $(<"$tmp/trace")" || return
		from=$((from + ${at%%:*}))
	done
}

# The tables of traces, which are owned.
tables() {
	in_ns "$1" nft list tables | grep -c looptrack_trace_
}

no_tables() {
	[ "$(tables "$1")" = 0 ]
}

# A rule of nft that does DNAT, and one that drops, stand where the packet met them.
rules_nft() {
	local family=$1 there ip=ip handle fw

	there=$(dst "$family" 1)
	[ "$family" = 4 ] || ip=ip6
	alone && in_ns "$a" nft -f - <<-EOT || return
		table inet fw {
			chain services {
				udp dport 7001 drop comment "no # handle 99"
			}
			chain in {
				type filter hook input priority filter
				meta mark 77 accept
				udp dport { 7000, 7001 } jump services
			}
		}
		table $ip nat {
			chain out {
				type nat hook output priority -100
				$ip daddr $there udp dport 53 redirect to :7001
			}
		}
	EOT
	rules_trace "$a" udp '*' '*:53' || return
	in_ns "$a" exclusions_talk ask -t 200 udp "$there" 53 hello >/dev/null
	busywait 10000 grep -q dropped "$tmp/trace"
	stop "$a"
	note "$(<"$tmp/trace")"
	fw="of table inet fw chain"
	handle=$(in_ns "$a" nft -a list chain inet fw services |
		sed -n 's/.*dport 7001.*# handle //p')
	line '- output +start ' \
		"# output +rule [0-9]+ of table $ip nat chain out: .*53 redirect to :7001 \(acc" \
		'1 output +dstnat .*7001' '2 input +start .*7001' \
		"# input +rule [0-9]+ $fw in: .* jump services \(jump services\)\$" \
		"# input +rule $handle $fw services: udp dport 7001 drop comment" \
		"# dropped in input by rule $handle $fw services: udp dport 7001" &&
		[ "$(grep -c '# dropped' "$tmp/trace")" = 1 ] ||
		fail "${reason:-a packet has two ends}"
}

# Likewise a rule of iptables-nft; and where the trace is of the address behind NAT, the
# packets of the other direction.
rules_iptables() {
	local family=$1 there

	has_backend iptables "$family" || skip "no iptables-nft" || return
	there=$(dst "$family" 1)
	alone && redirect "$a" iptables "$family" tcp output 80:7000 &&
		started server "$a" exclusions_talk serve tcp 7000 || return
	in_ns "$a" nft -f - <<-EOT || return
		table inet seen {
			chain in {
				type filter hook input priority 10
				counter
			}
		}
	EOT
	rules_trace "$a" tcp '*' '*:80' || return
	in_ns "$a" exclusions_talk ask tcp "$there" 80 hello >/dev/null
	busywait 10000 grep -qE 'input .* syn,ack' "$tmp/trace"
	stop "$a"
	note "$(head -n 40 "$tmp/trace")"
	line '- output +start .* syn none' \
		"# output +rule [0-9]+ of table ip6? nat chain OUTPUT: .*80 .*\(accept\)" \
		'1 output +dstnat .* syn ' \
		'input .* syn ' \
		'# input +rule [0-9]+ of table inet seen chain in: counter \(continue\)' \
		'prerouting .* syn,ack ' '# input +rule [0-9]+ of table inet seen chain in: counter'
}

# The rules of kube-proxy, as iptables-save and nft write them: those that a packet for a
# service met on its way to a backend, where a network policy drops it; and the one that
# keeps other clients from a service's address outside.
rules_kube() {
	local kind=$1 family=$2 service outside backend

	service=$(dst "$family" 10) outside=$(dst "$family" 11) backend=$(server "$family")
	topology && ip -n "$r" "-$family" route add default dev s &&
		"rules_kube_$kind" "$family" "$service" "$outside" "$backend" ||
		fail "cannot set rules" || return
	rules_trace "$r" udp '*' '*' || return
	in_ns "$c0" exclusions_talk ask -t 200 udp "$service" 53 hello >/dev/null
	busywait 10000 grep -q dropped "$tmp/trace"
	in_ns "$c0" exclusions_talk ask -t 200 udp "$outside" 53 hello >/dev/null
	busywait 10000 dropped_twice
	stop "$r"
	note "$(<"$tmp/trace")"
}

dropped_twice() {
	[ "$(grep -c '# dropped' "$tmp/trace")" -ge 2 ]
}

rules_kube_iptables() {
	local family=$1 service=$2 outside=$3 backend=$4 tool=iptables-nft-restore end

	[ "$family" = 4 ] && end=$backend:53 || end=[$backend]:53 tool=ip6tables-nft-restore
	in_ns "$r" "$tool" <<-EOT
		*nat
		:KUBE-MARK-MASQ - [0:0]
		:KUBE-POSTROUTING - [0:0]
		:KUBE-SEP-C2HSGBI6UL5NCEGP - [0:0]
		:KUBE-SERVICES - [0:0]
		:KUBE-SVC-TCOU7JCQXEZGVUNU - [0:0]
		-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
		-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
		-A POSTROUTING -m comment --comment "kubernetes postrouting rules" \
			-j KUBE-POSTROUTING
		-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
		-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
		-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
		-A KUBE-POSTROUTING -j MASQUERADE --random-fully
		-A KUBE-SEP-C2HSGBI6UL5NCEGP -s $backend -m comment \
			--comment "kube-system/kube-dns:dns" -j KUBE-MARK-MASQ
		-A KUBE-SEP-C2HSGBI6UL5NCEGP -p udp -m comment \
			--comment "kube-system/kube-dns:dns" -m udp -j DNAT --to-destination $end
		-A KUBE-SERVICES -d $service -p udp -m comment \
			--comment "kube-system/kube-dns:dns cluster IP" -m udp --dport 53 \
			-j KUBE-SVC-TCOU7JCQXEZGVUNU
		-A KUBE-SVC-TCOU7JCQXEZGVUNU -d $service -p udp -m udp --dport 53 -j KUBE-MARK-MASQ
		-A KUBE-SVC-TCOU7JCQXEZGVUNU -j KUBE-SEP-C2HSGBI6UL5NCEGP
		COMMIT
		*filter
		:KUBE-FORWARD - [0:0]
		:KUBE-NWPLCY-DEFAULT - [0:0]
		:KUBE-PROXY-FIREWALL - [0:0]
		-A FORWARD -m conntrack --ctstate NEW -m comment \
			--comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
		-A FORWARD -j KUBE-NWPLCY-DEFAULT
		-A KUBE-NWPLCY-DEFAULT -d $backend -p udp -m udp --dport 53 -j DROP
		-A KUBE-PROXY-FIREWALL -d $outside -p udp -m comment \
			--comment "kube-system/kube-dns:dns traffic not accepted by KUBE-FW" \
			-m udp --dport 53 -j DROP
		COMMIT
	EOT
}

rules_kube_nft() {
	local family=$1 service=$2 outside=$3 backend=$4 ip=ip kind=ipv4_addr end=$4:53

	[ "$family" = 4 ] || ip=ip6 kind=ipv6_addr end=[$backend]:53
	in_ns "$r" nft -f - <<-EOT
		table $ip kube-proxy {
			map service-ips {
				type $kind . inet_proto . inet_service : verdict
				elements = { $service . udp . 53 : goto service-ULMVA6XW-dns }
			}
			map firewall-ips {
				type $kind . inet_proto . inet_service : verdict
				elements = { $outside . udp . 53 : goto firewall-ULMVA6XW-dns }
			}
			chain filter-forward {
				type filter hook forward priority -1
				ct state new jump firewall-check
			}
			chain firewall-check {
				$ip daddr . meta l4proto . th dport vmap @firewall-ips
			}
			chain firewall-ULMVA6XW-dns {
				drop
			}
			chain nat-prerouting {
				type nat hook prerouting priority -100
				jump services
			}
			chain nat-postrouting {
				type nat hook postrouting priority 100
				jump masquerading
			}
			chain services {
				$ip daddr . meta l4proto . th dport vmap @service-ips
			}
			chain mark-for-masquerade {
				meta mark set meta mark or 0x4000
			}
			chain masquerading {
				meta mark and 0x4000 == 0 return
				meta mark set meta mark xor 0x4000
				masquerade fully-random
			}
			chain service-ULMVA6XW-dns {
				$ip daddr $service udp dport 53 jump mark-for-masquerade
				numgen random mod 1 vmap { 0 : goto endpoint-5OJB2KTY-dns }
			}
			chain endpoint-5OJB2KTY-dns {
				meta l4proto udp dnat to $end
			}
		}
		table inet networks {
			chain forward {
				type filter hook forward priority 0
				$ip daddr $backend udp dport 53 drop
			}
		}
	EOT
}

rules_kube_of_iptables() {
	local nat='# prerouting +rule [0-9]+ of table ip6? nat chain' drop

	drop='# dropped in forward by rule [0-9]+ of table ip6? filter chain'
	rules_kube iptables "$1" &&
		line "$nat PREROUTING: .*jump KUBE-SERVICES" \
			"$nat KUBE-SERVICES: .*KUBE-SVC-TCOU7JCQXEZGVUNU" \
			"$nat KUBE-MARK-MASQ: " \
			"$nat KUBE-SVC-TCOU7JCQXEZGVUNU: .*KUBE-SEP-C2HSGBI6UL5NCEGP" \
			"$nat KUBE-SEP-C2HSGBI6UL5NCEGP: .*(dnat|DNAT).*\(accept\)" \
			"$drop KUBE-NWPLCY-DEFAULT: " "$drop KUBE-PROXY-FIREWALL: "
}

rules_kube_of_nft() {
	local nat='# prerouting +rule [0-9]+ of table ip6? kube-proxy chain' drop

	drop='# dropped in forward by rule [0-9]+ of table'
	rules_kube nft "$1" &&
		line "$nat nat-prerouting: jump services" "$nat services: .*vmap @service-ips" \
			"$nat mark-for-masquerade: " "$nat service-ULMVA6XW-dns: numgen random" \
			"$nat endpoint-5OJB2KTY-dns: .*dnat to .*53 \(accept\)" \
			"$drop inet networks chain forward: .*udp dport 53 drop" \
			"$drop ip6? kube-proxy chain firewall-ULMVA6XW-dns: drop"
}

# What is forwarded and dropped by a policy; and what ends without a rule.
rules_policy() {
	local family=$1

	topology && in_ns "$r" nft -f - <<-EOT || return
		table inet fw {
			chain passing {
				type filter hook forward priority filter; policy drop;
				ct state established accept
			}
		}
	EOT
	rules_trace "$r" udp '*' '*' || return
	in_ns "$c0" exclusions_talk ask -t 200 udp "$(server "$family")" 7000 hello >/dev/null
	busywait 10000 grep -q dropped "$tmp/trace"
	# No rule, but a route.
	in_ns "$r" nft delete table inet fw && ip -n "$r" route add blackhole 203.0.113.9 &&
		ip -n "$r" route add blackhole 2001:db8::9 || return
	in_ns "$c0" exclusions_talk ask -t 200 udp "$(dst "$family" 9)" 7009 hello >/dev/null
	busywait 10000 grep -q 'behind the end' "$tmp/trace"
	stop "$r"
	note "$(<"$tmp/trace")"
	line 'forward +start ' \
		'# dropped in forward by the policy of table inet fw chain passing$' \
		'# (dropped|freed) behind the end of prerouting: .*:7009$' &&
		! grep 'behind the end' "$tmp/trace" | grep -q ':7000$' ||
		fail "${reason:-a packet has two ends}"
}

# A table of our own is there while it runs, and goes with it, however it ends. It does not
# make conntrack begin.
rules_end() {
	local signal

	alone || return
	for signal in TERM INT KILL; do
		rules_trace "$a" udp '*' '127.0.0.1:7000' || return
		[ "$(tables "$a")" = 1 ] || fail "$(tables "$a") tables" || return
		stop "$a" "$signal" || return
		no_tables "$a" || fail "$signal: a table is left" || return
	done
	# A pipe whose reader has gone.
	looptrack -n "$a" trace --rules udp '*' '127.0.0.1:7000' 2>/dev/null | true &
	busywait 5000 no_tables "$a"
	in_ns "$a" packets -N 4 udp 127.0.0.1 >/dev/null
	busywait 5000 no_tables "$a" || fail "a table is left behind a pipe" || return
	rules_trace "$a" udp '*' '*:7000' || return
	in_ns "$a" packets -N 4 udp 127.0.0.1 >/dev/null
	busywait 5000 grep -q input "$tmp/trace"
	stop "$a"
	! grep -qE ' (new|established)( |$)' "$tmp/trace" || fail "conntrack has begun" || return
}

# A trace of IPv4 matches by conntrack's entries where conntrack watches IPv4, and has it
# watch nothing of IPv6.
rules_family() {
	local entries

	alone && in_ns "$a" nft -f - <<-EOT || return
		table ip nat {
			chain out {
				type nat hook output priority -100
				udp dport 9999 redirect to :7001
			}
		}
	EOT
	rules_trace "$a" udp 127.0.0.1 127.0.0.1:7000 || return
	in_ns "$a" nft list tables | grep -q '^table ip looptrack_trace_' ||
		fail "it is no table of IPv4: $(in_ns "$a" nft list tables)" || return
	# While the sockets are there, so are the entries.
	entries=$(in_ns "$a" bash -c 'exec 3>/dev/udp/127.0.0.1/7000 4>/dev/udp/::1/7000
		echo >&3; echo >&4; conntrack -L -f ipv4; conntrack -L -f ipv6' 2>/dev/null)
	stop "$a"
	note "$entries"
	[[ $entries = *127.0.0.1* ]] || fail "there is no entry of IPv4" || return
	[[ $entries != *::1* ]] || fail "conntrack has begun with IPv6"
}

# load_drop NS COMMENT: a table anew, whose only rule has the handle that the last one had.
load_drop() {
	in_ns "$1" nft -f - <<-EOT
		table inet t
		delete table inet t
		table inet t {
			chain in {
				type filter hook input priority filter
				udp dport 7001 drop comment "$2"
			}
		}
	EOT
}

# send_dropped NS N: a packet, which is the Nth that is told to be dropped.
send_dropped() {
	in_ns "$1" bash -c 'echo hello >/dev/udp/127.0.0.1/7001'
	busywait 5000 eval "[ \$(grep -c '# dropped' '$tmp/trace') = $2 ]" ||
		fail "not $2 dropped: $(<"$tmp/trace")"
}

# After a reload of the rules a handle is that of another rule: the old one's text is not
# shown any more.
rules_replaced() {
	alone && load_drop "$a" first && rules_trace "$a" udp '*' '*:7001' &&
		send_dropped "$a" 1 && load_drop "$a" second && send_dropped "$a" 2 || return
	sleep 2
	send_dropped "$a" 3 || return
	stop "$a"
	note "$(<"$tmp/trace")"
	[ "$(grep -c '# dropped .*"first"' "$tmp/trace")" = 1 ] ||
		fail "the text of a rule that is gone" || return
	line '# dropped .*"first"' '# dropped ' '# dropped .*"second"'
}

# Tables of iptables-legacy, which would log each packet, keep the rules from being traced,
# unless it is forced.
rules_legacy() {
	local out status

	has_backend legacy 4 || skip "no iptables-legacy" || return
	alone && rules_trace "$a" udp '*' '*' && stop "$a" || return
	! grep -q iptables-legacy "$tmp/complaints" || fail "there is no such table" || return
	in_ns "$a" iptables-legacy -w -t mangle -L >/dev/null 2>&1 ||
		skip "the kernel has no iptables-legacy" || return
	out=$(timeout 10 looptrack -n "$a" trace --rules udp '*' '*' 2>&1)
	status=$?
	note "$out"
	[ "$status" = 2 ] || fail "exit status is $status, not 2" || return
	[[ $out = *"iptables-legacy has tables here (IPv4 mangle)"*--force* ]] ||
		fail "neither the table nor --force is named: $out" || return
	no_tables "$a" && untraced "$a" || fail "it is traced" || return
	trace "$a" udp '*' '*' && stop "$a" || return
	rules_trace "$a" --force udp '*' '*' && stop "$a" || return
	grep -q 'iptables-legacy has tables here (IPv4 mangle)' "$tmp/complaints" ||
		fail "no warning: $(<"$tmp/complaints")"
}

# Packets are counted, not lines; dropped ones, too.
counted() {
	local way n port rules pid packets

	alone && in_ns "$a" nft -f - <<-EOT || return
		table inet t {
			chain in {
				type filter hook input priority filter
				udp dport 7001 drop
			}
		}
	EOT
	# One that is dropped counts: by a rule, that is asked for or not, and by nothing
	# but the lack of a socket.
	for way in "2 7001 --rules" "2 7001" "2 7002"; do
		read -r n port rules <<<"$way"
		looptrack -n "$a" trace ${rules:+"$rules"} -C "$n" udp '*' "*:$port" >"$tmp/trace" \
			2>"$tmp/complaints" &
		pid=$!
		background+=("$pid")
		busywait 10000 grep -q tracing "$tmp/complaints" || fail "no trace" || return
		in_ns "$a" bash -c "for i in 1 2 3; do echo hello >/dev/udp/127.0.0.1/$port; done"
		busywait 5000 eval "! kill -0 $pid" || fail "it goes on after $n packets" || return
		unset 'background[-1]'
		packets=$(grep -c 'output *start' "$tmp/trace")
		note "$packets packets, $(grep -c . "$tmp/trace") lines"
		[ "$packets" = "$n" ] || fail "$packets packets, not $n: $(<"$tmp/trace")" || return
		[ "$(grep -c '# dropped' "$tmp/trace")" = "$n" ] ||
			fail "not $n dropped: $(<"$tmp/trace")" || return
	done
}

subtest "a redirected connection, both passes, IPv4" redirected 4
subtest "a redirected connection, both passes, IPv6" redirected 6
subtest "named by what NAT made of it" other_side
either "what is forwarded, IPv4" forwarded 4
either "what is forwarded, IPv6" forwarded 6
subtest "a packet that is dropped" dropped
either "no socket, IPv4" dropped_no_socket 4
either "no socket, IPv6" dropped_no_socket 6
either "a socket that is full, IPv4" dropped_full 4
either "a socket that is full, IPv6" dropped_full 6
either "a rule that is not asked for, IPv4" dropped_rule 4
either "a rule that is not asked for, IPv6" dropped_rule 6
either "connections, and one that is refused, IPv4" dropped_tcp 4
either "connections, and one that is refused, IPv6" dropped_tcp 6
either "dropped in another namespace, IPv4" dropped_elsewhere 4
either "dropped in another namespace, IPv6" dropped_elsewhere 6
either "memory of packets that arrived, IPv4" dropped_memory 4
either "memory of packets that arrived, IPv6" dropped_memory 6
subtest "no socket, and the header is in a page" dropped_paged
subtest "memory of equal packets that arrived" dropped_equal
subtest "memory of connections" dropped_unlike
subtest "traces in many namespaces, dropped in another one" dropped_once
subtest "packets are dropped, traces and the module come and go" dropped_busy
subtest "what the module decides" decided
subtest "it ends with the command" ends
subtest "a reader that is slow" slow_reader
subtest "it comes and goes under traffic" busy
subtest "other sockets close" others_close
subtest "where packets wait in queues" queue
either "rules of nft, IPv4" rules_nft 4
either "rules of nft, IPv6" rules_nft 6
either "rules of iptables-nft, IPv6" rules_iptables 6
either "rules of iptables-nft, IPv4" rules_iptables 4
either "rules of kube-proxy by iptables-nft, IPv4" rules_kube_of_iptables 4
either "rules of kube-proxy by iptables-nft, IPv6" rules_kube_of_iptables 6
either "rules of kube-proxy by nft, IPv6" rules_kube_of_nft 6
either "rules of kube-proxy by nft, IPv4" rules_kube_of_nft 4
either "a policy, and an end without a rule, IPv4" rules_policy 4
either "a policy, and an end without a rule, IPv6" rules_policy 6
subtest "the table of the rules goes with the command" rules_end
subtest "rules that are replaced" rules_replaced
subtest "rules, and conntrack watches one family" rules_family
subtest "rules of iptables-legacy" rules_legacy
subtest "packets are counted" counted
subtest "the module goes" unloaded
subtest "who may not, and what makes no sense" refused
run_subtests
