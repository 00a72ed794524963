#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A user who opens very many flows takes nothing away from another user: the owners of
# the other's flows stay known, and new ones become known. What a user can have the
# module allocate is bounded, and charged to the memory cgroup.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft conntrack hold many_netns
need_module
tmpdir

# The flows of the greedy user, a tenth of them of TCP; the share in the short test.
: "${KSFT_FLOWS:=$((KSFT_SLOW ? 20000 : 200000))}"
: "${KSFT_NAMESPACES:=$((KSFT_SLOW ? 100 : 1000))}"
share=4096
flows_each=300
greedy=1000
modest=1001
owners=/sys/module/nf_looptrack/parameters/owners
cgroups=/sys/fs/cgroup

# holding NAME ARGUMENT...: flows that stay open until the test ends.
holding() {
	local file=$tmp/$1

	: >"$file"
	command hold -n "$a" "${@:2}" >"$file" 2>&1 < <(exec sleep infinity) &
	background+=($!)
	busywait 600000 settled "$file" $! && grep -q ready "$file" ||
		fail "it cannot open its flows: hold ${*:2}: $(<"$file")"
}

# settled FILE PID: it is ready, or has ended.
settled() {
	grep -q ready "$1" || ! kill -0 "$2"
}

# owned PORT UID: how many flows to PORT have the user for an owner.
owned() {
	looptrack -j -n "$a" flow list --dport "$1" |
		grep -c "\"owner\":{[^}]*\"uid\":$2[,}]"
}

# want_owned TEXT PORT UID OPERATOR NUMBER
want_owned() {
	holds "$1" "flows to port $2 whose owner is $3" "$(owned "$2" "$3")" "$4" "$5"
}

# crowding SHARE FLOWS: the greedy user has far more flows than its share, if SHARE is
# given, or than all users together may have today.
crowding() {
	local flows=$2 noted dropped

	alone && redirect "$a" nft 4 tcp output 80:15001 || return
	in_ns "$a" sysctl -qw net.netfilter.nf_conntrack_udp_timeout=86400 || return
	holding modest -u "$modest" tcp 1000 127.0.0.1 7001 || return
	want_owned "before" 7001 "$modest" = 1000 || return

	holding tcp -u "$greedy" tcp $((flows / 10)) 127.0.0.1 7002 || return
	holding udp -u "$greedy" udp $((flows - flows / 10)) 127.64.0.1 7003 || return
	noted=$(($(owned 7002 "$greedy") + $(owned 7003 "$greedy")))
	note "$(in_ns "$a" sysctl -n net.netfilter.nf_conntrack_count) entries," \
		"$(owned 7001 "$modest") of 1000 owners are still known;" \
		"of the greedy user's flows $noted, at most $1;" \
		"dropped: $(counter "$a" origin_dropped)"
	want_owned "crowded" 7001 "$modest" = 1000 || return
	# One more in each of the 64 shards of the table.
	[ "$noted" -le $(($1 + 64)) ] ||
		fail "the greedy user has more than its share" || return
	counts "$a" crowded "origin_dropped>=$((flows - $1 - 64))" || return

	holding again -u "$modest" tcp 10 127.0.0.1 7004 || return
	want_owned "new flows of the other user" 7004 "$modest" = 10 || return
	dropped=$(counter "$a" origin_dropped)
	holding more -u "$greedy" tcp 10 127.0.0.1 7005 || return
	# Each takes the place of an older one of its own.
	want_owned "more flows of the greedy user" 7005 "$greedy" = 10 || return
	want_owned "after more flows" 7001 "$modest" = 1000 || return
	counts "$a" "more flows of the greedy user" "origin_dropped>=$((dropped + 10))"
}

# crowded SHARE FLOWS: with SHARE for each user.
crowded() {
	local was max status

	was=$(<"$owners")
	max=$(sysctl -n net.netfilter.nf_conntrack_max)
	echo "$1" >"$owners" || return
	sysctl -qw net.netfilter.nf_conntrack_max=$((max + $2)) || return
	crowding "$@"
	status=$?
	drop_ns
	sysctl -qw net.netfilter.nf_conntrack_max="$max"
	echo "$was" >"$owners"
	return "$status"
}

##############################################################################
# Memory

# module without|with
module() {
	if [ "$1" = with ]; then
		modprobe nf_looptrack
	elif [ -d /sys/module/nf_looptrack ]; then
		rmmod nf_looptrack
	fi || fail "cannot load or unload the module"
}

# Free objects count as used, as long as their slabs are a processor's.
shrink() {
	local file

	for file in /sys/kernel/slab/$1/shrink; do
		echo 1 >"$file"
	done
}

# What the kernel's objects take, in KiB. Pages would tell less: those that an earlier
# run has left half empty are used again.
objects() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	shrink '*'
	awk 'NR > 2 { sum += $2 * $4 } END { printf "%d\n", sum / 1024 }' /proc/slabinfo
}

# How many namespaces there are, those included that are about to go.
alive() {
	shrink net_namespace
	awk '$1 == "net_namespace" { print $2 }' /proc/slabinfo
}

few_alive() {
	sleep 1
	[ "$(alive)" -le "$1" ]
}

# filled STATE: leaves in total[STATE] and charged[STATE] what all namespaces take.
filled() {
	local state=$1 cgroup=$cgroups/looptrack-$$-$1 before pid few

	module "$state" && mkdir "$cgroup" || return
	few=$(($(alive) + 20))
	before=$(objects)
	(
		echo "$BASHPID" >"$cgroup/cgroup.procs"
		exec many_netns "$greedy" "$KSFT_NAMESPACES" "$flows_each"
	) >"$tmp/many" 2>&1 < <(exec sleep infinity) &
	pid=$!
	background+=("$pid")
	busywait 900000 settled "$tmp/many" "$pid"
	total[$state]=$(($(objects) - before))
	charged[$state]=$(($(<"$cgroup/memory.current") / 1024))
	grep -q ready "$tmp/many" || fail "no namespaces: $(<"$tmp/many")" || return
	kill "$pid"
	wait "$pid" 2>/dev/null
	busywait 600000 few_alive "$few" || fail "$(alive) namespaces are left" || return
	rmdir "$cgroup"
}

# An unprivileged user's: memory that the module adds is charged to the user's cgroup,
# and is no more than the flows are worth.
memory() {
	local -A total charged
	local state extra uncharged

	grep -qw memory "$cgroups/cgroup.controllers" 2>/dev/null ||
		skip "no memory controller in $cgroups" || return
	echo +memory >"$cgroups/cgroup.subtree_control" ||
		skip "cannot use memory cgroups" || return
	drop_ns
	for state in without with; do
		filled "$state" || return
		note "$state the module: $((total[$state] / KSFT_NAMESPACES)) KiB for each of" \
			"$KSFT_NAMESPACES namespaces with $flows_each flows," \
			"$((charged[$state] / KSFT_NAMESPACES)) KiB of them charged"
	done
	extra=$(((total[with] - total[without]) / KSFT_NAMESPACES))
	uncharged=$((extra - (charged[with] - charged[without]) / KSFT_NAMESPACES))
	note "the module: $extra KiB for each namespace, $uncharged KiB of them not charged"
	[ "$extra" -gt 0 ] && [ "$extra" -le $((flows_each / 4 + 16)) ] ||
		fail "$extra KiB for a namespace with $flows_each flows" || return
	[ "$uncharged" -le 16 ] || fail "$uncharged KiB for each namespace are not charged"
}

subtest "20000 flows, $share for each user, 1000 flows of another user" crowded $share 20000
variant "$KSFT_FLOWS flows, 65536 for each user, 1000 flows of another user" \
	crowded 65536 "$KSFT_FLOWS"
variant "memory of $KSFT_NAMESPACES namespaces of an unprivileged user" memory
run_subtests
