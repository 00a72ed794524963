#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the module costs, in instructions. For a machine with one CPU whose clock
# counts them: "make bench" starts one. The same traffic is measured without the
# module and with its features in each mode, in turns; the figure is the median of
# all batches of all rounds. The mode "express" is enforce, and that feature, too;
# "unowned" is enforce without origin. With "off" no feature was ever on; with "left"
# all were switched off again, and their hooks are still there. "heal" is enforce, and
# that feature, too.
# KSFT_BENCH="ROW..." measures only these rows of the table: udp oneway ruled bare flow
# socket tcp loop later asked after. The last one needs the one before it.

bench=$(dirname "$(readlink -f "$0")")
lib=$bench/..
[ -e "$lib/lib.sh" ] || lib=$bench # installed, all files lie together
PATH=$bench:$bench/../../build/selftests/bench:$PATH
# shellcheck source=../lib.sh
. "$lib/lib.sh"

: "${KSFT_BENCH_ROUNDS:=3}"
rows=(udp oneway ruled bare flow socket tcp loop later asked after)
: "${KSFT_BENCH:=${rows[*]}}"
# The most it may cost, in percent; "off" may cost nothing that can be measured.
limit_udp=1.0
limit_oneway=1.0
limit_flow=6.0
limit_tcp=2.0
limit_loop=3.0
limit_later=3.0
limit_off=0.2
# What origin may add.
limit_origin=1.0
# What heal may add: to an answered flow before and after it had a flow to ask about, and
# to that flow, questions and walks of the table included.
limit_heal=0.1
limit_after=1.0
limit_asked=2.0
# The share that express may leave, with many rules and with none, in percent.
limit_ruled=65
limit_plain=100

modes=(without enforce observe off left express unowned heal)
redirected=203.0.113.1
features=(clash stale ports linger origin)

host='' ruled='' bare='' loop=''
# row -> its name in the table
declare -A title=(
	[udp]='UDP send+receive over lo, NAT rule'
	[oneway]='UDP over lo, never answered, NAT rule'
	[ruled]='UDP over lo, 200 in and 200 out rules'
	[bare]='UDP send+receive over lo, no NAT'
	[flow]='UDP over lo, a new flow each'
	[socket]='UDP over lo, a new socket each'
	[tcp]='TCP connect+close, MASQUERADE'
	[loop]='TCP connect+close over lo, REDIRECT'
	[later]='the same, until nothing is left'
	[asked]='UDP over lo, unanswered for seconds'
	[after]='UDP send+receive over lo, after that'
)

# switch_ns NS MODE
switch_ns() {
	local feature mode=$2

	case $2 in
	without) return ;;
	express | unowned | heal) mode=enforce ;;
	left) mode=off ;;
	esac
	for feature in "${features[@]}"; do
		mode "$1" "$feature" "$mode" || return
	done
	[ "$mode" != off ] || mode "$1" loopguard off || return
	case $2 in
	express | heal) mode "$1" "$2" enforce || return ;;
	esac
	[ "$2" != unowned ] || mode "$1" origin off
}

# switch MODE: in all namespaces of the test.
switch() {
	local ns

	[ ! -d /sys/module/nf_looptrack ] || rmmod nf_looptrack || return
	[ "$1" != without ] || return 0
	if [ "$1" = off ]; then
		modprobe nf_looptrack netns=none || return
	else
		modprobe nf_looptrack || return
	fi
	for ns in "${namespaces[@]}"; do
		switch_ns "$ns" "$1" || return
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
	# The kernel, too, removes entries before a batch of "later" ends.
	in_ns "$loop" sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_time_wait=10 \
		net.netfilter.nf_conntrack_tcp_timeout_close=10 || return
	room_to_wait "$loop"
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

# selected ROW
selected() {
	[[ " $KSFT_BENCH " = *" $1 "* ]]
}

# measures ROW MODE: is it played in that mode? What takes long is played in few.
measures() {
	selected "$1" || return
	case $1-$2 in
	*-without | *-enforce | flow-off | socket-off | udp-left) ;;
	udp-heal | asked-heal | after-heal) ;;
	*-left | *-heal | asked-* | after-*) return 1 ;;
	flow-* | socket-* | later-*) return 1 ;;
	esac
}

flush() {
	echo "ip netns exec $1 conntrack -F 2>/dev/null"
}

# batches ROW: what each operation costs, a line for a batch.
batches() {
	case $1 in
	udp) cost -n "$host" -b 5 -o 2000 udp 127.0.0.1 ;;
	# Without the entry of "udp", which has the same ends and has seen replies.
	oneway)
		in_ns "$host" conntrack -F 2>/dev/null
		cost -n "$host" -b 5 -o 2000 oneway 127.0.0.1
		;;
	flow) cost -n "$host" -b 5 -o 2000 -e "$(flush "$host")" flow 127.64.0.1 ;;
	socket) cost -n "$host" -b 5 -o 2000 -e "$(flush "$host")" socket 127.0.0.1 ;;
	ruled) cost -n "$ruled" -b 3 -o 500 udp 127.0.0.1 ;;
	bare) cost -n "$bare" -b 3 -o 2000 udp 127.0.0.1 ;;
	# The flows of a batch would still be in the table in the next one. What RCU frees
	# at its end is counted or not, as it comes: a batch is so long that this is little.
	tcp)
		cost -n "$c0" -S "$s" -b 3 -o 2000 -e "$(flush "$r")" tcp "$server4"
		;;
	loop) cost -n "$loop" -b 4 -o 1000 -e "$(flush "$loop")" loop "$redirected" ;;
	# Four minutes: TIME_WAIT sockets last one, and conntrack looks for entries that
	# have timed out once in another one. So it does as often in each batch.
	later) cost -n "$loop" -b 1 -o 10000 -w 240 loop "$redirected" ;;
	# Four seconds by the machine's clock: the flow is asked about twice.
	asked)
		in_ns "$host" conntrack -F 2>/dev/null
		cost -n "$host" -b 1 -o 400000 oneway 127.0.0.1
		;;
	after)
		in_ns "$host" conntrack -F 2>/dev/null
		cost -n "$host" -b 5 -o 2000 udp 127.0.0.1
		;;
	esac
}

# Measures all there is in one mode; a file for each holds all its batches.
play() {
	local row

	switch "$1" || return
	for row in "${rows[@]}"; do
		measures "$row" "$1" || continue
		case $row in
		loop | later) fresh_loop && switch_ns "$loop" "$1" || return ;;
		esac
		batches "$row" >"$tmp/now" || return
		cat "$tmp/now" >>"$tmp/$row.$1"
		median "$tmp/now" >>"$tmp/$row.$1.rounds"
		[ "$row-$1" != asked-heal ] ||
			counts "$host" heal "heal_asked>=2" heal_seen=0 || return
	done
}

# more ROW MODE THAN: what one mode costs above another one, in percent
more() {
	awk -v with="$(median "$tmp/$1.$2")" -v without="$(median "$tmp/$1.$3")" \
		'BEGIN { printf "%+.2f\n", (with / without - 1) * 100 }'
}

# overhead ROW MODE: above what it costs without the module
overhead() {
	more "$1" "$2" without
}

# spread: how far apart the medians of the rounds of one mode are at most, in percent
spread() {
	local file

	for file in "$tmp"/*.rounds; do
		sort -n "$file" | awk 'NR == 1 { first = $1 } END { print ($1 / first - 1) * 100 }'
	done | sort -n | awk 'END { printf "%.2f\n", $1 }'
}

table() {
	local row mode

	printf '%-37s' "instructions, $(uname -r | cut -d- -f1 | cut -d+ -f1)"
	printf '%9s' "${modes[0]}"
	printf '%17s' "${modes[@]:1}"
	echo
	for row in "${rows[@]}"; do
		selected "$row" || continue
		printf '%-37s%9.0f' "${title[$row]}" "$(median "$tmp/$row.without")"
		for mode in "${modes[@]:1}"; do
			if measures "$row" "$mode"; then
				printf '%8.0f (%+.2f%%)' "$(median "$tmp/$row.$mode")" \
					"$(overhead "$row" "$mode")"
			else
				printf '%17s' -
			fi
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

# at_most LIMIT ROW MODE: percent above what it costs without the module.
at_most() {
	local percent

	measure || return
	percent=$(overhead "$2" "$3")
	note "${title[$2]}, $3: $percent %, at most $1 %"
	within "$1" "$percent"
}

# adds LIMIT ROW FEATURE MODE THAN: percent that a feature adds to the rest.
adds() {
	local percent

	measure || return
	percent=$(more "$2" "$4" "$5")
	note "${title[$2]}, $3: $percent %, at most $1 %"
	within "$1" "$percent"
}

# no_more_than LIMIT ROW: percent of what it costs without the module, with express.
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

# A million instructions and a nap cost little more than a million.
naps() {
	tmpdir
	cost -b 3 -o 100 naps >"$tmp/naps" || fail "cannot measure" || return
	note "a million instructions and 10 ms of sleep: $(median "$tmp/naps") instructions"
	awk -v n="$(median "$tmp/naps")" 'BEGIN { exit !(n >= 1000000 && n < 1050000) }' ||
		fail "not a million and a little more"
}

# figure ROW NAME FUNCTION [ARGUMENT...]: a subtest, if that row is measured.
figure() {
	! selected "$1" || subtest "${@:2}"
}

for row in $KSFT_BENCH; do
	[ -n "${title[$row]-}" ] || skip_all "KSFT_BENCH: no such row: $row"
done

figure udp "UDP send+receive, enforce: at most $limit_udp %" at_most "$limit_udp" udp enforce
figure oneway "UDP send+receive, never answered, enforce: at most $limit_oneway %" \
	at_most "$limit_oneway" oneway enforce
figure flow "UDP, a new flow, enforce: at most $limit_flow %" at_most "$limit_flow" flow enforce
figure socket "UDP, a new flow of a new socket, enforce: at most $limit_flow %" \
	at_most "$limit_flow" socket enforce
figure tcp "TCP connect+close, enforce: at most $limit_tcp %" at_most "$limit_tcp" tcp enforce
figure loop "TCP connect+close over lo, enforce: at most $limit_loop %" \
	at_most "$limit_loop" loop enforce
figure later "TCP connect+close over lo, until nothing is left, enforce: at most $limit_later %" \
	at_most "$limit_later" later enforce
figure later "idle time is told from work" naps
figure loop "TCP connect+close over lo, origin: at most $limit_origin %" \
	adds "$limit_origin" loop origin enforce unowned
figure udp "UDP send+receive, heal: nothing" adds "$limit_heal" udp heal heal enforce
figure asked "UDP, unanswered for seconds, heal: at most $limit_asked %" \
	adds "$limit_asked" asked heal heal enforce
figure after "UDP send+receive after that, heal: at most $limit_after %" \
	adds "$limit_after" after heal heal enforce
figure udp "UDP send+receive, off: nothing" at_most "$limit_off" udp off
figure ruled "UDP send+receive, 200 rules, express: at most $limit_ruled %" \
	no_more_than "$limit_ruled" ruled
figure udp "UDP send+receive, no filter rules, express: at most $limit_plain %" \
	no_more_than "$limit_plain" udp
run_subtests
