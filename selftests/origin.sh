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
# There may be one more than allowed in each of the 256 shards of the table.
bounded() {
	local was status

	was=$(<"$owners")
	behind_redirect 4 || return
	# Flows that stay, as linger would let go of them.
	looptrack -n "$a" set linger off || return
	echo 50 >"$owners"
	called "50 owners" 500 4
	status=$?
	restore_owners
	[ "$status" = 0 ] && want "50 owners" conns=500 right=500 || return
	counts "$a" "50 owners" "origin_noted>=500" "origin_dropped>=150"
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

for v in 4 6; do
	either "$KSFT_CONNS calls under churn, IPv$v" told $v
	either "addresses only with off, IPv$v" others $v off
	variant "addresses only with observe, IPv$v" others $v observe
done
subtest "errors, and buffers of any size" refusals
subtest "what conntrack doesn't know" untracked
subtest "flows in a zone" zoned
either "a packet that was queued to user space, IPv4" queued 4
either "a packet that was queued to user space, IPv6" queued 6
subtest "no more than allowed" bounded
subtest "forgotten with the flow and with the mode" forgotten
run_subtests
