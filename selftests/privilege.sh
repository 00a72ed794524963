#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Who may do what: reads are for everybody, but for the flows; these, modes,
# counters and the event group are for who has CAP_NET_ADMIN in the user namespace
# that owns the network namespace, and for that network namespace only.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip setpriv unshare
need_module
tmpdir
a=''

# Nobody may read the place the tests are in; and the tools.
chmod 755 "$tmp"
for tool in genl looptrack; do
	cp "$(command -v $tool)" "$tmp/" || exit "$ksft_fail"
done
PATH=$tmp:$PATH

nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all)
# A root that lacks one capability.
weak=(setpriv --bounding-set=-net_admin --inh-caps=-net_admin)

# as USER... -- NS COMMAND...: what genl answers.
genl_in() {
	local ns=$1

	shift
	in_ns "$ns" "$@" 2>&1
}

expect() {
	local wanted=$1 out

	shift
	out=$(genl_in "$@")
	[[ $out = "$wanted"* ]] || fail "$*: '$out' instead of '$wanted'"
}

state() {
	looptrack -j -n "$1" status
}

# setup: a namespace with known modes, and a look at it.
setup() {
	drop_ns
	new_ns a
	mode "$a" clash observe || return
	was=$(state "$a")
}

unchanged() {
	local now

	now=$(state "$a")
	[ "$was" = "$now" ] || fail "was $was, is $now"
}

# refused WHO...: each write is; each read is not.
refused() {
	setup || return
	expect EPERM "$a" "$@" genl set 0 0 || return
	expect EPERM "$a" "$@" genl set 0 2 || return
	expect EPERM "$a" "$@" genl set 1 2 || return
	expect EPERM "$a" "$@" genl set || return
	expect EPERM "$a" "$@" genl reset || return
	expect EPERM "$a" "$@" genl join || return
	expect EPERM "$a" "$@" genl trace || return
	expect EPERM "$a" "$@" genl get flow || return
	expect EPERM "$a" "$@" genl get event || return
	expect EPERM "$a" "$@" genl rules 1 17 127.0.0.1 1 127.0.0.1 2 || return
	expect ok "$a" "$@" genl get module || return
	expect ok "$a" "$@" genl get feature || return
	expect ok "$a" "$@" genl get stats || return
	unchanged
}

allowed() {
	setup || return
	expect ok "$a" genl set 0 0 || return
	expect ok "$a" genl set 0 1 || return
	expect ok "$a" genl reset || return
	expect ok "$a" genl join || return
	expect ok "$a" genl get flow || return
	expect ok "$a" genl get event || return
	expect ok "$a" genl rules 1 17 127.0.0.1 1 127.0.0.1 2 || return
	# Of what? It may ask, then.
	expect EINVAL "$a" genl trace || return
	unchanged
}

tool() {
	local verb status

	setup || return
	for verb in "set clash off" reset monitor "flow list" \
		"flow get tcp 127.0.0.1:1 127.0.0.1:2" "resolve tcp 127.0.0.1:1 127.0.0.1:2"; do
		# shellcheck disable=SC2086 # words
		genl_in "$a" "${nobody[@]}" timeout 5 looptrack $verb >"$tmp/out"
		status=$?
		[ "$status" = 4 ] || fail "$verb: status $status: $(cat "$tmp/out")" || return
		[ "$(wc -l <"$tmp/out")" = 1 ] ||
			fail "$verb: not one line: $(cat "$tmp/out")" || return
	done
	genl_in "$a" "${nobody[@]}" looptrack status >"$tmp/out" ||
		fail "status: $(cat "$tmp/out")" || return
	genl_in "$a" "${nobody[@]}" looptrack stats >"$tmp/out" ||
		fail "stats: $(cat "$tmp/out")" || return
	unchanged
}

can_unshare() {
	"${nobody[@]}" unshare -Urn true 2>/dev/null ||
		skip "users may not make namespaces here"
}

# The root of a user namespace made by nobody, still in the network namespace of
# others.
stranger() {
	can_unshare || return
	refused "${nobody[@]}" unshare -Ur
}

# The same with a network namespace of its own: free there, and only there.
own() {
	local init

	can_unshare && setup || return
	init=$(state /proc/1/ns/net)
	in_ns "$a" "${nobody[@]}" unshare -Urn sh -c '
		genl join && genl reset && genl set 0 0 && looptrack -j status' >"$tmp/out" 2>&1
	[ "$(grep -c '^ok$' "$tmp/out")" = 3 ] || fail "$(cat "$tmp/out")" || return
	grep -q '"name":"clash","mode":"off"' "$tmp/out" ||
		fail "nothing was set: $(cat "$tmp/out")" || return
	[ "$(state /proc/1/ns/net)" = "$init" ] || fail "the initial namespace changed" || return
	unchanged
}

# By entering another namespace.
intruder() {
	can_unshare && setup || return
	in_ns "$a" "${nobody[@]}" unshare -Urn looptrack -n "$a" set clash off >"$tmp/out" 2>&1
	case $? in
	4 | 6) ;;
	*) fail "not refused: $(cat "$tmp/out")" || return ;;
	esac
	unchanged
}

subtest "root may" allowed
subtest "a user may read but not write" refused "${nobody[@]}"
subtest "root without CAP_NET_ADMIN may read but not write" refused "${weak[@]}"
subtest "root of another user namespace may read but not write" stranger
subtest "root of its own namespaces may, there and nowhere else" own
subtest "nobody gets into another namespace" intruder
subtest "the tool says so in one line" tool
run_subtests
