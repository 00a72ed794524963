#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A proxy without privilege is told whom each connection comes from: addresses,
# user, process and cgroup, of the right connection; what is remembered is bounded.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

: "${KSFT_CONNS:=10000}"

need ip nft callers scene exclusions_queue looptrack
need_module
tmpdir
owners=/sys/module/nf_looptrack/parameters/owners

# called TEXT CONNECTIONS FAMILY [OPTION...]: calls to four destinations behind
# REDIRECT, by ports that are used again and again.
called() {
	local text=$1 conns=$2 family=$3 i dsts=() out

	shift 3
	for i in 1 2 3 4; do
		dsts+=("$(dst "$family" "$i")")
	done
	in_ns "$a" sysctl -qw net.ipv4.ip_local_port_range="20000 20199" || return
	out=$(callers -n "$a" -c "$conns" "$@" 15001 80 "${dsts[@]}" 2>"$tmp/complaints") ||
		fail "the callers broke: $(<"$tmp/complaints")" || return
	report "$text" "$out"
	[ ! -s "$tmp/complaints" ] || note "$(<"$tmp/complaints")"
}

behind_redirect() {
	alone && redirect "$a" "${2:-nft}" "$1" tcp output 80:15001
}

# told FAMILY: who calls is what the client says, each time.
told() {
	behind_redirect "$1" && called enforce "$KSFT_CONNS" "$1" || return
	want enforce conns="$KSFT_CONNS" right="$KSFT_CONNS" || return
	counts "$a" enforce "origin_seen>=$KSFT_CONNS" "origin_noted>=$KSFT_CONNS" origin_dropped=0
}

# others FAMILY MODE: the addresses are conntrack's to tell.
others() {
	behind_redirect "$1" && mode "$a" origin "$2" && called "$2" 100 "$1" || return
	want "$2" conns=100 blind=100 || return
	if [ "$2" = off ]; then
		counts "$a" "$2" origin_noted=0 origin_seen=0
	else
		counts "$a" "$2" origin_noted=0 "origin_seen>=100"
	fi
}

refusals() {
	local out

	behind_redirect 4 || return
	out=$(callers -n "$a" -e 15001 2>&1) || fail "it broke: $out" || return
	note "$(tail -n 3 <<<"$out")"
	[ "$out" = failed=0 ] || fail "not as it should be"
}

# What conntrack doesn't know, nobody does.
untracked() {
	local out

	alone || return
	out=$(callers -n "$a" -c 4 15001 15001 127.0.0.1 ::1 2>&1) || fail "it broke: $out" ||
		return
	report "no conntrack" "$out"
	want "no conntrack" conns=4 unknown=4
}

# zoned: a flow in a zone.
zoned() {
	behind_redirect 4 && in_ns "$a" nft -f - <<-EOT || return
		table ip zone {
			chain out {
				type filter hook output priority raw
				ct zone set 7
			}
			chain in {
				type filter hook prerouting priority raw
				ct zone set 7
			}
		}
	EOT
	called "zone 7" 100 4 -z 7 && want "zone 7" conns=100 right=100
}

# Who decides about a packet in user space, and has it sent on, is not who sends it.
queued() {
	local family=$1

	behind_redirect "$family" && in_ns "$a" nft -f - <<-EOT || skip "no queues" || return
		table inet asked {
			chain out {
				type filter hook output priority filter
				meta l4proto { tcp, udp } ct state new queue to 7
			}
		}
	EOT
	started queue "$a" exclusions_queue 7 1 || return
	scene "$a" "$family" queued < <(
		cat <<-EOT
			listen A 15001
			connect c $(dst "$family" 1) 80 from 20000
			udp B at $(loopback "$family") from 15001
			udp d
			ask d $(loopback "$family") 15001
			sh looptrack -n $a -j flow list >$tmp/queued
		EOT
	) || return
	want queued answered=2 || return
	[ "$(grep -c '"owner":{[^}]*"uid":0' "$tmp/queued")" = 2 ] &&
		! grep -q '"pid"' "$tmp/queued" || fail "$(<"$tmp/queued")"
}

restore_owners() {
	echo "$was" >"$owners"
}

# A user who opens more flows than allowed loses older owners, and has the last ones.
# There may be one more than allowed in each of the 64 shards of the table.
bounded() {
	local was status

	was=$(<"$owners")
	behind_redirect 4 || return
	# Flows that stay, as linger would let go of them.
	looptrack -n "$a" set linger off || return
	echo 10 >"$owners"
	called "10 owners" 500 4
	status=$?
	restore_owners
	[ "$status" = 0 ] && want "10 owners" conns=500 right=500 || return
	counts "$a" "10 owners" "origin_noted>=500" "origin_dropped>=10"
}

# A zone may be for replies only: the flow is found by the default one. Two seconds later
# its owner is still there.
zoned_replies() {
	behind_redirect 4 && in_ns "$a" nft -f - <<-EOT || return
		table ip zone {
			chain out {
				type filter hook output priority raw
				ct reply zone set 7
			}
		}
	EOT
	scene "$a" 4 replies <<-EOT || return
		udp B at 127.0.0.1 from 15001
		udp u from 20000
		ask u 127.0.0.1 15001
		sh sleep 2
		sh looptrack -n $a flow list --sport 20000 >$tmp/flow
	EOT
	want replies answered=1 || return
	grep -q 'owner scene' "$tmp/flow" || fail "no owner: $(<"$tmp/flow")"
}

# A flow's owner goes with it, and with the mode.
forgotten() {
	behind_redirect 4 || return
	scene "$a" 4 flows < <(
		cat <<-EOT
			listen A 15001
			connect c $(dst 4 1) 80 from 20000
			sh looptrack -n $a flow list >$tmp/live
			sh looptrack -n $a set origin observe
			sh looptrack -n $a flow list >$tmp/observed
			sh looptrack -n $a set origin enforce
			connect d $(dst 4 1) 80 from 20001
			close d
			close d.peer
			sh looptrack -n $a flow list --dport 80 --sport 20001 >$tmp/over
		EOT
	) || return
	grep -q 'owner scene\[[0-9]*\] uid 0 gid 0' "$tmp/live" ||
		fail "live: $(<"$tmp/live")" || return
	grep -q 'server established' "$tmp/observed" && ! grep -q owner "$tmp/observed" ||
		fail "observed: $(<"$tmp/observed")" || return
	busywait 5000 gone || fail "the entry is still there"
}

gone() {
	[ -z "$(looptrack -n "$a" flow list --sport 20001)" ]
}

# own_address FAMILY
own_address() {
	[ "$1" = 4 ] && echo 10.98.0.1 || echo fd98::1
}

# end FAMILY ADDRESS PORT: as the tool writes it.
end() {
	[ "$1" = 4 ] && echo "$2:$3" || echo "[$2]:$3"
}

# unnamed FILE UID: the answer in $tmp/FILE names no user but UID: it is an error, has
# nothing about a socket or a process, or names that user.
unnamed() {
	local answer

	answer=$(<"$tmp/$1")
	note "$1: $answer"
	case $answer in
	ENOENT | ENOTCONN | *": known 0 "* | *" uid $2 "*) ;;
	*) fail "$1: another user is named: $answer" ;;
	esac
}

# The entry of a live connection goes, and the server speaks first: conntrack makes an
# entry with the server as its originator. The server is not the client.
swapped() {
	local family=$1 me

	me=$(own_address "$family")
	behind_redirect "$family" || return
	# The datagram lets the scene serve its listener.
	scene "$a" "$family" swapped < <(
		cat <<-EOT
			spawn C
			on C uid 1000
			listen A 7000
			on C start c $me 7000 from 20000
			on C up c
			on C tell c
			udp d
			tell d $me 9
			lend c.peer callers -a 0 >$tmp/before
			sh conntrack -F 2>/dev/null
			tell c.peer
			sh conntrack -L -f ipv$family -p tcp 2>/dev/null >$tmp/entry
			lend c.peer callers -a 0 >$tmp/after
			sh looptrack -n $a -j resolve tcp $(end "$family" "$me" 7000) \
				$(end "$family" "$me" 20000) >$tmp/resolved 2>&1 || :
			sh looptrack -n $a -j flow list -p tcp >$tmp/list
		EOT
	) || return
	grep -q ' uid 1000 ' "$tmp/before" ||
		fail "the client was not known before: $(<"$tmp/before")" || return
	note "resolve: $(<"$tmp/resolved")"
	grep -q 'sport=7000 dport=20000 .*sport=20000 dport=7000' "$tmp/entry" ||
		fail "the entry does not have the server as its originator: $(<"$tmp/entry")" ||
		return
	unnamed after 1000 || return
	! grep -q '"owner":{[^}]*"uid":0' "$tmp/resolved" ||
		fail "resolve names the server" || return
	! grep -q '"owner":{[^}]*"uid":0' "$tmp/list" ||
		fail "flow list names the server: $(<"$tmp/list")"
}

# hold PORT: no SYN gets to it.
hold() {
	in_ns "$a" nft -f - <<-EOT
		table inet hold {
			chain in {
				type filter hook input priority 0
				tcp dport $1 drop
			}
		}
	EOT
}

# A socket that has sent its SYN only has no connection to ask about.
unconnected() {
	local family=$1 me

	me=$(own_address "$family")
	behind_redirect "$family" && hold 15009 || return
	scene "$a" "$family" unconnected < <(
		cat <<-EOT
			start y $me 15009 from 20001
			lend y callers -a 0 >$tmp/opening
		EOT
	) || return
	note "not answered yet: $(<"$tmp/opening")"
	[ "$(<"$tmp/opening")" = ENOTCONN ] || fail "in SYN_SENT it says $(<"$tmp/opening")"
}

# Likewise a socket of the same addresses and ports that is bound to another device.
foreign() {
	local other='' peer=10.98.0.2

	behind_redirect 4 || return
	new_ns other
	ip -n "$a" link set d1 netns "$other" || return
	addresses d1 "$peer/24" | ip -n "$other" -batch - || return
	scene "$a" 4 foreign < <(
		cat <<-EOT
			netns $other
			listen A 7000
			netns $a
			connect v $peer 7000 from 20000 at 10.98.0.1 dev d0
			sh looptrack -n $a -j flow list --sport 20000 >$tmp/own
			start x $peer 7000 from 20000 at 10.98.0.1 dev lo
			lend x callers -a 0 >$tmp/device
		EOT
	) || return
	note "bound to a device: $(<"$tmp/device")"
	grep -q '"owner":{[^}]*"uid":0' "$tmp/own" || fail "the owner is not known" || return
	[ "$(<"$tmp/device")" = ENOTCONN ] ||
		fail "it says of another socket's flow: $(<"$tmp/device")"
}

# Two connections of the same addresses and ports, the one within the host, the other from
# another host by a VRF, share an entry. The owner is that of the first alone.
bound() {
	local other=''

	behind_redirect 4 || return
	new_ns other
	modprobe -q vrf
	{
		echo "link set d1 netns $other"
		echo "link add v0 type vrf table 10"
		echo "link set v0 up"
		echo "link set d0 vrf v0"
		# Or these addresses would come before those of the VRF.
		echo "rule add pref 32765 table local"
		echo "rule del pref 0"
		echo "addr add 10.98.0.1/32 dev lo"
		echo "addr add 10.98.0.2/32 dev lo"
	} | ip -n "$a" -batch - || skip "the kernel has no VRF devices" || return
	addresses d1 10.98.0.2/24 | ip -n "$other" -batch - || return
	scene "$a" 4 bound < <(
		cat <<-EOT
			listen A 7000 dev v0
			listen B 7000
			connect l 10.98.0.1 7000 at 10.98.0.2 from 20000
			lend l.peer callers -a 0 >$tmp/local
			netns $other
			connect r 10.98.0.1 7000 from 20000
			netns $a
			lend r.peer callers -a 0 >$tmp/vrf
		EOT
	) || return
	want bound answered=2 by_A=1 by_B=1 || return
	grep -q " cookie [1-9]" "$tmp/local" || fail "the local client is not known" || return
	case $(<"$tmp/vrf") in
	ENOENT | *": known 0 "*) ;;
	*) fail "the remote client is said to be the local one: $(<"$tmp/vrf")" ;;
	esac
}

# A packet that no socket of the flow sends has the addresses and ports of an earlier flow.
reused() {
	local family=$1 me

	me=$(own_address "$family")
	behind_redirect "$family" && hold 15009 && looptrack -n "$a" set linger off || return
	scene "$a" "$family" reused < <(
		cat <<-EOT
			listen A 7000
			connect c $me 7000 from 20000
			sh looptrack -n $a -j flow list --sport 20000 >$tmp/first
			sh conntrack -D -p tcp --orig-port-src 20000 >/dev/null 2>&1
			vanish c.peer
			vanish c
			sh nft add rule inet hold in tcp dport 7000 drop
			segment $me 20000 $me 7000 S 1 0
			sh looptrack -n $a -j flow list --sport 20000 >$tmp/second
		EOT
	) || return
	grep -q '"owner"' "$tmp/first" || fail "no owner: $(<"$tmp/first")" || return
	grep -q '"sport":20000' "$tmp/second" || fail "there is no second flow" || return
	! grep -q '"owner"' "$tmp/second" ||
		fail "the second flow has the owner of the first: $(<"$tmp/second")"
}

# What was noted before the mode was off is not there when it is on again.
again() {
	local family=$1 lo

	lo=$(loopback "$family")
	behind_redirect "$family" && redirect "$a" nft "$family" udp output 53:15001 || return
	scene "$a" "$family" again < <(
		cat <<-EOT
			listen A 15001
			udp B at $lo from 15001
			connect c $(dst "$family" 1) 80 from 20000
			udp u from 20000
			ask u $(dst "$family" 1) 53
			sh looptrack -n $a -j flow list --sport 20000 >$tmp/first
			sh looptrack -n $a set origin off
			sh looptrack -n $a set origin enforce
			sh looptrack -n $a -j flow list --sport 20000 >$tmp/second
			lend c.peer callers -a 0 >$tmp/again
			connect d $(dst "$family" 1) 80 from 20001
			lend d.peer callers -a 0 >$tmp/new
		EOT
	) || return
	[ "$(grep -c '"owner"' "$tmp/first")" = 2 ] || fail "no owners: $(<"$tmp/first")" || return
	grep -q '"sport":20000' "$tmp/second" && ! grep -q '"owner"' "$tmp/second" ||
		fail "owners from before: $(<"$tmp/second")" || return
	[[ $(<"$tmp/again") = *": known 0 "* ]] || fail "from before: $(<"$tmp/again")" || return
	[[ $(<"$tmp/new") = *" cookie "[1-9]* ]] || fail "a new flow: $(<"$tmp/new")"
}

# A network namespace of another user and PID namespace, in which a process of the host
# has opened a flow: the user is one without a number there, and so is the process.
elsewhere() {
	local holder status

	unshare -Urnpf true 2>/dev/null || skip "no user namespaces" || return
	drop_ns
	unshare -Unpf sleep 600 2>/dev/null &
	holder=$!
	busywait 10000 holds_ns "$holder" || fail "no process there" || return
	holder=$(<"/proc/$holder/task/$holder/children")
	holder=${holder%% *}
	read_elsewhere "$1" "$holder"
	status=$?
	# unshare ignores all but that, and so does an init.
	kill -KILL "$holder"
	return "$status"
}

read_elsewhere() {
	local family=$1 holder=$2 lo enter

	lo=$(loopback "$family")
	# Users may not read the place the tests are in.
	chmod 755 "$tmp"
	cp "$(command -v callers)" "$(command -v looptrack)" "$tmp/" || return
	# Users 0 to 999 of there are those from 5000 on of the host.
	echo 0 5000 1000 >"/proc/$holder/uid_map" && echo 0 5000 1000 >"/proc/$holder/gid_map" ||
		fail "cannot number the users" || return
	printf -v a 'lt-%04x%04x-a' "$RANDOM" "$RANDOM"
	ip netns attach "$a" "$holder" || fail "cannot name the namespace" || return
	namespaces+=("$a")
	ip -n "$a" link set lo up && redirect "$a" nft "$family" tcp output 80:15001 || return
	enter="nsenter -t $holder -U -p -n --setuid 0 --setgid 0"
	scene "$a" "$family" elsewhere < <(
		cat <<-EOT
			spawn C
			on C uid 1000
			listen A 7000
			on C start c $lo 7000 from 20000
			on C up c
			on C tell c
			udp d
			tell d $lo 9
			lend c.peer callers -a 0 >$tmp/host
			lend c.peer $enter $tmp/callers -a 0 >$tmp/guest
			sh $enter $tmp/looptrack -j flow list -p tcp --sport 20000 >$tmp/list
			sh $enter $tmp/looptrack -j resolve tcp \
				$(end "$family" "$lo" 7000) \
				$(end "$family" "$lo" 20000) >$tmp/resolved
		EOT
	) || return
	note "from the host: $(<"$tmp/host")"
	note "from there: $(<"$tmp/guest"); $(<"$tmp/list")"
	grep -q ' uid 1000 gid 1000 pid [1-9]' "$tmp/host" || fail "the host does not know" ||
		return
	grep -q ' uid 65534 gid 65534 pid 0 ' "$tmp/guest" || fail "getsockopt tells" || return
	grep -q '"sport":20000' "$tmp/list" && grep -q '"uid":65534' "$tmp/list" &&
		! grep -q -e '"uid":1000' -e '"gid":1000' -e '"pid":[1-9]' "$tmp/list" ||
		fail "flow list tells: $(<"$tmp/list")" || return
	grep -q '"uid":65534' "$tmp/resolved" &&
		! grep -q -e '"uid":1000' -e '"gid":1000' -e '"pid":[1-9]' "$tmp/resolved" ||
		fail "resolve tells: $(<"$tmp/resolved")"
}

# holds_ns PID: its child is in the namespaces.
holds_ns() {
	local child

	# There is no newline.
	read -r child _ <"/proc/$1/task/$1/children"
	[ -n "$child" ] &&
		[ "$(readlink "/proc/$child/ns/net")" != "$(readlink /proc/self/ns/net)" ] &&
		[ "$(cat "/proc/$child/comm")" = sleep ]
}

for v in 4 6; do
	either "$KSFT_CONNS calls under churn, IPv$v" told $v
	either "addresses only with off, IPv$v" others $v off
	variant "addresses only with observe, IPv$v" others $v observe
done
for v in 4 6; do
	either "the server speaks first after the entry is lost, IPv$v" swapped $v
	either "a socket without a connection, IPv$v" unconnected $v
	either "a packet without a socket, IPv$v" reused $v
	either "off and on again, IPv$v" again $v
	either "read from another user and PID namespace, IPv$v" elsewhere $v
done
subtest "two connections that share an entry" bound
subtest "a socket bound to another device" foreign
subtest "errors, and buffers of any size" refusals
subtest "what conntrack doesn't know" untracked
subtest "flows in a zone" zoned
subtest "flows whose replies have a zone" zoned_replies
either "a packet that was queued to user space, IPv4" queued 4
either "a packet that was queued to user space, IPv6" queued 6
subtest "no more than allowed" bounded
subtest "forgotten with the flow and with the mode" forgotten
run_subtests
