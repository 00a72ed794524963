#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The switches: by the tool, by raw netlink, by the kernel's own YNL library;
# what is refused and that a refusal changes nothing; the module parameter;
# counters and events; the tool's exit codes.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip
need_module
tmpdir
a='' b='' other=''

# answers WANTED COMMAND...: the command's exit status and its output, which
# matches the pattern.
answers() {
	local status=$1 pattern=$2 out got

	shift 2
	out=$("$@" 2>&1)
	got=$?
	[[ $got = "$status" && $out =~ $pattern ]] ||
		fail "$*: status $got instead of $status, or not like '$pattern': $out"
}

# mode_of NS FEATURE
mode_of() {
	[[ $(looptrack -j -n "$1" status) =~ \"name\":\"$2\",\"mode\":\"([a-z]*)\" ]] &&
		echo "${BASH_REMATCH[1]}"
}

# is NS FEATURE MODE
is() {
	local got

	got=$(mode_of "$1" "$2")
	[ "$got" = "$3" ] || fail "$2 is ${got:-nothing} instead of $3 in $1"
}

# The features this module has (supported) or has not (unsupported), by name.
features() {
	local all entry

	all=$(looptrack -j status)
	while [[ $all =~ (\"name\":\"([a-z]*)\",\"mode\"[^}]*)\}(.*) ]]; do
		entry=${BASH_REMATCH[1]}
		all=${BASH_REMATCH[3]}
		if [[ $entry = *'"supported":true'* ]]; then
			[ "$1" = unsupported ] || echo "${BASH_REMATCH[2]}"
		else
			[ "$1" = supported ] || echo "${BASH_REMATCH[2]}"
		fi
	done
}

reload() {
	rmmod nf_looptrack && modprobe nf_looptrack "$@" || fail "cannot reload the module: $*"
}

set_and_get() {
	local feature mode count=0

	drop_ns
	new_ns a b
	# It needs one for its modes.
	looptrack -n "$a" set passmark off mark 0x10/0x30 || return
	for feature in $(features supported); do
		mode "$b" "$feature" off || return
		for mode in off observe enforce off enforce observe; do
			mode "$a" "$feature" "$mode" && is "$a" "$feature" "$mode" || return
			is "$b" "$feature" off || return
			count=$((count + 1))
		done
	done
	note "$count changes"
	[ "$count" -gt 0 ] || fail "no feature is supported"
}

unsupported() {
	local feature mode id=0 count=0 all

	drop_ns
	new_ns a
	all=" $(features unsupported | tr '\n' ' ')"
	for feature in $(features all); do
		for mode in 0 1 2; do
			[[ $all = *" $feature "* ]] || continue
			# 24: a netlink and a generic netlink header, that of the nest
			answers 1 '^EOPNOTSUPP ".*" at 24$' in_ns "$a" genl set "$id" "$mode" ||
				return
			count=$((count + 1))
		done
		id=$((id + 1))
	done
	for feature in $all; do
		answers 2 'feature.*\(attribute .*id.*\)' \
			looptrack -n "$a" set "$feature" enforce || return
		is "$a" "$feature" off || return
	done
	note "$count unsupported"
	# The number behind the last is nobody's.
	for mode in 0 1 2; do
		answers 1 '^ERANGE ".*" at 24$' in_ns "$a" genl set "$id" "$mode" || return
	done
	answers 0 ok in_ns "$a" genl set "$((id - 1))" 0
}

all_or_nothing() {
	local feature

	drop_ns
	new_ns a
	is "$a" clash enforce || return
	feature=$(features unsupported | head -n1)
	if [ -n "$feature" ]; then
		answers 2 feature looptrack -n "$a" set clash off "$feature" enforce || return
		is "$a" clash enforce || return
		answers 2 feature looptrack -n "$a" set "$feature" enforce clash off || return
		is "$a" clash enforce || return
	fi
	answers 1 '^EINVAL ".*twice' in_ns "$a" genl set 0 0 0 1 || return
	answers 1 '^ERANGE .* at ' in_ns "$a" genl set 0 3 || return
	answers 1 '^ERANGE .* at ' in_ns "$a" genl set 0 0 99 1 || return
	answers 1 '^EINVAL ".*" at ' in_ns "$a" genl set - 1 || return
	answers 1 '^EINVAL ".*" at ' in_ns "$a" genl set 0 - || return
	answers 1 '^EINVAL ".*"' in_ns "$a" genl set || return
	answers 1 . looptrack -n "$a" set clash off stale || return
	answers 1 . looptrack -n "$a" set clash off clash observe || return
	answers 1 . looptrack -n "$a" set clash off nonsense off || return
	is "$a" clash enforce
}

# proxies_of NS: of loopguard, as JSON.
proxies_of() {
	[[ $(looptrack -j -n "$1" status) =~ \"proxies\":(\[[^]]*\]) ]] && echo "${BASH_REMATCH[1]}"
}

# refused_proxies PATTERN WORD...: and all is as it was.
refused_proxies() {
	local now

	answers 1 "$1" in_ns "$a" genl set "${@:2}" || return
	now=$(looptrack -j -n "$a" status)
	[ "$was" = "$now" ] || fail "genl set ${*:2}: status was $was, is $now"
}

# What there is to a proxy, and what is no proxy. Feature 5 is loopguard.
proxies() {
	local all was

	drop_ns
	new_ns a b
	all='[{"port":15001},{"uid":4294967294},{"cgroup":1844674407370955161}]'
	answers 0 '^ok$' in_ns "$a" genl set 5 1 +p15001 +u4294967294 +c1844674407370955161 ||
		return
	[ "$(proxies_of "$a")" = "$all" ] || fail "proxies are $(proxies_of "$a")" || return
	[ -z "$(proxies_of "$b")" ] || fail "another namespace has $(proxies_of "$b")" || return

	was=$(looptrack -j -n "$a" status)
	refused_proxies '^EINVAL "a proxy has one of' 0 0 5 2 + &&
		refused_proxies '^EINVAL "a proxy has one of' 5 2 +u1 +p1u1 0 0 &&
		refused_proxies '^ERANGE ' 0 0 5 2 +u1 +p0 &&
		refused_proxies '^ERANGE ' 0 0 5 2 +u1 +c0 &&
		refused_proxies '^EINVAL "there is no such user' 0 0 5 2 +u4294967295 &&
		refused_proxies '^EINVAL "there is a proxy or' 0 0 5 2 +u1 +none &&
		refused_proxies '^EINVAL "only loopguard has' 5 2 +u1 0 0 +u1 &&
		refused_proxies '^EINVAL "only loopguard has' 5 2 +u1 0 0 +none &&
		refused_proxies '^EINVAL ".*twice' 5 2 +u1 0 0 5 2 +u2 &&
		refused_proxies '^ENOSPC "no more than 8' 0 0 5 2 +u{1..9} || return

	mode "$a" loopguard off || return
	[ "$(proxies_of "$a")" = "$all" ] || fail "a change of mode left $(proxies_of "$a")" ||
		return
	answers 0 '^ok$' in_ns "$a" genl set 5 1 +u{1..8} || return
	[[ $(proxies_of "$a") = '[{"uid":1},'*'{"uid":8}]' ]] ||
		fail "proxies are $(proxies_of "$a")" || return
	answers 0 '^ok$' in_ns "$a" genl set 5 1 +none || return
	[ -z "$(proxies_of "$a")" ] || fail "proxies are $(proxies_of "$a")"
}

# exempt_of NS: ports of listeners, as JSON.
exempt_of() {
	[[ $(looptrack -j -n "$1" status) =~ \"exempt\":(\[[^]]*\]) ]] && echo "${BASH_REMATCH[1]}"
}

# Ranges that listeners leaves alone, and what is no range. Feature 9 is listeners.
exempts() {
	local all was

	drop_ns
	new_ns a b
	looptrack -n "$a" set listeners observe exempt 500 exempt 27015-27020 || return
	all='[{"from":500,"to":500},{"from":27015,"to":27020}]'
	[ "$(exempt_of "$a")" = "$all" ] || fail "exempt are $(exempt_of "$a")" || return
	[ -z "$(exempt_of "$b")" ] || fail "another namespace has $(exempt_of "$b")" || return

	was=$(looptrack -j -n "$a" status)
	refused_proxies '^EINVAL ".*"' 0 0 9 2 +t5 &&
		refused_proxies '^EINVAL ".*below' 0 0 9 2 +f5 +f6t5 &&
		refused_proxies '^ERANGE ' 0 0 9 2 +f0 &&
		refused_proxies '^ERANGE ' 0 0 9 2 +f5t0 &&
		refused_proxies '^EINVAL "there is an exempt port or' 0 0 9 2 +f5 +no-exempt &&
		refused_proxies '^EINVAL "only listeners has' 9 2 +f5 0 0 +f5 &&
		refused_proxies '^EINVAL "only listeners has' 9 2 +f5 0 0 +no-exempt &&
		refused_proxies '^EINVAL "only loopguard has' 9 2 +u1 &&
		refused_proxies '^ENOSPC "no more than 16' 0 0 9 2 +f{1..17} || return

	mode "$a" listeners off || return
	[ "$(exempt_of "$a")" = "$all" ] || fail "a change of mode left $(exempt_of "$a")" || return
	answers 0 '^ok$' in_ns "$a" genl set 9 1 +f{1..15} +f1t65535 || return
	[[ $(exempt_of "$a") = '[{"from":1,"to":1},'*'{"from":1,"to":65535}]' ]] ||
		fail "exempt are $(exempt_of "$a")" || return
	looptrack -n "$a" set listeners off exempt none || return
	[ -z "$(exempt_of "$a")" ] || fail "exempt are $(exempt_of "$a")"
}

# Whoever has a user of no number here is not to be named; who reads has numbers of
# his own.
proxies_of_users() {
	local uid

	unshare -U true 2>/dev/null || skip "no user namespaces" || return
	drop_ns
	answers 2 'no such user.*feature.proxy.uid' unshare -Urn looptrack set loopguard off \
		proxy uid 5 || return
	uid=$(unshare -Urn sh -c 'looptrack set loopguard off proxy uid 0 &&
		looptrack -j status') || fail "root of its own may not: $uid" || return
	[[ $uid = *'"proxies":[{"uid":0}]'* ]] || fail "status says $uid"
}

# parameter VALUE MODE_IN_INIT MODE_ELSEWHERE: for namespaces that exist when the
# module is loaded and for new ones.
parameter() {
	drop_ns
	new_ns a
	reload ${1:+netns=$1} || return
	new_ns b
	[ "$(cat /sys/module/nf_looptrack/parameters/netns)" = "${1:-all}" ] ||
		fail "the parameter reads $(cat /sys/module/nf_looptrack/parameters/netns)" ||
		return
	answers 0 "\"netns_default\":\"${1:-all}\"" looptrack -j status || return
	is /proc/1/ns/net clash "$2" && is "$a" clash "$3" && is "$b" clash "$3"
}

wrong_parameter() {
	local value

	rmmod nf_looptrack || return
	for value in some '' al alll 1; do
		modprobe nf_looptrack "netns=$value" 2>/dev/null &&
			fail "netns=$value was accepted" && return "$ksft_fail"
		[ ! -e /sys/module/nf_looptrack ] || fail "netns=$value left a module" || return
	done
	modprobe nf_looptrack || fail "cannot load the module again"
}

# A flow through NAT in each of two routers; one is reset.
reset_counters() {
	local first second

	topology && snat "$r" nft 4 masquerade || return
	serve tcp 4 7000 || return
	race -n "$c0" -r 3 "$server4" 7000 || return
	first=$(counter "$r" clash_committed)
	[ "$first" = 3 ] || fail "clash_committed is $first after 3 flows" || return
	# A namespace counts for itself.
	new_ns other
	[ "$(counter "$other" clash_committed)" = 0 ] ||
		fail "another namespace has counted" || return
	looptrack -n "$other" reset || fail "reset failed" || return
	second=$(counter "$r" clash_committed)
	[ "$second" = 3 ] || fail "a reset elsewhere set clash_committed to $second" || return
	looptrack -n "$r" reset || fail "reset failed" || return
	second=$(counter "$r" clash_committed)
	[ "$second" = 0 ] || fail "clash_committed is $second after a reset" || return
	race -n "$c0" -r 2 -b 20000 "$server4" 7000 || return
	second=$(counter "$r" clash_committed)
	[ "$second" = 2 ] || fail "clash_committed is $second after a reset and 2 flows"
}

# races: until the router has counted an event and someone has heard it.
heard() {
	local i

	for ((i = 0; i < 20; i++)); do
		race -n "$c0" -n "$c1" -r 20 -b $((10000 + i * 20)) -g 700 "$server4" 7000 || return
		[ ! -s "$tmp/events" ] || return 0
	done
	return 1
}

lines() {
	wc -l <"$1"
}

# events MODE DECISION: each clash is told once, to the namespace it is in, and to
# who asks for what it is.
events() {
	local before counted told word=clash_repicked line key

	[ "$(nproc)" -ge 2 ] || skip "a race needs two CPUs" || return
	topology && snat "$r" nft 4 masquerade && widen "$r" && serve tcp 4 7000 || return
	mode "$r" clash "$1" || return
	[ "$1" = enforce ] || word=clash_seen
	: >"$tmp/events"
	: >"$tmp/elsewhere"
	: >"$tmp/others"
	in_back looptrack -j -n "$r" monitor --feature clash --decision "$2" -p tcp --dport 7000 \
		>"$tmp/events"
	in_back looptrack -j -n "$r" monitor --decision refused,kept >"$tmp/others"
	in_back looptrack -j -n "$c0" monitor >"$tmp/elsewhere"
	heard || xfail "no event" || return

	told=$(lines "$tmp/events")
	before=$(counter "$r" "$word")
	race -n "$c0" -n "$c1" -r 50 -b 20000 -g 700 "$server4" 7000 || return
	counted=$(($(counter "$r" "$word") - before))
	busywait 3000 eval "[ \$(lines '$tmp/events') -ge $((told + counted)) ]"
	told=$(($(lines "$tmp/events") - told))
	note "$counted counted, $told told"
	[ "$(counter "$r" events_lost)" = 0 ] || fail "events were lost" || return
	[ "$told" = "$counted" ] || fail "$counted clashes counted, $told told" || return
	[ ! -s "$tmp/elsewhere" ] || fail "another namespace was told" || return
	[ ! -s "$tmp/others" ] || fail "told who didn't ask: $(<"$tmp/others")" || return

	line=$(tail -n1 "$tmp/events")
	note "$line"
	[[ $line = *"\"decision\":\"$2\""* ]] || fail "the decision is not $2: $line" || return
	for key in time feature protocol flow wanted holder; do
		[[ $line = *"\"$key\":"* ]] || fail "no $key in $line" || return
	done
	if [ "$2" = repicked ]; then
		[[ $line = *'"got":'* ]] || fail "no got in $line"
	else
		[[ $line != *'"got":'* ]] || fail "got in $line"
	fi
}

# told MORE: connections are made and, as linger ends each, the monitor writes more
# than MORE lines.
told() {
	command churn -n "$a" -N 10 -c 15001 80 "$(dst 4 1)" >/dev/null &&
		busywait 2000 eval "[ \$(lines '$tmp/events') -gt $1 ]"
}

overflown() {
	command churn -n "$a" -d 1 -c 15001 80 "$(dst 4 1)" >/dev/null &&
		[ "$(counter "$a" events_lost)" -gt 0 ]
}

# A reader that stands still is told that it lost something, once, and hears what
# comes after.
slow_reader() {
	local monitor before status

	alone && redirect "$a" nft 4 tcp output 80:15001 || return
	: >"$tmp/events"
	in_back looptrack -j -n "$a" monitor >"$tmp/events"
	monitor=${background[-1]}
	busywait 20000 told 0 || fail "no event" || return
	kill -STOP "$monitor"
	busywait 60000 overflown
	status=$?
	kill -CONT "$monitor"
	note "$(counter "$a" linger_evicted) entries evicted, $(counter "$a" events_lost) not told"
	[ "$status" = 0 ] || fail "no loss is counted" || return
	busywait 5000 grep -q lost "$tmp/events" || fail "the loss is not told" || return
	before=$(lines "$tmp/events")
	busywait 20000 told "$before" || fail "nothing is told after the loss" || return
	[ "$(grep -cx '{"lost":true}' "$tmp/events")" = 1 ] ||
		fail "lost: $(grep -c lost "$tmp/events") times"
}

# saved NS: its modes, without what is said about the file.
saved() {
	looptrack -n "$1" save | grep -v '^#'
}

# unrestored NS LINE PATTERN: this line, after those that are right, is refused and named,
# and the lines before it have changed nothing.
unrestored() {
	local was count

	was=$(saved "$1")
	count=$(wc -l <"$tmp/saved")
	{
		sed 's/enforce/observe/' "$tmp/saved"
		echo "$2"
	} >"$tmp/wrong"
	answers 1 "$tmp/wrong:$((count + 1)): .*$3" looptrack -n "$1" restore "$tmp/wrong" ||
		return
	[ "$was" = "$(saved "$1")" ] || fail "'$2' left $(saved "$1")"
}

# What was saved is there again in another namespace, and after the module was gone.
restored() {
	local feature was

	drop_ns
	new_ns a b
	looptrack -n "$a" set clash observe stale enforce ports enforce linger observe \
		loopsnat enforce passmark enforce mark 0x10/0x30 express enforce origin off \
		heal enforce \
		loopguard observe proxy port 15001 proxy uid 65534 proxy cgroup / \
		listeners observe exempt 500 exempt 27015-27020 || return
	looptrack -n "$a" save >"$tmp/saved" || return
	was=$(saved "$a")
	note "$(tr '\n' ';' <<<"$was")"
	for feature in $(features all); do
		grep -q "\<$feature\>" <<<"$was" || fail "$feature is not saved" || return
	done
	[ "$was" != "$(saved "$b")" ] || fail "the modes are the default's" || return
	answers 0 '^$' looptrack -n "$b" restore "$tmp/saved" || return
	[ "$was" = "$(saved "$b")" ] || fail "restored is $(saved "$b")" || return
	unrestored "$b" "clash sometimes" sometimes && unrestored "$b" "flwo off" flwo &&
		unrestored "$b" "clash off" clash || return

	reload || return
	[ "$was" != "$(saved "$a")" ] || fail "the module comes with the modes it had" || return
	answers 0 '^$' looptrack -n "$a" restore - <"$tmp/saved" || return
	[ "$was" = "$(saved "$a")" ] || fail "restored after a load is $(saved "$a")"
}

# queued FAMILY: 100 packets wait in user space while each feature comes and goes, some
# times; accepted then, all of them arrive, and a rule before the queue sees each once.
# A hook that comes before the one that queued them has the kernel run that once more:
# they may wait twice.
queued() {
	local family=$1 lo n=100 sets=() feature mode

	lo=$(loopback "$family")
	command -v exclusions_queue >/dev/null || skip "exclusions_queue is not built" || return
	modprobe -q nfnetlink_queue
	alone && in_ns "$a" nft -f - <<-EOT || skip "the kernel has no queues" || return
		table inet ask {
			chain first {
				type filter hook output priority -150
				udp dport 7000 counter
			}
			chain out {
				type filter hook output priority filter
				udp dport 7000 queue num 7
			}
			chain nat {
				type nat hook output priority -100
				tcp dport 9 redirect to :10
			}
		}
	EOT
	tmpdir
	for mode in off enforce off observe enforce; do
		for feature in $(features all); do
			# It cannot be set without a mark at first.
			[ "$feature" = passmark ] && sets+=("$feature $mode mark 0x1000/0x1000") ||
				sets+=("$feature $mode")
		done
	done
	printf "looptrack -n $a set %s || exit\n" "${sets[@]}" >"$tmp/toggle"
	# One more than wait: it is the last that makes them go.
	started queue "$a" exclusions_queue 7 $((n + 1)) 120000 || return
	scene "$a" "$family" queued < <(
		cat <<-EOT
			udp A at $lo from 7000
			udp c from 20000
			repeat $n
			tell c $lo 7000
			end
			sh sh $tmp/toggle
			ask c $lo 7000
			sh sleep 3
			ask c $lo 7000
		EOT
	) || return
	note "let go: $(tr '\n' ' ' <"$tmp/queue")"
	want queued answered=2 heard_A=$((n + 2)) || return
	in_ns "$a" nft list chain inet ask first | grep -q "packets $((n + 2)) " ||
		fail "not each passed the rule before the queue once"
}

exit_codes() {
	drop_ns
	new_ns a
	answers 0 '^looptrack ' looptrack --version || return
	answers 0 clash looptrack -n "$a" status || return
	answers 1 nonsense looptrack nonsense || return
	answers 1 . looptrack || return
	answers 1 sometimes looptrack -n "$a" set clash sometimes || return
	answers 1 . looptrack -n "$a" set clash || return
	answers 1 . looptrack -n "$a" status now || return
	answers 2 'needs a mark' looptrack -n "$a" set passmark enforce || return
	answers 2 'no such flow' looptrack -n "$a" flow get tcp 127.0.0.1:1 127.0.0.1:2 || return
	answers 6 lt-nowhere looptrack -n lt-nowhere status || return
	answers 7 . sh -c 'looptrack stats >/dev/full' || return
	rmmod nf_looptrack || return
	answers 3 'not loaded' looptrack status
	answers 3 'not loaded' looptrack set clash off
	modprobe nf_looptrack || fail "cannot load the module again" || return
	[ -z "$reason" ]
}

##############################################################################
# The kernel's own YNL library

# ynl_start NS: what asks for us there.
ynl_start() {
	local dir lib spec

	for dir in "${LOOPTRACK_YNL-}" "$here"/../../../../net/ynl \
		/usr/src/linux-source-*/tools/net/ynl; do
		for lib in "$dir" "$dir/pyynl"; do
			[ ! -e "$lib/lib/ynl.py" ] || break 2
		done
	done
	[ -e "$lib/lib/ynl.py" ] ||
		skip "LOOPTRACK_YNL does not name tools/net/ynl of a kernel source" || return
	/usr/bin/env python3 -c 'import yaml' 2>/dev/null ||
		skip "python3-yaml is missing" || return
	for spec in "$here/looptrack.yaml" "$here/../uapi/spec/looptrack.yaml"; do
		[ ! -e "$spec" ] || break
	done
	coproc ynl { in_ns "$1" python3 "$here/ynl.py" "$lib" "$spec" 2>&1; }
	# shellcheck disable=SC2154 # coproc sets it
	background+=("$ynl_PID")
}

# ynl_answers PATTERN REQUEST: what comes is like that.
ynl_answers() {
	local out

	echo "${2//$'\n'/ }" >&"${ynl[1]}" && read -r -t 120 out <&"${ynl[0]}" ||
		fail "YNL: no answer to $2" || return
	[[ $out =~ $1 ]] || fail "YNL: $2: not like '$1': $out"
}

# says PATTERN OPERATION [JSON], and lists PATTERN OPERATION, of all there are.
says() {
	ynl_answers "$1" "do $2 ${3-{\}}"
}

lists() {
	ynl_answers "$1" "dump $2 {}"
}

# What only passmark has, and what is wrong with it.
ynl_mark() {
	local passmark='"id": "passmark", "mode": "enforce"'
	local proxy="'proxy': \\[\\{'port': 15001\\}, \\{'cgroup': 42\\}\\]"

	says 'error:.*needs a mark' feature-set "{\"feature\": [{$passmark}]}" &&
		says 'error:.*both value and mask' feature-set \
			"{\"feature\": [{$passmark, \"mark\": 1}]}" &&
		says 'error:.*both value and mask' feature-set \
			"{\"feature\": [{$passmark, \"mark-mask\": 1}]}" &&
		says 'error:.*no bits' feature-set \
			"{\"feature\": [{$passmark, \"mark\": 0, \"mark-mask\": 0}]}" &&
		says 'error:.*outside of its mask' feature-set \
			"{\"feature\": [{$passmark, \"mark\": 3, \"mark-mask\": 1}]}" &&
		says 'error:.*only passmark' feature-set \
			'{"feature": [{"id": "clash", "mode": "off", "mark": 1}]}' &&
		is "$a" passmark off &&
		says None feature-set \
			"{\"feature\": [{$passmark, \"mark\": 16, \"mark-mask\": 48}]}" &&
		is "$a" passmark enforce &&
		says "$proxy.*'id': 'passmark'.*'mark': 16,.*'mark-mask': 48" feature-get
}

ynl() {
	local twice='{"id": "clash", "mode": "off"}'

	drop_ns
	new_ns a
	ynl_start "$a" || return
	says "'netns-default': 'all'" module-get &&
		says "'id': 'clash'.*'mode': 'enforce'" feature-get &&
		says None feature-set '{"feature": [{"id": "clash", "mode": "observe"},
			{"id": "loopguard", "mode": "off",
				"proxy": [{"port": 15001}, {"cgroup": 42}]},
			{"id": "listeners", "mode": "observe",
				"exempt": [{"from": 500}, {"from": 9, "to": 10}]}]}' &&
		is "$a" listeners observe && says "'from': 500, 'to': 500.*'to': 10" feature-get &&
		is "$a" clash observe && ynl_mark || return
	says 'error:.*both protocol and flow' trace-start '{"protocol": 6}' &&
		says None trace-start '{"protocol": 6, "flow": {"dport": 80}}' &&
		says "'clash-committed': 0" stats-get && says None stats-reset &&
		says "'hook': 'local-out', 'answer'.*'is-delivered': True" rules-get \
			'{"protocol": 17, "flow": {"src4": 2130706433, "dst4": 2130706433,
			"sport": 1, "dport": 2}}' &&
		says 'error:.*has two ports' rules-get \
			'{"protocol": 17, "flow": {"src4": 1, "dst4": 1}}' &&
		says 'error:.*feature' feature-set "{\"feature\": [$twice, $twice]}" &&
		is "$a" clash observe
}

history=/sys/module/nf_looptrack/parameters/history

# stale_flows COUNT: so many decisions.
stale_flows() {
	scene "$a" 4 "$1 evicted" <<-EOT || return
		listen A 15001
		repeat $1
		connect c $(dst 4 1) 80 from $base+%
		vanish c
		vanish c.peer
		connect d $(dst 4 1) 80 from $base+%
		ask d
		close d
		close d.peer
		end
	EOT
	base=$((base + $1))
	want "$1 evicted" "answered=$((3 * $1))" && counts "$a" "$1 evicted" "stale_evicted=$1"
}

# asked PORT: for the decision about the flow from there, as JSON.
asked() {
	# 10.98.0.1 to 203.0.113.1
	printf '{"protocol": 6, "flow": {"src4": %d, "dst4": %d, "sport": %d, "dport": 80}}' \
		0x0a620001 0xcb007101 "$1"
}

# remembers COUNT: as many decisions are.
remembers() {
	lists "^\\[([^[]*'decision': 'evicted'){$1}[^[]*\\]\$" event-get
}

remembered() {
	local was status first=$base none='error:.*no decision about it'

	alone && redirect "$a" nft 4 tcp output 80:15001 && only "$a" stale enforce || return
	mode "$a" loopguard off || return
	ynl_start "$a" || return
	says 'error:.*both protocol and tuple' event-get &&
		says "$none" event-get "$(asked "$first")" || return
	stale_flows 12 && remembers 12 &&
		says "'decision': 'evicted'.*'sport': $first" event-get "$(asked "$first")" &&
		says "$none" event-get "$(asked 1)" || return

	was=$(<"$history")
	# It becomes shorter bit by bit.
	echo 5 >"$history"
	looptrack -n "$a" reset && stale_flows 7 && remembers 5 &&
		says "$none" event-get "$(asked "$first")" &&
		says "'sport': $((base - 1))" event-get "$(asked $((base - 1)))" &&
		looptrack -n "$a" reset && stale_flows 3 && remembers 5 &&
		echo 0 >"$history" &&
		looptrack -n "$a" reset && stale_flows 5 && remembers 0
	status=$?
	echo "$was" >"$history"
	return "$status"
}

subtest "each mode of each feature is set and read back" set_and_get
subtest "features the module has not are refused, by name or number" unsupported
subtest "a change is made as a whole or not at all" all_or_nothing
subtest "proxies are named as a whole or not at all" proxies
subtest "exempt ports are named as a whole or not at all" exempts
subtest "proxies by users, as the namespace knows them" proxies_of_users
subtest "defaults without a parameter" parameter '' enforce enforce
subtest "defaults with netns=init" parameter init enforce off
subtest "defaults with netns=none" parameter none off off
subtest "defaults with netns=all" parameter all enforce enforce
subtest "a wrong parameter is refused" wrong_parameter
subtest "counters belong to a namespace and can be reset" reset_counters
subtest "each clash is an event, enforce" events enforce repicked
subtest "each clash is an event, observe" events observe observed
subtest "a slow reader is told what it lost" slow_reader
subtest "modes are saved and restored, as a whole or not at all" restored
either "packets wait in a queue as features come and go, IPv4" queued 4
either "packets wait in a queue as features come and go, IPv6" queued 6
subtest "exit codes of the tool" exit_codes
subtest "the kernel's YNL library" ynl
subtest "the last decisions are remembered" remembered
run_subtests
