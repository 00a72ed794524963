#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The module comes and goes, and network namespaces do, while connections churn
# through a proxy of this host, or socket options are asked: none of them fails, the
# kernel has nothing to complain about, and nothing of the module stays behind.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft conntrack python3
need_module
tmpdir

: "${KSFT_RELOADS:=$((KSFT_SLOW ? 40 : 200))}"
: "${KSFT_NAMESPACES:=$((KSFT_SLOW ? 200 : 1000))}"

# traffic NAME COMMAND...: until settled is called.
traffic() {
	local name=$1

	shift
	command "$@" >"$tmp/$name" 2>"$tmp/$name.err" &
	background+=($!)
	flowing[$name]=$!
}

# settled NAME: ends that traffic; none of it has failed.
settled() {
	local name=$1 text

	kill -TERM "${flowing[$name]}"
	wait "${flowing[$name]}" || fail "$name: it broke: $(<"$tmp/$name.err")" || return
	text=$(<"$tmp/$name")
	words noport=0
	report "$name" "$text"
	want "$name" failed=0 gaveup=0 noport=0 "conns>=100" ||
		fail "$name: $text $(<"$tmp/$name.err")"
}

# TCP by REDIRECT in both families, few ports, the one or the other closing first;
# datagrams that are asked by a new socket each time.
setup() {
	local i dsts4=() dsts6=()

	declare -gA flowing=()
	alone || return
	redirect "$a" nft 4 tcp output 80:15001 && redirect "$a" nft 6 tcp output 80:15001 ||
		return
	in_ns "$a" sysctl -qw net.ipv4.ip_local_port_range="10000 29999" || return
	# While the module is away nobody reaps TIME_WAIT sockets.
	room_to_wait "$a" || return
	for i in 1 2 3 4; do
		dsts4+=("$(dst 4 "$i")")
		dsts6+=("$(dst 6 "$i")")
	done
	kmsg_here
	traffic tcp4 churn -n "$a" -p 2 -g 30 15001 80 "${dsts4[@]}"
	traffic tcp6 churn -n "$a" -p 2 -g 30 -c 15001 80 "${dsts6[@]}"
	traffic udp4 race -n "$a" -S "$a" -d -l -w 20 -r 0 -T 30000 -g 30000 -b 30000 -t udp \
		10.98.0.1 7000
}

all_settled() {
	settled tcp4 && settled tcp6 && settled udp4 || return
	! kmsg_complains || fail "the kernel complained"
}

# acting: the module has seen a flow.
acting() {
	[[ $(looptrack -j -n "$a" stats) =~ \"(linger|ports)_[a-z]*\":\ *[1-9] ]]
}

# unload: a reference that is never given back would keep it from ending.
unload() {
	rmmod nf_looptrack &
	busywait 20000 ended $! || fail "rmmod does not end"
}

ended() {
	! kill -0 "$1"
}

# reloads N
reloads() {
	local i

	rmmod nf_looptrack || return
	for ((i = 1; i <= $1; i++)); do
		modprobe nf_looptrack || fail "load $i failed" || return
		if [ $((i % 20)) = 0 ]; then
			busywait 20000 acting || fail "load $i: sees no flow" || return
		fi
		rmmod nf_looptrack || fail "unload $i failed" || return
	done
	modprobe nf_looptrack || return
	note "$1 loads and unloads"
}

reload() {
	setup && reloads "$KSFT_RELOADS" && all_settled
}

# script N: so many namespaces, with connections that end in several ways; each
# tenth has rules, and so conntrack.
script() {
	cat <<-EOT
		repeat $(($1 / 10))
		fresh
		sh sh $tmp/rules
		listen A 15001
		udp B at 127.0.0.1 from 15001
		connect c 127.0.0.1 15001 from 20000
		connect d 127.0.0.2 15001 from 20000
		connect e 127.0.0.3 15001 from 20000
		vanish d
		vanish d.peer
		connect d 127.0.0.2 15001 from 20000
		reset d
		close d.peer
		shut e.peer
		eof e
		close e
		close e.peer
		udp u from 20000
		ask u 127.0.0.1 15001
		close u
		close c
		close c.peer
		close A
		close B
		fresh
		fresh
		fresh
		listen A 15001
		connect c 127.0.0.1 15001 from 20000
		close c
		close c.peer
		close A
		fresh
		fresh
		fresh
		fresh
		fresh
		fresh
		end
	EOT
}

# busy_namespaces N: ten, or a multiple.
busy_namespaces() {
	redirection rules nft 4 tcp output 80:15001
	scene "$a" 4 "$1 namespaces" < <(script "$1") || return
	want "$1 namespaces" failed=0 gaveup=0 answered=$(($1 * 6 / 10))
}

namespaces() {
	setup && busy_namespaces "$KSFT_NAMESPACES" && all_settled || return
	drop_ns
	unload || return
	modprobe nf_looptrack
	! kmsg_complains || fail "the kernel complained"
}

# All at once.
both() {
	local pid status

	setup || return
	busy_namespaces $(((KSFT_NAMESPACES / 5 + 9) / 10 * 10)) >"$tmp/namespaces" &
	pid=$!
	background+=("$pid")
	reloads $((KSFT_RELOADS / 5)) || return
	wait "$pid"
	status=$?
	cat "$tmp/namespaces"
	[ "$status" = 0 ] || fail "the namespaces broke" || return
	all_settled
}

# The modes change, often enough for all traffic to see each.
modes() {
	local i mode

	setup || return
	for ((i = 0; i < 10 + KSFT_RELOADS / 8; i++)); do
		for mode in observe off enforce; do
			looptrack -n "$a" set stale "$mode" ports "$mode" linger "$mode" ||
				fail "looptrack set failed" || return
		done
	done
	all_settled
}

# Socket options of netfilter, asked all the time: the module's coming and going is
# nothing to those who ask, whether it has the answer or others have.
sockopts() {
	local i pid file=$tmp/sockopts

	alone || return
	redirect "$a" nft 4 tcp output 80:15001 && redirect "$a" nft 6 tcp output 80:15001 ||
		return
	! has_backend legacy 4 || in_ns "$a" iptables-legacy -w -t nat -S >/dev/null 2>&1
	: >"$file"
	kmsg_here
	ip netns exec "$a" sockopt_asks.py 15001 "$(dst 4 1)" 80 "$(dst 6 1)" 80 >"$file" 2>&1 &
	pid=$!
	background+=("$pid")
	busywait 20000 grep -q ready "$file" || fail "it does not start: $(<"$file")" || return
	for ((i = 1; i <= KSFT_RELOADS; i++)); do
		rmmod nf_looptrack || fail "unload $i failed" || return
		modprobe nf_looptrack || fail "load $i failed" || return
	done
	kill -TERM "$pid" && wait "$pid" || fail "it broke: $(<"$file")" || return
	words failed='' wrong=''
	report "$KSFT_RELOADS loads and unloads" "$(tail -n 1 "$file")"
	want "$KSFT_RELOADS loads and unloads" "asked>=$KSFT_RELOADS" failed=0 wrong=0 || return
	! kmsg_complains || fail "the kernel complained"
}

subtest "$KSFT_RELOADS loads and unloads while socket options are asked" sockopts
subtest "$KSFT_RELOADS loads and unloads during churn" reload
subtest "$KSFT_NAMESPACES namespaces come and go during churn" namespaces
subtest "both at once" both
subtest "modes change during churn" modes
run_subtests
