#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The module comes and goes, and is reconfigured, while connections run through
# source NAT all the time: none of them fails or is delayed, the kernel has
# nothing to complain about, and nothing of the module stays behind. The clients
# use different source ports, so that no connection is lost for want of it.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft conntrack
need_module
tmpdir
a=''

: "${KSFT_RELOADS:=$((KSFT_SLOW ? 40 : 200))}"

# traffic NAME RACE-ARGUMENT...: until the namespaces go or settled is called.
traffic() {
	local name=$1

	shift
	command race -d -l -w 20 -r 0 -T $((KSFT_SLOW ? 5000 : 500)) "$@" \
		>"$tmp/$name" 2>"$tmp/$name.err" &
	background+=($!)
	flowing[$name]=$!
}

# settled NAME [AT-LEAST]: ends that traffic; all of it went well.
settled() {
	local name=$1 least=${2-1}

	kill -TERM "${flowing[$name]}"
	wait "${flowing[$name]}" || fail "$name: it broke: $(cat "$tmp/$name.err")" || return
	note "$name: $(cat "$tmp/$name")"
	# shellcheck disable=SC2046 # one word for each
	words $(cat "$tmp/$name")
	[ "$R_failed" = 0 ] && [ "$R_gaveup" = 0 ] && [ "$R_ok" = "$R_conns" ] ||
		fail "$name: $R_ok of $R_conns succeeded; $(cat "$tmp/$name.err")" || return
	# Of UDP nothing is sent again: what is lost has not succeeded.
	[ "$R_resent" = 0 ] || fail "$name: $R_resent of $R_conns connections lost a packet" ||
		return
	[ "$R_slow" = 0 ] || fail "$name: $R_slow of $R_conns connections were slow" || return
	[ "$R_conns" -ge "$least" ] || fail "$name: only $R_conns connections"
}

# TCP from both clients, UDP from one, and the router's own; IPv4 and IPv6.
setup() {
	local proto

	declare -gA flowing=()
	# The subtest before may have failed without it.
	modprobe nf_looptrack && topology || return
	snat "$r" nft 4 masquerade && snat "$r" nft 6 masquerade || return
	serve tcp 4 7000 && serve tcp 6 7006 && serve udp 4 7000 && serve tcp 4 7001 || return
	kmsg_here
}

all_traffic() {
	traffic tcp4 -n "$c0" -n "$c1" "$server4" 7000
	traffic tcp6 -n "$c0" -n "$c1" "$server6" 7006
	traffic udp4 -n "$c0" -b 30000 -t udp "$server4" 7000
	traffic own4 -n "$r" "$server4" 7001
}

all_settled() {
	settled tcp4 "$1" && settled tcp6 "$1" && settled udp4 && settled own4 || return
	! kmsg_complains || fail "the kernel complained"
}

# committing NS: the module has seen a flow there.
committing() {
	[ "$(counter "$1" clash_committed)" -gt 0 ]
}

# unload: a reference that is never given back would keep it from ending.
unload() {
	rmmod nf_looptrack &
	busywait 20000 ended $! || fail "rmmod does not end"
}

ended() {
	! kill -0 "$1"
}

reload() {
	local i

	setup || return
	rmmod nf_looptrack || return
	all_traffic
	for ((i = 1; i <= KSFT_RELOADS; i++)); do
		modprobe nf_looptrack || fail "load $i failed" || return
		if [ $((i % 20)) = 0 ]; then
			busywait 10000 committing "$r" || fail "load $i: sees no flow" || return
		fi
		rmmod nf_looptrack || fail "unload $i failed" || return
	done
	note "$KSFT_RELOADS loads and unloads"
	all_settled "$KSFT_RELOADS" || return
	modprobe nf_looptrack
}

modes() {
	local i mode

	setup || return
	all_traffic
	for ((i = 0; i < KSFT_RELOADS / 4; i++)); do
		for mode in observe enforce off enforce; do
			mode "$r" clash "$mode" || return
		done
	done
	note "$((KSFT_RELOADS)) changes of mode"
	all_settled "$((KSFT_RELOADS / 4))" || return
	[ "$(counter "$r" clash_committed)" -gt 0 ] || fail "no flow was seen"
}

# Namespaces go while the module holds entries and hooks there, then it goes.
namespaces() {
	local i

	for ((i = 0; i < (KSFT_SLOW ? 2 : 3); i++)); do
		setup || return
		all_traffic
		busywait 10000 committing "$r" || fail "no flow was seen" || return
		in_back looptrack -n "$r" monitor >/dev/null
		# In the middle of it all.
		for a in "$r" "$c0" "$s" "$c1"; do
			ip netns del "$a" || fail "cannot delete $a" || return
		done
		namespaces=()
		drop_ns
		unload || return
		modprobe nf_looptrack || return
		! kmsg_complains || fail "the kernel complained" || return
	done
	note "$i times"
}

# Somebody listens to events, and is told that it is over.
listener() {
	setup || return
	in_back looptrack -n "$r" monitor >"$tmp/monitor" 2>&1
	traffic tcp4 -n "$c0" -n "$c1" "$server4" 7000
	busywait 10000 committing "$r" || fail "no flow was seen" || return
	unload || return
	settled tcp4 || return
	busywait 10000 ended "${background[-2]}" || fail "the monitor did not end" || return
	modprobe nf_looptrack
	! kmsg_complains || fail "the kernel complained"
}

subtest "$KSFT_RELOADS loads and unloads under traffic" reload
subtest "modes change under traffic" modes
subtest "a listener does not keep the module" listener
subtest "namespaces go under traffic, then the module" namespaces
run_subtests
