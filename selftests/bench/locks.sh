#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Which locks a new local connection takes, and how often a processor waits for one,
# without the module and with it. The kernel's lock statistics tell
# (CONFIG_LOCK_STAT), so it is for the debug kernel, with several processors:
#	make tool && scripts/build-module debug && scripts/build-selftests
#	KSFT_SLOW=1 selftests/vm/vm -k debug -c 8 selftests/bench/locks.sh
# Run it before a change and after it. The module's locks are found by the names that
# its source gives them, so the source has to lie beside the tests.

bench=$(dirname "$(readlink -f "$0")")
lib=$bench/..
[ -e "$lib/lib.sh" ] || lib=$bench # installed, all files lie together
PATH=$bench:$bench/../../build/selftests:$PATH
# shellcheck source=../lib.sh
. "$lib/lib.sh"

: "${KSFT_SECONDS:=20}"
: "${LT_SOURCE:=$bench/../../module}"

# lock_names: of the module, as lockdep has them.
lock_names() {
	grep -rhE '(spin_lock|rwlock|mutex|seqlock|seqcount)_init\(|DEFINE_|_UNLOCKED\(' \
		--include='*.[ch]' "$LT_SOURCE" |
		sed -nE \
			-e 's/.*(spin_lock|rwlock|mutex|seqlock|seqcount)_init\((.*)\);.*/\2/p' \
			-e 's/.*DEFINE_(RAW_)?(SPINLOCK|RWLOCK|MUTEX|SEQLOCK)\((\w+)\).*/\3/p' \
			-e 's/.*_(SPIN|RW)_LOCK_UNLOCKED\(([^)]*)\).*/\2/p' | sort -u
}

# numbers FILE: of a copy of /proc/lock_stat, a line for each class:
# ACQUISITIONS CONTENTIONS MICROSECONDS-WAITED NAME
# The classes of RCU, work items and the like are no locks.
numbers() {
	awk '
		$NF ~ /^[0-9.]+$/ && NF >= 13 && $(NF - 12) ~ /:$/ {
			name = $1
			for (i = 2; i <= NF - 12; i++)
				name = name " " $i
			sub(/:$/, "", name)
			if (name !~ /^(rcu|\(|cpu_hotplug)/)
				print $(NF - 4), $(NF - 10), $(NF - 7), name
		}' "$1"
}

# counted STATE: connections churn, and each lock is counted.
counted() {
	local state=$1 i dsts=()

	for ((i = 1; i <= 4; i++)); do
		dsts+=("$(dst 4 "$i")")
	done
	alone && redirect "$a" nft 4 tcp output 80:15001 || return
	echo 0 >/proc/lock_stat
	echo 1 >/proc/sys/kernel/lock_stat
	churn "$a" "$state" -p "$(nproc)" -d "$KSFT_SECONDS" 15001 80 "${dsts[@]}"
	echo 0 >/proc/sys/kernel/lock_stat
	cp /proc/lock_stat "$tmp/$state" || return
	numbers "$tmp/$state" >"$tmp/$state.numbers"
	[ -s "$tmp/$state.numbers" ] || fail "no statistics" || return
	conns=$R_ok
	[ "${conns:-0}" -ge 100 ] || fail "only ${conns:-no} connections"
}

# Of all locks together.
sum() {
	awk -v conns="$conns" -v state="$1" '
		{ taken += $1; waited += $2; time += $3 }
		END {
			printf "%s: %.1f locks taken, %.3f waited for, %.1f us, for each of %d\n",
				state, taken / conns, waited / conns, time / conns, conns
		}' "$tmp/$1.numbers"
}

# Those of the module, and subclasses of theirs ("name/1", "name-W").
ours() {
	awk -v conns="$conns" '
		NR == FNR { known[$0]; next }
		{
			taken = $1; waited = $2; time = $3
			name = $0
			sub(/^[^ ]* [^ ]* [^ ]* /, "", name)
			class = name
			sub(/(#[0-9]+)?(\/[0-9]+)?(-[RW])?$/, "", class)
			if (class in known)
				printf "%8.3f taken %8.4f waited for %8.2f us  %s\n",
					taken / conns, waited / conns, time / conns, name
		}' "$tmp/names" "$tmp/$1.numbers" | sort -rn
}

# Where a processor waited for a lock in the module, whoever had it.
places() {
	grep -F '[nf_looptrack]' "$tmp/$1" | sort -u | head -n 20
}

locks() {
	local conns

	tmpdir
	lock_names >"$tmp/names"
	[ -s "$tmp/names" ] || fail "no locks in $LT_SOURCE" || return
	rmmod nf_looptrack && counted without || return
	note "$(sum without)"
	modprobe nf_looptrack && counted with || return
	note "$(sum with)"
	note "the module's locks, for each connection:"$'\n'"$(ours with)"
	note "the module waits:"$'\n'"$(places with)"
	[ -n "$(ours with)" ] || fail "none of the module's locks was taken: $(<"$tmp/names")"
}

need ip nft conntrack churn
need_module
[ -e /proc/lock_stat ] || skip_all "no lock statistics: the kernel needs CONFIG_LOCK_STAT"

subtest "locks of $KSFT_SECONDS seconds of connections, $(nproc) processors" locks
run_subtests
