#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `looptrack flow` and `looptrack resolve`: every entry, with what both passes, both
# socket tables and the opener's process have to say.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

: "${KSFT_FLOWS:=262144}"

need ip nft conntrack python3 scene exclusions_talk looptrack cost
need_module
tmpdir

# said NAME TEXT...: the list that the scene left in $tmp/NAME has a line with all
# of it; one that begins with "!" is not to be there.
said() {
	local name=$1 line text ok

	shift
	while read -r line; do
		ok=1
		for text; do
			case $text in
			!*) [[ $line != *"${text#!}"* ]] || ok='' ;;
			*) [[ $line = *"$text"* ]] || ok='' ;;
			esac
		done
		[ -z "$ok" ] || return 0
	done <"$tmp/$name"
	fail "$name: no line with: $*: $(<"$tmp/$name")"
}

lines() {
	[ "$(wc -l <"$tmp/$1")" = "$2" ] || fail "$1: not $2 lines: $(<"$tmp/$1")"
}

# sides FAMILY: a redirected connection and a datagram, from all sides.
sides() {
	local there lo lob thereb me=10.98.0.1

	there=$(dst "$1" 1) lo=$(loopback "$1") thereb=$there lob=$lo
	[ "$1" = 4 ] || thereb="[$there]" lob="[$lo]" me="[fd98::1]"
	alone && redirect "$a" nft "$1" tcp output 80:15001 &&
		in_ns "$a" sysctl -qw net.netfilter.nf_conntrack_acct=1 &&
		looptrack -n "$a" set passmark observe mark 1/1 || return
	scene "$a" "$1" sides < <(
		cat <<-EOT
			listen A 15001
			udp B at $lo from 7000
			connect c $there 80 from 20000
			udp u from 20001
			ask u $lo 7000
			sh looptrack -n $a flow list >$tmp/all
			sh looptrack -n $a -j flow list >$tmp/json
			sh looptrack -n $a flow list -p tcp --dport 80 --loop --uid 0 >$tmp/tcp
			sh looptrack -n $a flow list -p sctp >$tmp/none
			sh looptrack -n $a flow list --stale >$tmp/stale
			sh looptrack -n $a flow get tcp $lob:15001 $me:20000 >$tmp/get
			sh looptrack -n $a resolve tcp $lob:15001 $me:20000 >$tmp/resolve
		EOT
	) || return
	note "$(<"$tmp/tcp")"
	said all "tcp established $me:20000 -> $thereb:80 answers $lob:15001 -> $me:20000" \
		loopback 'client established uid 0' 'server established uid 0' 'owner scene[' \
		!stale !rewritten &&
		said all udp "-> $lob:7000" loopback 'first 1/' 'second 1/' 'owner scene[' \
			!answers &&
		lines tcp 1 && lines get 1 && lines none 0 && lines stale 0 &&
		said resolve "-> $thereb:80 scene[" 'uid 0 gid 0' || return
	# What was on the first pass was on the second, packets and bytes.
	[[ $(<"$tmp/tcp") =~ first\ ([0-9/]+\ [0-9/]+)\ second\ ([0-9/]+\ [0-9/]+) ]] &&
		[ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ] ||
		fail "the passes differ: $(<"$tmp/tcp")" || return
	python3 -c 'import json, sys; assert len(json.load(sys.stdin)) >= 2' <"$tmp/json" ||
		fail "no JSON: $(<"$tmp/json")"
}

# What rules drop in between is on the first pass only.
dropped() {
	alone && redirect "$a" nft 4 udp output 80:15001 &&
		in_ns "$a" sysctl -qw net.netfilter.nf_conntrack_acct=1 &&
		looptrack -n "$a" set passmark observe mark 1/1 &&
		in_ns "$a" nft -f - <<-EOT || return
			table ip gap {
				chain out {
					type filter hook postrouting priority 500
					udp dport 7001 meta length > 100 drop
				}
			}
		EOT
	cat >"$tmp/two" <<-EOT
		import socket
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(("127.0.0.1", 20005))
		s.connect(("127.0.0.1", 7001))
		s.send(b"x")
		try:
		    s.send(b"x" * 200)
		except PermissionError:
		    pass
	EOT
	scene "$a" 4 dropped < <(
		cat <<-EOT
			udp B at 127.0.0.1 from 7001
			udp u from 20001
			ask u 127.0.0.1 7001
			sh python3 $tmp/two
			sh looptrack -n $a flow list --sport 20005 >$tmp/list
		EOT
	) || return
	note "$(<"$tmp/list")"
	said list 'first 2/257' 'second 1/29'
}

# Sockets that went without a packet; a port that was rewritten.
stale() {
	alone && redirect "$a" nft 4 tcp output 80:15001 81:15001 &&
		looptrack -n "$a" set stale off ports off linger off || return
	scene "$a" 4 stale < <(
		cat <<-EOT
			listen A 15001
			connect c $(dst 4 1) 80 from 20000
			connect d $(dst 4 1) 81 from 20000 reuse
			sh looptrack -n $a flow list --stale >$tmp/none
			sh looptrack -n $a flow list --implicit-snat >$tmp/rewritten
			vanish c
			sh looptrack -n $a flow list --stale >$tmp/stale
		EOT
	) || return
	lines none 0 && lines stale 1 && said stale ':80' stale !'client ' 'server established' ||
		return
	lines rewritten 1 && said rewritten ':81' rewritten
}

# What comes from elsewhere and goes elsewhere has no owner here.
forwarded() {
	topology && snat "$r" nft 4 masquerade && server_up || return
	in_ns "$c0" bash -c "exec 3<>/dev/tcp/$server4/7000 && exec ip netns exec $r \
		looptrack flow list --dport 7000" >"$tmp/list" || return
	note "$(<"$tmp/list")"
	lines list 1 && said list established '10.99.0.2:' 'answers 10.99.9.2:7000 -> 10.99.9.1:' \
		!loopback !owner !client !'server e' !stale
}

server_up() {
	started server "$s" exclusions_talk serve tcp 7000
}

# cpu NAME COMMAND...: what it says, into $tmp/NAME; the CPU's time it takes, in ms.
cpu() {
	local TIMEFORMAT='%U %S'

	{ time "${@:2}" >"$tmp/$1" 2>/dev/null; } 2>&1 |
		awk '{ printf "%d\n", ($1 + $2) * 1000 }'
}

# All of a large table, in little memory. How long it takes is judged where the clock
# counts instructions: other users of a processor change it by half.
large() {
	local flows=$KSFT_FLOWS count rss ours theirs

	alone && redirect "$a" nft 4 udp output 80:15001 || return
	sysctl -qw net.netfilter.nf_conntrack_buckets=$((flows / 2)) \
		net.netfilter.nf_conntrack_max=$((flows * 2)) || return
	in_ns "$a" sysctl -qw net.netfilter.nf_conntrack_udp_timeout=3600 || return
	looptrack -n "$a" set linger off || return
	in_ns "$a" python3 - "$flows" <<-'EOT' || fail "cannot make the flows" || return
		import socket, sys
		nobody = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		nobody.bind(("0.0.0.0", 7000))
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		for i in range(int(sys.argv[1])):
		    s.sendto(b"x", (f"127.{1 + (i >> 16)}.{i >> 8 & 255}.{i & 255}", 7000))
	EOT
	count=$(in_ns "$a" conntrack -C)
	theirs=$(cpu theirs in_ns "$a" conntrack -L)
	ours=$(cpu ours looptrack -n "$a" flow list)
	rss=$(looptrack_rss)
	note "$count entries: $(wc -l <"$tmp/ours") listed in $ours ms of the CPU, $rss KiB"
	note "conntrack -L: $(wc -l <"$tmp/theirs") in $theirs ms"
	[ "$count" -ge "$flows" ] || fail "no more than $count entries" || return
	[ "$(wc -l <"$tmp/ours")" -ge "$count" ] || fail "some are not listed" || return
	[ "$rss" -lt 16384 ] || fail "$rss KiB" || return
	! counts_instructions || [ $((ours * 2)) -le $((theirs * 3)) ] ||
		fail "it takes more than one and a half times as long as conntrack -L"
}

# The most memory the tool has when it is at its end, in KiB.
looptrack_rss() {
	python3 - "$a" <<-'EOT'
		import subprocess, sys
		tool = subprocess.Popen(["looptrack", "-n", sys.argv[1], "flow", "list"],
		                        stdout=subprocess.PIPE)
		for i, line in enumerate(tool.stdout):
		    if i % 1000 == 0:
		        status = open(f"/proc/{tool.pid}/status").read()
		print(status.split("VmHWM:")[1].split()[0])
	EOT
}

# Where the clock counts instructions, only what is judged by it.
if ! counts_instructions; then
	either "a flow from all sides, IPv4" sides 4
	either "a flow from all sides, IPv6" sides 6
	subtest "packets dropped between the passes" dropped
	subtest "sockets that are gone, a port that was rewritten" stale
	subtest "a forwarded flow" forwarded
fi
subtest "$KSFT_FLOWS entries" large
run_subtests
