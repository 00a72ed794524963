#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A transparent proxy whose own connections the rule forgot to exempt. With the mode
# off it is given each of them until it has no file descriptors left; observe
# reports that within the first ten and changes nothing; with enforce the client is
# answered, by way of the proxy, and the proxy accepts one connection. Proxies that
# have another process connect, and two that hand connections to each other, are
# found when they are named.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft setpriv exclusions_talk scene /usr/bin/python3
need_module
tmpdir
mode='' answer='' took=''
PATH=$(dirname "$(readlink -f "$0")"):$PATH

# Users may not read the place the tests are in.
chmod 755 "$tmp"
cp "$(command -v exclusions_talk)" "$tmp/talk" || exit "$ksft_fail"

# ask PROTO FAMILY: from $c0 to the server; leaves its answer, which does not come
# where there is a loop.
ask() {
	ask_as 0 "$1" "$(server "$2")" 7000
	note "$mode: $answer ($took ms)"
}

# ask_as UID PROTO ADDRESS PORT [OPTION]
ask_as() {
	# shellcheck disable=SC2086 # none or one
	read -r took answer < <(in_ns "$c0" setpriv --reuid "$1" --clear-groups "$tmp/talk" \
		ask ${5-} -t $((KSFT_SLOW ? 20000 : 3000)) "$2" "$3" "$4" hello 2>&1)
}

# A host with a proxy, $c0, and a server behind a router. All the host sends to the
# server is redirected, unless it has the mark 7.
proxied() {
	local backend=$1 family=$2 proto=$3 ip=ip tool

	[ "$family" = 4 ] || ip=ip6
	topology && snat "$r" nft "$family" masquerade || return
	started server "$s" exclusions_talk serve "$proto" 7000 || return
	if [ "$backend" = nft ]; then
		in_ns "$c0" nft -f - <<-EOT
			table $ip proxy {
				chain output {
					type nat hook output priority -100
					meta mark != 7 $proto dport 7000 redirect to :15001
				}
			}
		EOT
		return
	fi
	tool=$(backend_tool "$backend" "$family")
	[ "$backend" != legacy ] || legacy_used=1
	in_ns "$c0" "$tool" -w -t nat -A OUTPUT -m mark ! --mark 7 -p "$proto" --dport 7000 \
		-j REDIRECT --to-ports 15001
}

# proxy PROTO FAMILY OPTION...: anew, as one that has recursed is of no use.
proxy() {
	local proto=$1 family=$2

	shift 2
	[ "$proto" = tcp ] || set -- "$@" udp 15001 "$(server "$family")" 7000
	[ "$proto" = udp ] || set -- "$@" tcp 15001
	started proxy "$c0" loopguard_proxy.py "$@"
}

# None of the host's processes outlives it: a worker, too, holds the port.
stop_proxy() {
	ip netns pids "$c0" | xargs -r kill
	busywait 5000 quiet "$c0" || fail "a proxy does not end"
}

quiet() {
	[ -z "$(ip netns pids "$1")" ]
}

# How often the proxy was given a flow.
given() {
	grep -c -e accepted -e datagram "$tmp/proxy"
}

loopguard() {
	looptrack -n "$c0" set loopguard "$1" && looptrack -n "$c0" reset ||
		fail "looptrack set loopguard $1 failed"
}

# loop BACKEND FAMILY PROTO [OPTION]
loop() {
	local backend=$1 family=$2 proto=$3 option=${4-} n

	has_backend "$backend" "$family" ||
		skip "$(backend_tool "$backend" "$family") is not installed" || return
	proxied "$backend" "$family" "$proto" || return
	for mode in off observe enforce; do
		loopguard "$mode" || return
		# shellcheck disable=SC2086 # none or one
		proxy "$proto" "$family" $option || return
		ask "$proto" "$family"
		n=$(given)
		note "$mode: the proxy was given $n, the module saw" \
			"$(counter "$c0" loopguard_seen)"
		stop_proxy || return
		if [ "$mode" = enforce ]; then
			[[ $answer = "hello "* ]] || fail "no answer: $(<"$tmp/proxy")" || return
			[ "$n" = 1 ] || fail "the proxy was given $n, not one" || return
			counts "$c0" enforce loopguard_seen=1 loopguard_released=1 || return
			continue
		fi
		[[ $answer != "hello "* ]] && [ "$n" -ge 20 ] ||
			fail "$mode: there was no loop: $(<"$tmp/proxy")" || return
		if [ "$mode" = off ]; then
			counts "$c0" off loopguard_seen=0
		else
			counts "$c0" observe "loopguard_seen>=$((n - 10))" loopguard_released=0
		fi || return
	done
}

# A proxy that exempts its own is none, nor is its client, of the same user and in
# the same cgroup.
exempted() {
	local family=$1 proto

	for proto in tcp udp; do
		proxied nft "$family" "$proto" && proxy "$proto" "$family" -m 7 || return
		for mode in observe enforce; do
			loopguard "$mode" && ask "$proto" "$family" || return
			[[ $answer = "hello "* ]] || fail "no answer" || return
			counts "$c0" "$mode" loopguard_seen=0 || return
		done
		[ "$(given)" = 2 ] || fail "the proxy was given $(given), not two" || return
		stop_proxy || return
	done
}

# Who listens is told early, of both ends, and not of each.
told() {
	local line want n monitor

	proxied nft 4 tcp || return
	for mode in observe enforce; do
		loopguard "$mode" && proxy tcp 4 || return
		looptrack -j -n "$c0" monitor >"$tmp/events" &
		monitor=$!
		busywait 5000 listened "$c0" || fail "nobody listens" || return
		ask tcp 4
		busywait 5000 grep -q loopguard "$tmp/events" || fail "no event" || return
		read -r line < <(grep loopguard "$tmp/events")
		note "$line"
		want='"decision":"observed"'
		[ "$mode" = observe ] || want='"decision":"released"'
		[[ $line = *$want*'"flow":{'*'"dst":"10.99.9.2",'*'"dport":7000}'*'"holder":{'* &&
			$line = *'"dport":15001}'*'"owner":{'*'"uid":0}'*'"holder_owner":{'* ]] ||
			fail "$mode: another event" || return
		n=$(grep -c '"feature":"loopguard"' "$tmp/events")
		note "$mode: $n events of $(counter "$c0" loopguard_seen) loops"
		kill "$monitor"
		stop_proxy || return
	done
}

# A loop makes as many flows as it can; who listens is not told of each: of no more than
# ten a second.
limited() {
	local n=60 monitor told took

	proxied nft 4 udp || return
	name "observe proxy uid 1337" || return
	looptrack -j -n "$c0" monitor >"$tmp/events" &
	monitor=$!
	background+=("$monitor")
	busywait 5000 listened "$c0" || fail "nobody listens" || return
	took=${EPOCHREALTIME/[.,]/}
	scene "$c0" 4 limited <<-EOT || return
		spawn M
		on M uid 1337
		on M udp P from 15001
		repeat $n
		on M poke $(server 4) 7000 from 20000+%
		end
	EOT
	took=$(((${EPOCHREALTIME/[.,]/} - took) / 1000000 + 1))
	counts "$c0" limited loopguard_seen="$n" || return
	busywait 5000 grep -q loopguard "$tmp/events" || fail "no event" || return
	sleep 0.3
	told=$(grep -c '"feature":"loopguard"' "$tmp/events")
	note "$told events of $n loops in less than $took s"
	kill "$monitor"
	[ $((10 * (took + 1))) -lt "$n" ] || xfail "too slow: $n loops took $took s" || return
	[ "$told" -le $((10 * (took + 1))) ] ||
		fail "$told events in $took s, more than ten a second" || return
	[ "$told" -ge 10 ] || fail "only $told events"
}

# The cgroups proxy, proxy/worker and other, below one of this test's own. They are
# seen from outside of `ip netns exec` only.
cgroups='' cgroups_home=''
make_cgroups() {
	local top

	[ -z "$cgroups" ] || return 0
	top=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
	[ -n "$top" ] || skip "there is no unified hierarchy of cgroups" || return
	cgroups_home=$top$(sed -n 's/^0:://p' /proc/self/cgroup)
	cgroups=$top/lt-$$-$RANDOM
	mkdir -p "$cgroups/proxy/worker" "$cgroups/other" || fail "cannot make cgroups"
}

drop_cgroups() {
	local cgroup

	[ -n "$cgroups" ] || return 0
	for cgroup in "$cgroups"/{proxy/worker,proxy,other,}; do
		xargs -r kill <"$cgroup/cgroup.procs"
		busywait 5000 rmdir "$cgroup"
	done
}
trap 'cleanup; drop_cgroups' EXIT

# in_cgroup NAME COMMAND...: what the command starts is in the cgroup, too.
in_cgroup() {
	local status

	echo "$BASHPID" >"$cgroups/$1/cgroup.procs" || return
	"${@:2}"
	status=$?
	echo "$BASHPID" >"$cgroups_home/cgroup.procs"
	return "$status"
}

# name "MODE proxy BY ...": the proxies.
name() {
	local words

	read -ra words <<<"$1"
	looptrack -n "$c0" set loopguard "${words[@]}" && looptrack -n "$c0" reset ||
		fail "looptrack set loopguard $1 failed"
}

# spins TEXT: the proxy is given its own connections, and not once.
spins() {
	[[ $answer != "hello "* ]] && [ "$(given)" -ge 20 ] ||
		fail "$1: there was no loop: $(<"$tmp/proxy")"
}

# passes TEXT: it is given one connection, the client's, and serves it.
passes() {
	[[ $answer = "hello "* ]] || fail "$1: no answer: $(<"$tmp/proxy")" || return
	[ "$(given)" = 1 ] || fail "$1: the proxy was given $(given), not one" || return
	counts "$c0" "$1" loopguard_seen=1 loopguard_released=1
}

# helper FAMILY BY...: a proxy that has another process connect is not found before
# it is named. The client is another user, or in another cgroup. One that has served
# serves again.
helper() {
	local family=$1 run=(proxy tcp "$1" -p) runs='' modes

	make_cgroups && proxied nft "$family" tcp || return
	shift
	if [ "$1" = cgroup ]; then
		run=(in_cgroup proxy/worker "${run[@]}")
		modes=("enforce proxy none" "enforce proxy cgroup /${cgroups##*/}/proxy")
	else
		run+=(-u 1337)
		modes=("enforce proxy none" "${@/#/enforce proxy }")
	fi
	for mode in "${modes[@]}"; do
		name "$mode" || return
		[ -n "$runs" ] || "${run[@]}" || return
		: >"$tmp/proxy"
		ask tcp "$family"
		note "$mode: the proxy was given $(given), the module saw" \
			"$(counter "$c0" loopguard_seen)"
		case $mode in
		*none)
			spins "$mode" && counts "$c0" "$mode" loopguard_seen=0 &&
				stop_proxy || return
			;;
		*)
			passes "$mode" || return
			runs=1
			;;
		esac
	done
	stop_proxy
}

# Two proxies, a rule that gives the second what the first one opens, and the first
# all else: what the second opens, too. Named by its port, the first one is known
# where it is given something, and not where it opens: it may use the second.
circle() {
	local family=$1 ip=ip second n runs=''

	[ "$family" = 4 ] || ip=ip6
	proxied nft "$family" tcp || return
	in_ns "$c0" nft insert rule "$ip" proxy output meta skuid 1001 tcp dport 7000 \
		redirect to :15002 || return
	for mode in "none 20" "uid 1001 proxy uid 1002 0" "port 15001 proxy uid 1002 1"; do
		n=${mode##* }
		mode=${mode% *}
		name "enforce proxy $mode" || return
		if [ -z "$runs" ]; then
			started second "$c0" loopguard_proxy.py -u 1002 tcp 15002 &&
				proxy tcp "$family" -u 1001 || return
		fi
		: >"$tmp/proxy"
		: >"$tmp/second"
		ask tcp "$family"
		second=$(grep -c accepted "$tmp/second")
		note "$mode: the first was given $(given), the second $second"
		if [ "$mode" = none ]; then
			spins "$mode" && [ "$second" -ge "$n" ] &&
				counts "$c0" "$mode" loopguard_seen=0 && stop_proxy
		else
			runs=1
			passes "$mode" && [ "$second" = "$n" ]
		fi || fail "${reason:-$mode: the second was given $second, not $n}" || return
	done
	stop_proxy
}

# taken BY CGROUP UID PORT [ASKED-PORT]: who asks is answered by the socket that has
# the port: the proxy's 15001, the server's 7000, or 7002 that of a service.
taken() {
	in_cgroup "$2" ask_as "$3" tcp "$to" "${5-7000}"
	[ "${answer##* }" = "$4" ] ||
		fail "$1: user $3 in $2 is answered \"$answer\", not by $4"
}

# Which sockets are a proxy's. That of the user 1337, in the cgroup proxy, is, and
# what comes from it is addressed to the server.
ends() {
	local family=$1 to ip=ip path

	[ "$family" = 4 ] || ip=ip6
	to=$(server "$family")
	make_cgroups && proxied nft "$family" tcp || return
	path=/${cgroups##*/}
	in_ns "$c0" nft add rule "$ip" proxy output tcp dport 7001 redirect to :7002 || return
	in_cgroup proxy started proxy "$c0" setpriv --reuid 1337 --clear-groups \
		"$tmp/talk" serve tcp 15001 || return
	started service "$c0" exclusions_talk serve tcp 7002 || return

	name "off proxy uid 1337" &&
		taken "uid, off" other 1337 15001 &&
		name "enforce" &&
		taken "uid" other 1337 7000 &&
		taken "uid" proxy 0 15001 &&
		taken "uid, no proxy" other 1337 7002 7001 &&
		counts "$c0" uid loopguard_seen=1 loopguard_released=1 || return

	name "enforce proxy cgroup $path/proxy" &&
		taken "cgroup" proxy 0 7000 &&
		taken "cgroup, below" proxy/worker 0 7000 &&
		taken "cgroup" other 1337 15001 &&
		taken "cgroup, no proxy" proxy 0 7002 7001 || return

	name "enforce proxy port 15001" &&
		taken "port" proxy 1337 7000 &&
		taken "port" proxy 0 15001 &&
		taken "port" proxy/worker 1337 15001 || return

	# Of the two ends only one is named, and then both.
	name "enforce proxy cgroup $cgroups/proxy/worker" &&
		taken "one end" proxy/worker 0 15001 &&
		name "enforce proxy cgroup $path/proxy/worker proxy port 15001" &&
		taken "both ends" proxy/worker 0 7000 || return
	rmdir "$cgroups/proxy/worker" && mkdir "$cgroups/proxy/worker" &&
		taken "a cgroup that is gone" proxy/worker 0 15001 || return

	# Its first SYN is lost: the timer sends the one that is redirected.
	in_ns "$c0" nft -f - <<-EOT || return
		table $ip lossy {
			chain output {
				type filter hook output priority -150
				meta skuid 1337 tcp flags & (syn | ack) == syn \
					numgen inc mod 2 0 drop
			}
		}
	EOT
	name "enforce proxy uid 1337" &&
		taken "the timer" other 1337 7000 || return
	[ "$took" -ge 900 ] || fail "no SYN was lost"
}

told_thrice() {
	[ "$(grep -c hello "$1")" = 3 ]
}

# The same of UDP. The answer of who is redirected would not come from where he asked.
datagrams() {
	local to

	to=$(server 4)
	proxied nft 4 udp && started proxy "$c0" setpriv --reuid 1337 --clear-groups \
		"$tmp/talk" serve udp 15001 || return
	for mode in off observe; do
		name "$mode proxy uid 1337" && ask_as 1337 udp "$to" 7000 -q || return
	done
	counts "$c0" observe loopguard_seen=1 loopguard_released=0 || return
	name enforce && ask_as 0 udp "$to" 7000 -q || return
	busywait 5000 told_thrice "$tmp/proxy" ||
		fail "the proxy was not given three: $(<"$tmp/proxy")" || return
	ask_as 1337 udp "$to" 7000
	[[ $answer = *" 7000" ]] || fail "user 1337 is answered \"$answer\"" || return
	counts "$c0" enforce loopguard_seen=1 loopguard_released=1
}

# Who decides about a packet in user space is not who sends it, even if he has the
# proxy's socket.
decided() {
	local family=$1 proto

	for proto in tcp udp; do
		proxied nft "$family" "$proto" && in_ns "$c0" nft -f - <<-EOT ||
			table inet asked {
				chain out {
					type filter hook output priority -150
					meta mark != 7 $proto dport 7000 ct state new queue to 7
				}
			}
		EOT
			skip "the kernel has no queues" || return
		proxy "$proto" "$family" -m 7 -q 7 || return
		for mode in observe enforce; do
			loopguard "$mode" && ask "$proto" "$family" || return
			[[ $answer = "hello "* ]] || fail "no answer" || return
			counts "$c0" "$mode" loopguard_seen=0 || return
		done
		[ "$(given)" = 2 ] || fail "the proxy was given $(given), not two" || return
		stop_proxy || return
	done
}

# Without a route to where it was addressed a flow can't be released, and stays where
# the rule sent it. A mark that is set behind routing makes the difference.
unroutable() {
	local family=$1 to

	to=$(server "$family")
	proxied nft "$family" tcp && in_ns "$c0" nft -f - <<-EOT || return
		table inet late {
			chain out {
				type filter hook output priority -150
				tcp dport 7000 meta mark set 9
			}
		}
	EOT
	ip -n "$c0" xfrm policy add dir out mark 9 dst "$to" action block ||
		fail "cannot block the way to the server" || return
	for mode in off enforce; do
		loopguard "$mode" && proxy tcp "$family" || return
		ask tcp "$family"
		stop_proxy || return
		[ "$(given)" -ge 20 ] || fail "$mode: there was no loop: $(<"$tmp/proxy")" || return
	done
	counts "$c0" enforce "loopguard_seen>=20" loopguard_released=0
}

for v in 4 6; do
	for backend in nft iptables legacy; do
		play=variant
		[ $backend$v != nft4 ] && [ $backend$v != legacy6 ] || play=subtest
		$play "a proxy's own connections, $backend, IPv$v" loop $backend $v tcp
	done
	either "a forked worker's, IPv$v" loop nft $v tcp -w
	either "a proxy's own datagrams, nft, IPv$v" loop nft $v udp
	either "a proxy that exempts its own, IPv$v" exempted $v
done
subtest "both ends are told" told
subtest "no more than ten events a second" limited
subtest "a helper that connects, by uid and port, IPv4" helper 4 "uid 1337" "port 15001"
variant "a helper that connects, by cgroup, IPv6" helper 6 cgroup
subtest "who decides about queued packets has the listener, IPv4" decided 4
either "who decides about queued packets has the listener, IPv6" decided 6
subtest "no route to where it was addressed, IPv4" unroutable 4
either "no route to where it was addressed, IPv6" unroutable 6
either "two proxies in a circle, IPv4" circle 4
either "two proxies in a circle, IPv6" circle 6
either "which sockets are a proxy's, IPv4" ends 4
either "which sockets are a proxy's, IPv6" ends 6
subtest "which sockets are a proxy's, datagrams" datagrams
run_subtests
