# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by the tests that source this file
#
# What the tests share: KTAP output, namespaces that go away with the test,
# waiting without sleeping blindly, NAT rules in the dialect of each tool, and
# questions to the module.
#
# A test program declares its subtests with
#	subtest NAME FUNCTION [ARGUMENT...]
# and ends with
#	run_subtests
# A function returns one of the values below and may say why with `because`.
# From outside: TEST.sh [-t PATTERN] runs only the subtests whose name matches
# the extended regular expression; -l lists them. KSFT_SLOW=1 means a machine
# (a debug kernel, say) on which everything takes much longer.

ksft_pass=0
ksft_fail=1
ksft_xfail=2
ksft_skip=4

: "${KSFT_SLOW:=0}"
LANG=C
LC_ALL=C
export LANG LC_ALL

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
PATH=$here:$PATH

##############################################################################
# KTAP

# A command that does not exist makes no test fail by itself: a comparison of two empty
# answers holds.
command_not_found_handle() {
	echo "Bail out! $1: no such command" >&2
	kill "$$"
	return 127
}

subtests=()
reason=''

# %q keeps each word, whatever it holds.
subtest() {
	subtests+=("$(printf '%q ' "$@")")
}

# What another subtest shows already, by other tools or in the other family. Left
# out where KSFT_BRIEF is set.
variant() {
	[ -n "${KSFT_BRIEF-}" ] || subtest "$@"
}

# The same in either family: "..., IPv4" and "..., IPv6". Where KSFT_BRIEF is set, a
# kernel plays one of the two, half of them that of IPv6; a kernel whose second
# number is even plays those that one with an odd number does not.
either() {
	local minor

	IFS=.- read -r _ minor _ </proc/sys/kernel/osrelease
	[ -n "${KSFT_BRIEF-}" ] && [ $(((${#1} + minor) % 2)) != $((${1: -1} == 6)) ] ||
		subtest "$@"
}

because() {
	reason=$*
}

note() {
	local text="$*"

	printf '# %s\n' "${text//$'\n'/$'\n'# }"
}

fail() {
	because "$@"
	return "$ksft_fail"
}

xfail() {
	because "$@"
	return "$ksft_xfail"
}

skip() {
	because "$@"
	return "$ksft_skip"
}

skip_all() {
	echo "TAP version 13"
	echo "1..0 # SKIP $*"
	exit "$ksft_skip"
}

run_subtests() {
	local pattern='' list='' opt line nr=0 failed=0 passed=0 xfailed=0 skipped=0 status since
	local -a words chosen=()

	OPTIND=1
	while getopts 't:l' opt "${test_args[@]}"; do
		case $opt in
		t) pattern=$OPTARG ;;
		l) list=1 ;;
		*) exit "$ksft_fail" ;;
		esac
	done
	for line in "${subtests[@]}"; do
		eval "words=($line)"
		if [ -n "$list" ]; then
			printf '%s\n' "${words[0]}"
		elif [ -z "$pattern" ] || [[ ${words[0]} =~ $pattern ]]; then
			chosen+=("$line")
		fi
	done
	[ -z "$list" ] || exit 0
	# On a kernel of which CI has not the time to play all: the first, the third, ...
	if [ -n "${KSFT_HALF-}" ] && [ -z "$pattern" ]; then
		for ((nr = ${#chosen[@]} - 1; nr > 0; nr--)); do
			[ $((nr % 2)) = 0 ] || unset "chosen[nr]"
		done
		nr=0
	fi

	echo "TAP version 13"
	echo "1..${#chosen[@]}"
	for line in "${chosen[@]}"; do
		eval "words=($line)"
		reason=''
		nr=$((nr + 1))
		since=$SECONDS
		"${words[@]:1}"
		status=$?
		note "took $((SECONDS - since)) s"
		case $status in
		"$ksft_pass")
			echo "ok $nr ${words[0]}"
			passed=$((passed + 1))
			;;
		"$ksft_xfail")
			echo "ok $nr ${words[0]} # XFAIL ${reason:-the race did not trigger}"
			xfailed=$((xfailed + 1))
			;;
		"$ksft_skip")
			echo "ok $nr ${words[0]} # SKIP $reason"
			skipped=$((skipped + 1))
			;;
		*)
			note "${reason:-no reason given}"
			echo "not ok $nr ${words[0]}"
			failed=$((failed + 1))
			# Nothing of it for the next one.
			drop_ns
			;;
		esac
	done
	echo "# Totals: pass:$passed fail:$failed xfail:$xfailed xpass:0 skip:$skipped error:0"

	[ "$failed" = 0 ] || exit "$ksft_fail"
	[ "$((passed + xfailed))" != 0 ] || exit "$ksft_skip"
	exit "$ksft_pass"
}

test_args=("$@")

need() {
	local tool

	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip_all "$tool is not installed"
	done
	[ "$(id -u)" = 0 ] || skip_all "needs root"
}

##############################################################################
# Waiting

# busywait MS COMMAND...: until COMMAND succeeds; fails when time is up.
busywait() {
	local deadline=$((${EPOCHREALTIME/[.,]/} / 1000 + $1 * (1 + 4 * KSFT_SLOW)))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $((${EPOCHREALTIME/[.,]/} / 1000)) -lt "$deadline" ] || return 1
		sleep 0.02
	done
}

##############################################################################
# Namespaces and what has to be undone

c0='' c1='' r='' s='' a=''
namespaces=()
background=()
legacy_used=''
tmp=''

cleanup() {
	drop_ns
	[ -z "$tmp" ] || rm -rf "$tmp"
	tmp=''
}
trap cleanup EXIT
trap 'exit 130' INT TERM

tmpdir() {
	[ -n "$tmp" ] || tmp=$(mktemp -d "${TMPDIR:-/tmp}/looptrack.XXXXXX")
}

# A process is dear on an emulated machine: names are made without one, and
# `ip` gets its orders in batches.

# new_ns VARIABLE...: a namespace of random name for each, lo up.
new_ns() {
	local var

	make_ns "$@"
	for var in "$@"; do
		ip -n "${!var}" link set lo up
	done
}

# The same with lo down.
make_ns() {
	local var name orders=''

	for var in "$@"; do
		printf -v name 'lt-%04x%04x-%s' $RANDOM $RANDOM "$var"
		printf -v "$var" %s "$name"
		namespaces+=("$name")
		orders+="netns add $name"$'\n'
	done
	ip -batch - <<<"$orders" || exit "$ksft_fail"
}

# Ends what runs in the background, too.
drop_ns() {
	local pid ns orders=''

	for pid in "${background[@]}"; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	background=()
	for ns in "${namespaces[@]}"; do
		orders+="netns del $ns"$'\n'
	done
	namespaces=()
	c0='' c1='' r='' s='' a='' legacy_used=''
	[ -z "$orders" ] || ip -force -batch - <<<"$orders"
}

in_ns() {
	ip netns exec "$@"
}

# in_back COMMAND...: runs until the test ends or the namespaces go.
in_back() {
	"$@" &
	background+=($!)
}

# started FILE NS COMMAND...: in the background; it is ready when it says so.
started() {
	local file=$tmp/$1

	: >"$file"
	in_ns "${@:2}" >>"$file" 2>&1 &
	background+=($!)
	busywait 20000 grep -qw ready "$file" ||
		fail "$3 does not start: $(<"$file")"
}

# addresses DEVICE ADDRESS...: orders for `ip -batch` in a namespace; lo goes up, too.
addresses() {
	local dev=$1 addr

	shift
	for addr in "$@"; do
		case $addr in
		*:*) echo "addr add $addr dev $dev nodad" ;;
		*) echo "addr add $addr dev $dev" ;;
		esac
	done
	echo "link set $dev up"
	echo "link set lo up"
}

# A router between clients and a server:
#	$c0 10.99.0.2 --- 10.99.0.1 \
#	                             $r 10.99.9.1 --- 10.99.9.2 $s
#	$c1 10.99.1.2 --- 10.99.1.1 /
# likewise fd99:0::/64, fd99:1::/64 and fd99:9::/64. The devices are eth in
# clients and server, c0, c1 and s in the router. What the router does to the
# flows is up to the test. The server has a route to 10.99.8.0/24 and
# fd99:8::/64 by the router: addresses to NAT to which nobody has.
server4=10.99.9.2
server6=fd99:9::2
topology() {
	local i ns

	drop_ns
	make_ns c0 c1 r s
	ip -batch - <<-EOT || fail "cannot make the cables" || return
		link add eth netns $c0 type veth peer name c0 netns $r
		link add eth netns $c1 type veth peer name c1 netns $r
		link add eth netns $s type veth peer name s netns $r
	EOT
	{
		addresses c0 10.99.0.1/24 fd99:0::1/64
		addresses c1 10.99.1.1/24 fd99:1::1/64
		addresses s 10.99.9.1/24 fd99:9::1/64
	} | ip -n "$r" -batch - || return
	i=0
	for ns in "$c0" "$c1"; do
		{
			addresses eth "10.99.$i.2/24" "fd99:$i::2/64"
			echo "route add default via 10.99.$i.1"
			echo "route add default via fd99:$i::1"
		} | ip -n "$ns" -batch - || return
		i=$((i + 1))
	done
	{
		addresses eth 10.99.9.2/24 fd99:9::2/64
		echo "route add 10.99.8.0/24 via 10.99.9.1"
		echo "route add fd99:8::/64 via fd99:9::1"
	} | ip -n "$s" -batch - || return
	in_ns "$r" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# The same, but what an earlier subtest left is used again: the router loses its
# rules and flows and counts from zero.
clean_topology() {
	# Legacy tables cannot be removed.
	if [ -z "$r" ] || [ -n "$legacy_used" ]; then
		topology
		return
	fi
	in_ns "$r" nft flush ruleset || return
	in_ns "$r" conntrack -F >/dev/null 2>&1
	looptrack -n "$r" reset
}

# A host that talks to itself: $a with the addresses 10.98.0.1 and fd98::1, and a
# default route to nowhere.
alone() {
	drop_ns
	make_ns a
	{
		echo "link add d0 type veth peer name d1"
		addresses d0 10.98.0.1/24 fd98::1/64
		echo "route add default via 10.98.0.2"
		echo "route add default via fd98::2"
	} | ip -n "$a" -batch - || fail "cannot make the host"
}

# The same, but what an earlier subtest left is used again. Source ports from
# $base on have not been used before.
base=20000
same_host() {
	[ -n "$a" ] || alone
}

# dst FAMILY NUMBER: an address that is reached by the default route.
dst() {
	[ "$1" = 4 ] && echo "203.0.113.$2" || echo "2001:db8::$2"
}

# loopback FAMILY
loopback() {
	[ "$1" = 4 ] && echo 127.0.0.1 || echo ::1
}

server() {
	[ "$1" = 4 ] && echo $server4 || echo $server6
}

# router FAMILY: its address on the side of the server.
router() {
	[ "$1" = 4 ] && echo 10.99.9.1 || echo fd99:9::1
}

##############################################################################
# NAT rules

# has_backend nft|iptables|legacy FAMILY
has_backend() {
	command -v "$(backend_tool "$@")" >/dev/null
}

backend_tool() {
	case $1-$2 in
	nft-*) echo nft ;;
	iptables-4) echo iptables-nft ;;
	iptables-6) echo ip6tables-nft ;;
	legacy-4) echo iptables-legacy ;;
	legacy-6) echo ip6tables-legacy ;;
	esac
}

# snat NS BACKEND FAMILY WHAT [OPTION]: source NAT for what leaves by device s.
# WHAT: masquerade, masquerade:PORTS, ADDRESS[-ADDRESS][:PORTS] (v6 addresses in
# brackets if ports follow); OPTION: random, fully-random, persistent.
snat() {
	local ns=$1 backend=$2 family=$3 what=$4 option=${5-}

	if [ "$backend" = nft ]; then
		snat_nft "$@"
	else
		snat_iptables "$@"
	fi || fail "cannot set rules: $backend, IPv$family, $what $option"
}

snat_nft() {
	local proto=ip any='meta l4proto' statement=$4

	[ "$3" = 4 ] || proto=ip6
	case $4 in
	masquerade:*) statement="masquerade to :${4#*:}" ;;
	masquerade) ;;
	*) statement="snat to $4" ;;
	esac
	# A port can only be given for a protocol that has ports.
	case $4 in
	masquerade) any='' ;;
	*) any='meta l4proto { tcp, udp, sctp }' ;;
	esac
	in_ns "$1" nft -f - <<-EOT
		table $proto nat {
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname "s" $any $statement ${5-}
			}
		}
	EOT
}

snat_iptables() {
	local tool proto args=() ns=$1 what=$4 option=${5-}

	tool=$(backend_tool "$2" "$3")
	[ "$2" != legacy ] || legacy_used=1
	case $what in
	masquerade*)
		args=(-j MASQUERADE)
		[ "$what" = masquerade ] || args+=(--to-ports "${what#*:}")
		;;
	*) args=(-j SNAT --to-source "$what") ;;
	esac
	case $option in
	fully-random) args+=(--random-fully) ;;
	?*) args+=("--$option") ;;
	esac
	if [[ $what = masquerade || $what != *:[0-9]*-[0-9]* ]]; then
		in_ns "$ns" "$tool" -w -t nat -A POSTROUTING -o s "${args[@]}"
		return
	fi
	for proto in tcp udp sctp; do
		in_ns "$ns" "$tool" -w -t nat -A POSTROUTING -o s -p "$proto" "${args[@]}" || return
	done
}

# redirection NAME BACKEND FAMILY PROTO HOOK FROM:TO...: a script $tmp/NAME that
# sends what goes to a port FROM of any address of dst() to this host's port TO,
# in place of what an earlier such script said of FAMILY and PROTO. HOOK: output or
# prerouting.
redirection() {
	local name=$1 backend=$2 family=$3 proto=$4 hook=$5 net=203.0.113.0/24 ip=ip tool ports

	tmpdir
	[ "$family" = 4 ] || net=2001:db8::/64 ip=ip6
	shift 5
	if [ "$backend" = nft ]; then
		cat <<-EOT
			nft -f - <<-END
			table $ip redirect-$proto {}
			flush table $ip redirect-$proto
			table $ip redirect-$proto {
				chain nat {
					type nat hook $hook priority -100
		EOT
		for ports in "$@"; do
			echo "$ip daddr $net $proto dport ${ports%:*} redirect to :${ports#*:}"
		done
		printf '}\n}\nEND\n'
	else
		tool=$(backend_tool "$backend" "$family")
		[ "$backend" != legacy ] || legacy_used=1
		echo "$tool -w -t nat -F ${hook^^} || exit"
		for ports in "$@"; do
			echo "$tool -w -t nat -A ${hook^^} -d $net -p $proto --dport ${ports%:*}" \
				"-j REDIRECT --to-ports ${ports#*:} || exit"
		done
	fi >"$tmp/$name"
}

# redirect NS BACKEND FAMILY PROTO HOOK FROM:TO...: the same, done.
redirect() {
	redirection rules "${@:2}"
	in_ns "$1" sh "$tmp/rules" || fail "cannot set rules: $*"
}

# widen NS: rules, run between the choice of a port and its commit, that take
# the time of a million or so instructions; two flows meet there often then.
widen() {
	local i

	{
		echo "table inet widen {"
		echo "chain slow {"
		for ((i = 0; i < 100; i++)); do
			echo "meta mark 4242 counter"
		done
		echo "}"
		echo "chain postrouting {"
		echo "type filter hook postrouting priority 200"
		echo "ct state != new accept"
		for ((i = 0; i < (KSFT_SLOW ? 20 : 100); i++)); do
			echo "jump slow"
		done
		echo "}"
		echo "}"
	} | in_ns "$1" nft -f - || fail "cannot set the rules that widen the race"
}

##############################################################################
# The module and its tool

# need_module: loads it; a module that is not there is a failure, not a skip.
need_module() {
	modprobe nf_looptrack && command -v looptrack >/dev/null && return
	echo "TAP version 13"
	echo "1..1"
	echo "# nf_looptrack cannot be loaded or looptrack is not installed"
	echo "not ok 1 module"
	exit "$ksft_fail"
}

# mode NS FEATURE MODE
mode() {
	looptrack -n "$1" set "$2" "$3" || fail "looptrack set $2 $3 failed"
}

# only NS FEATURE MODE: the other features that act on flows are off. The mode
# "defaults" means: all as they are without a word. Counts from zero.
only() {
	local feature orders=()

	for feature in clash stale ports linger listeners; do
		if [ "$3-$feature" = defaults-listeners ]; then
			orders+=("$feature" off)
		elif [ "$3" = defaults ]; then
			orders+=("$feature" enforce)
		elif [ "$feature" = "$2" ]; then
			orders+=("$feature" "$3")
		else
			orders+=("$feature" off)
		fi
	done
	looptrack -n "$1" set "${orders[@]}" && looptrack -n "$1" reset ||
		fail "looptrack set $2 $3 failed"
}

# modes FAMILY: those to go through. IPv6 is not all done twice; what a debug kernel
# is for is to watch the module at work.
modes() {
	[ "$KSFT_SLOW" = 0 ] || { echo observe enforce && return; }
	echo off observe enforce
	[ "$1" = 6 ] || echo defaults
}

# holds TEXT NAME VALUE OPERATOR NUMBER
holds() {
	case $4 in
	'=') [ "$3" = "$5" ] ;;
	'<=') [ "$3" -le "$5" ] ;;
	'>=') [ "$3" -ge "$5" ] ;;
	*) false ;;
	esac || fail "$1: $2 is ${3:-not there}, which should be $4 $5"
}

# want TEXT TERM...: the words R_* are so; TERM: KEY=N, KEY<=N, KEY>=N.
want() {
	local text=$1 term var

	shift
	for term; do
		[[ $term =~ ^([A-Za-z_]+)([<>]?=)(.*)$ ]]
		var=R_${BASH_REMATCH[1]}
		holds "$text" "${var#R_}" "${!var}" "${BASH_REMATCH[@]:2}" || return
	done
}

# counts NS TEXT TERM...: likewise the counters.
counts() {
	local text=$2 stats term

	stats=$(looptrack -j -n "$1" stats)
	shift 2
	for term; do
		[[ $term =~ ^([a-z_]+)([<>]?=)(.*)$ ]]
		holds "$text" "${BASH_REMATCH[1]}" "$(json "${BASH_REMATCH[1]}" <<<"$stats")" \
			"${BASH_REMATCH[@]:2}" || return
	done
}

# counter NS NAME: one of the module's.
counter() {
	json "$2" < <(looptrack -j -n "$1" stats)
}

# json KEY: its numeric value in the JSON on standard input.
json() {
	local text

	read -r -d '' text
	[[ $text =~ \"$1\":\ *([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}

# listened NS: somebody there has joined a multicast group of generic netlink.
listened() {
	# shellcheck disable=SC2016 # awk's
	in_ns "$1" awk '$2 == 16 && $4 != "00000000" { found = 1 } END { exit !found }' \
		/proc/net/netlink
}

# conntrack_stat NS NAME: of all CPUs together.
conntrack_stat() {
	local rest sum=0

	rest=$(in_ns "$1" conntrack -S)
	while [[ $rest =~ \ $2=([0-9]+)(.*) ]]; do
		sum=$((sum + BASH_REMATCH[1]))
		rest=${BASH_REMATCH[2]}
	done
	echo "$sum"
}

insert_failed() {
	conntrack_stat "$1" insert_failed
}

# words KEY=VALUE...: each as a shell variable with the prefix R_ (as the
# programs of this directory report).
words() {
	local word

	for word in "$@"; do
		[[ $word = *=* ]] && printf -v "R_${word%%=*}" %s "${word#*=}"
	done
}

R_rounds='' R_conns='' R_ok='' R_slow='' R_failed='' R_gaveup='' R_resent='' R_wrong=''
R_noport='' R_rewritten='' R_max_ms='' R_per_s=''
R_asked='' R_answered='' R_misled='' R_fastopened='' R_denied='' R_passed=''
R_by_A='' R_by_B='' R_heard_A='' R_heard_B=''

# race ARGUMENT...: runs the program, leaves its words in R_*; false if it broke.
race() {
	local out

	# A lost SYN costs a second at least.
	if ! out=$(command race -T $((KSFT_SLOW ? 950 : 500)) "$@"); then
		fail "race $*: failed"
		return
	fi
	note "race: $out"
	# shellcheck disable=SC2086 # one word for each
	words $out
}

# report TEXT OUTPUT: of a program, as words; those that are not 0 are shown.
report() {
	local word brief=''

	for word in $2; do
		[[ $word = *=0 ]] || brief+=" $word"
	done
	note "$1:$brief"
	# shellcheck disable=SC2086 # one word for each
	words $2
}

# scene NS FAMILY TEXT [OPTION...] <SCRIPT: plays it, leaves its words in R_* and
# notes them after TEXT.
scene() {
	local out

	if ! out=$(command scene -n "$1" "-$2" -g $((KSFT_SLOW ? 30000 : 8000)) "${@:4}"); then
		fail "$3: the scene broke"
		return
	fi
	report "$3" "$out"
}

# room_to_wait NS: for all TIME_WAIT sockets that a test may leave. A kernel that has no
# room for one more answers by a reset what its peer still has to say: to a client that
# was slow to wake, its connection has failed ("Broken pipe").
room_to_wait() {
	in_ns "$1" sysctl -qw net.ipv4.tcp_max_tw_buckets=262144
}

# churn NS TEXT ARGUMENT...: runs the program, likewise. Slow is a connection that has
# lost its SYN, which is sent again after a second; all else is the machine's mood.
churn() {
	local out

	room_to_wait "$1" || return
	if ! out=$(command churn -n "$1" -T $((KSFT_SLOW ? 5000 : 950)) "${@:3}"); then
		fail "churn ${*:3}: failed"
		return
	fi
	report "$2" "$out"
}

# Is this a machine of one processor whose clock counts instructions ("vm -i")? The
# clock is the judge: 0.95 to 1.05 ns for one, if nothing comes in between.
counts_instructions() {
	[ "$(nproc)" = 1 ] && command cost -b 5 -o 2000000 clock |
		awk '$1 > 0.95 && $1 < 1.05 { found = 1 } END { exit !found }'
}

# median FILE: of the numbers in it.
median() {
	sort -n "$1" | awk '{ v[NR] = $1 }
		END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

# serve PROTO FAMILY PORT: a server in $s for several races, if there is none.
serve() {
	local file

	tmpdir
	file=$tmp/server-$s-$1-$2-$3
	[ ! -e "$file" ] || return 0
	command race -S "$s" -t "$1" "$(server "$2")" "$3" >"$file" &
	background+=($!)
	busywait 10000 grep -q ready "$file" || fail "the server did not start"
}

# strays FAMILY PORT WHAT <CONNTRACK-LIST: of the flows to PORT prints
# how many there are, how many of them do not have an address and a port that
# the rule WHAT (see snat) allows, and how many share address and port.
strays() {
	local family=$1 port=$2 what=$3 addrs ports=1-65535

	addrs=$what
	case $what in
	masquerade*:* | \[*\]:* | *.*:*)
		ports=${what##*:}
		addrs=${what%:*}
		;;
	esac
	case $addrs-$family in
	masquerade-4) addrs=10.99.9.1 ;;
	masquerade-6) addrs=fd99:9::1 ;;
	esac
	addrs=${addrs//[\[\]]/}
	awk -v port="$port" -v addrs="$addrs" -v ports="$ports" '
		BEGIN {
			split(addrs, a, "-")
			for (i in a)
				allowed[a[i]] = 1
			if (split(ports, p, "-") == 1)
				p[2] = p[1]
		}
		{
			# src dst sport dport of the request, then of the reply
			n = 0
			for (i = 1; i <= NF; i++)
				if (split($i, kv, "=") == 2 && kv[1] ~ /^(src|dst|sport|dport)$/)
					v[++n] = kv[2]
			if (n < 8 || v[4] != port)
				next
			all++
			if (!(v[6] in allowed) || v[8] + 0 < p[1] + 0 || v[8] + 0 > p[2] + 0)
				outside++
			if (seen[v[6], v[8]]++)
				twice++
		}
		END { print all + 0, outside + 0, twice + 0 }'
}

##############################################################################
# Kernel log

kmsg_mark=''

# Remember this place in the kernel's log.
kmsg_here() {
	kmsg_mark="looptrack selftest $$-$RANDOM"
	echo "$kmsg_mark" >/dev/kmsg
}

# True if the kernel has complained since; the lines are shown.
kmsg_complains() {
	local lines

	lines=$(dmesg | sed "1,/$kmsg_mark/d" |
		grep -E 'WARNING|BUG|Oops|KASAN|refcount|unregister_netdevice|RCU|lockdep|Trace:')
	[ -n "$lines" ] && note "$lines"
}
