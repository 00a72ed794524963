#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Messages that are not as they should be, from who may and from who may not, while
# flows come and go: each is answered as it has to be, nothing is set that should not
# be, and nothing is left behind.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if [ -n "${KSFT_BRIEF-}" ]; then
	: "${KSFT_MESSAGES:=20000}"
else
	: "${KSFT_MESSAGES:=1000000}"
fi

need ip nft churn packets fuzz looptrack
need_module
tmpdir
warm=''

# Connections from few ports, so that there is something to decide, and datagrams.
traffic() {
	while :; do
		command churn -n "$a" -N 40 -p 2 -c -g 2 15001 80 203.0.113.1 203.0.113.2
		command packets -n "$a" -N 5 udp 127.0.0.1
		sleep 0.5
	done >/dev/null 2>&1
}

busy_host() {
	alone && redirect "$a" nft 4 tcp output 80:15001 || return
	in_ns "$a" sysctl -qw net.ipv4.ip_local_port_range="20000 20100" || return
	in_back traffic
}

# objects: how many the kernel has of its general caches; SLUB counts them, where it
# is built to.
objects() {
	local file sum=0 count

	for file in /sys/kernel/slab/kmalloc-*; do
		echo 1 >"$file/shrink"
		read -r count _ <"$file/objects" || return
		sum=$((sum + count))
	done
	echo "$sum"
}

# No more than @1 of them.
at_most() {
	[ "$(objects)" -le "$1" ]
}

# shot COUNT [ARGUMENT...]
shot() {
	command fuzz -n "$a" -N "$@" | tee "$tmp/fuzz"
	[ "${PIPESTATUS[0]}" = 0 ] || fail "an answer was wrong"
}

# What was set makes sense, to the tool, too.
consistent() {
	local status modes proxies exempts

	status=$(looptrack -j -n "$a" status)
	modes=$(grep -oE '"mode":"[a-z]+"' <<<"$status")
	[ -n "$modes" ] && ! grep -qvE '"(off|observe|enforce)"' <<<"$modes" ||
		fail "modes: $modes" || return
	proxies=$(grep -oE '"(port|uid|cgroup)":[0-9]+' <<<"$status" | wc -l)
	[ "$proxies" -le 8 ] || fail "$proxies proxies" || return
	exempts=$(grep -oE '"from":[0-9]+' <<<"$status" | wc -l)
	[ "$exempts" -le 16 ] || fail "$exempts ranges of exempt ports" || return
	# No cgroup has a number that was made up, and so no path to be saved.
	looptrack -n "$a" set loopguard observe proxy none &&
		looptrack -n "$a" save >"$tmp/saved" && looptrack -n "$a" restore "$tmp/saved" ||
		fail "cannot be saved and restored: $(<"$tmp/saved")" || return
	looptrack -n "$a" stats >/dev/null && looptrack -n "$a" flow list >/dev/null ||
		fail "no counters, or no flows"
}

# A round that counts for nothing: what is allocated once, is there then.
warm_up() {
	[ -z "$warm" ] || return 0
	busy_host && shot 3000 && drop_ns && warm=1
}

privileged() {
	local before allowed=2000

	warm_up || return
	before=$(objects)
	busy_host && shot "$KSFT_MESSAGES" && consistent || return
	drop_ns
	[ -n "$before" ] || { note "this kernel does not count its objects" && return; }
	busywait 20000 at_most $((before + allowed)) ||
		fail "$(($(objects) - before)) objects are left" || return
	note "objects left: $(($(objects) - before))"
}

# Whatever it is: they may not.
unprivileged() {
	local before

	busy_host || return
	before=$(looptrack -n "$a" save)
	shot $((KSFT_MESSAGES / 10)) -u 65534 || return
	grep -q 'EPERM [0-9]' "$tmp/fuzz" || fail "nothing was refused" || return
	[ "$before" = "$(looptrack -n "$a" save)" ] ||
		fail "was $before, is $(looptrack -n "$a" save)"
}

unloads() {
	rmmod nf_looptrack && modprobe nf_looptrack || fail "the module does not go, or come"
}

subtest "$KSFT_MESSAGES messages" privileged
subtest "$((KSFT_MESSAGES / 10)) messages of a user who may not" unprivileged
subtest "the module can go" unloads
run_subtests
