#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the module costs, in instructions. For a machine with one CPU whose clock
# counts them: "make bench" starts one. The same traffic is measured without the
# module and with its features in each mode, in turns; the figure is the median of
# all batches of all rounds. The mode "express" is enforce, and that feature, too;
# "unowned" is enforce without origin.

bench=$(dirname "$(readlink -f "$0")")
lib=$bench/..
[ -e "$lib/lib.sh" ] || lib=$bench # installed, all files lie together
PATH=$bench:$bench/../../build/selftests/bench:$PATH
# shellcheck source=../lib.sh
. "$lib/lib.sh"

: "${KSFT_BENCH_ROUNDS:=3}"
# The most it may cost, in percent; "off" may cost nothing that can be measured.
limit_udp=1.0
limit_tcp=2.0
limit_loop=3.0
limit_off=0.2
# What origin may add.
limit_origin=1.0
# The share that express may leave, with many rules and with none, in percent.
limit_ruled=65
limit_plain=100

modes=(without enforce observe off express unowned)
redirected=203.0.113.1
features=(clash stale ports linger origin)

host='' ruled='' bare='' loop=''
# what -> its name in the table
declare -A title=(
	[udp]='UDP send+receive over lo, NAT rule'
	[ruled]='the same, 200 INPUT and OUTPUT rules'
	[tcp]='TCP connect+close, MASQUERADE'
	[loop]='TCP connect+close over lo, REDIRECT'
	[bare]='UDP send+receive over lo, no NAT'
)

# switch MODE: in all namespaces of the test.
switch() {
	local ns feature mode=$1

	case $1 in
	express | unowned) mode=enforce ;;
	esac
	[ ! -d /sys/module/nf_looptrack ] || rmmod nf_looptrack || return
	[ "$1" != without ] || return 0
	modprobe nf_looptrack || return
	for ns in "${namespaces[@]}"; do
		for feature in "${features[@]}"; do
			mode "$ns" "$feature" "$mode" || return
		done
		[ "$1" != off ] || mode "$ns" loopguard off || return
		[ "$1" != express ] || mode "$ns" express enforce || return
		[ "$1" != unowned ] || mode "$ns" origin off || return
	done
}

# A namespace without sockets in TIME_WAIT, the last in the list.
fresh_loop() {
	if [ -n "$loop" ]; then
		ip netns del "$loop"
		unset 'namespaces[-1]'
	fi
	new_ns loop
	ip -n "$loop" -batch - <<-EOT || return
		link add out type dummy
		addr add 10.99.7.1/24 dev out
		link set out up
		route add default via 10.99.7.2
	EOT
	in_ns "$loop" nft -f - <<-EOT
		table ip nat {
			chain output {
				type nat hook output priority -100
				ip daddr $redirected tcp dport 7000 redirect to :7000
			}
		}
	EOT
}

prepare() {
	tmpdir
	topology
	snat "$r" nft 4 masquerade || return
	# A host with a NAT rule, though not for this flow; and one without.
	new_ns host ruled bare
	one_nat_rule "$host" && one_nat_rule "$ruled" && many_rules | in_ns "$ruled" nft -f -
}

one_nat_rule() {
	in_ns "$1" nft -f - <<-EOT
		table ip nat {
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname "eth" masquerade
			}
		}
	EOT
}

# None of them matches.
many_rules() {
	local hook i

	echo "table ip many {"
	for hook in input output; do
		echo "chain $hook { type filter hook $hook priority filter"
		for ((i = 1; i <= 200; i++)); do
			echo "udp dport $i counter drop"
		done
		echo "}"
	done
	echo "}"
}

# Measures all there is in one mode; a file for each holds all its batches.
play() {
	local what

	fresh_loop || return
	switch "$1" || return
	cost -n "$host" -b 5 -o 2000 udp 127.0.0.1 >"$tmp/now.udp" || return
	cost -n "$ruled" -b 3 -o 500 udp 127.0.0.1 >"$tmp/now.ruled" || return
	cost -n "$bare" -b 3 -o 2000 udp 127.0.0.1 >"$tmp/now.bare" || return
	# The flows of a batch would still be in the table in the next one. What RCU frees
	# at its end is counted or not, as it comes: a batch is so long that this is little.
	cost -n "$c0" -S "$s" -b 3 -o 2000 -e "ip netns exec $r conntrack -F 2>/dev/null" \
		tcp "$server4" >"$tmp/now.tcp" || return
	cost -n "$loop" -b 4 -o 1000 -e "ip netns exec $loop conntrack -F 2>/dev/null" \
		loop "$redirected" >"$tmp/now.loop" || return
	for what in udp ruled bare tcp loop; do
		cat "$tmp/now.$what" >>"$tmp/$what.$1"
		median "$tmp/now.$what" >>"$tmp/$what.$1.rounds"
	done
}

median() {
	sort -n "$1" | awk '{ v[NR] = $1 }
		END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

# overhead WHAT MODE: in percent
overhead() {
	awk -v with="$(median "$tmp/$1.$2")" -v without="$(median "$tmp/$1.without")" \
		'BEGIN { printf "%+.2f\n", (with / without - 1) * 100 }'
}

# spread: how far apart the medians of the rounds of one mode are at most, in percent
spread() {
	local file

	for file in "$tmp"/*.rounds; do
		sort -n "$file" | awk 'NR == 1 { first = $1 } END { print ($1 / first - 1) * 100 }'
	done | sort -n | awk 'END { printf "%.2f\n", $1 }'
}

table() {
	local what mode

	printf '%-37s' "instructions, $(uname -r | cut -d- -f1 | cut -d+ -f1)"
	printf '%9s' "${modes[0]}"
	printf '%17s' "${modes[@]:1}"
	echo
	for what in udp ruled tcp loop bare; do
		printf '%-37s%9.0f' "${title[$what]}" "$(median "$tmp/$what.without")"
		for mode in "${modes[@]:1}"; do
			printf '%8.0f (%+.2f%%)' "$(median "$tmp/$what.$mode")" \
				"$(overhead "$what" "$mode")"
		done
		echo
	done
}

# Once, for all subtests.
measured=''
measure() {
	local i mode

	[ "$measured" != no ] || fail "nothing was measured" || return
	[ -z "$measured" ] || return 0
	measured=no
	prepare || fail "cannot set up" || return
	for ((i = 1; i <= KSFT_BENCH_ROUNDS; i++)); do
		for mode in "${modes[@]}"; do
			play "$mode" || fail "cannot measure $mode" || return
		done
		note "round $i of $KSFT_BENCH_ROUNDS done"
	done
	note "$(table)"
	note "median of $KSFT_BENCH_ROUNDS rounds, whose own medians differ by at most $(spread) %"
	measured=yes
}

# within LIMIT PERCENT: a figure, and not above the limit.
within() {
	[[ $2 =~ ^[-+]?[0-9.]+$ ]] || fail "not a figure: $2" || return
	awk -v p="$2" -v limit="$1" 'BEGIN { exit !(p <= limit) }' ||
		fail "$2 % is more than $1 %"
}

# at_most LIMIT WHAT MODE: percent above what it costs without the module.
at_most() {
	local percent

	measure || return
	percent=$(overhead "$2" "$3")
	note "${title[$2]}, $3: $percent %, at most $1 %"
	within "$1" "$percent"
}

# adds LIMIT WHAT: percent that origin adds to the rest.
adds() {
	local percent

	measure || return
	percent=$(awk -v with="$(median "$tmp/$2.enforce")" \
		-v without="$(median "$tmp/$2.unowned")" \
		'BEGIN { printf "%+.2f\n", (with / without - 1) * 100 }')
	note "${title[$2]}, origin: $percent %, at most $1 %"
	within "$1" "$percent"
}

# no_more_than LIMIT WHAT: percent of what it costs without the module, with express.
no_more_than() {
	local percent

	measure || return
	percent=$(awk -v o="$(overhead "$2" express)" 'BEGIN { print 100 + o }')
	note "${title[$2]}, express: $percent %, at most $1 %"
	within "$1" "$percent"
}

need ip nft conntrack cost
need_module
counts_instructions ||
	skip_all "the clock does not count instructions: run it by vm -i"

subtest "UDP send+receive, enforce: at most $limit_udp %" at_most "$limit_udp" udp enforce
subtest "TCP connect+close, enforce: at most $limit_tcp %" at_most "$limit_tcp" tcp enforce
subtest "TCP connect+close over lo, enforce: at most $limit_loop %" \
	at_most "$limit_loop" loop enforce
subtest "TCP connect+close over lo, origin: at most $limit_origin %" adds "$limit_origin" loop
subtest "UDP send+receive, off: nothing" at_most "$limit_off" udp off
subtest "UDP send+receive, 200 rules, express: at most $limit_ruled %" \
	no_more_than "$limit_ruled" ruled
subtest "UDP send+receive, no filter rules, express: at most $limit_plain %" \
	no_more_than "$limit_plain" udp
run_subtests
