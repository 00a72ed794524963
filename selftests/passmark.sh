#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Which pass is it? A rule on the mark of the second pass counts each packet of
# the host to itself once, and without the feature twice. Each subtest also shows
# that observe counts the packets and changes nothing.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft packets scene
need_module
tmpdir

: "${KSFT_PACKETS:=$((KSFT_SLOW ? 1000 : 10000))}"
mark=0x1000
other=''

# packets_in NS TEXT ARGUMENT...: runs the program, leaves its words in R_*.
# shellcheck disable=SC2034 # want looks at them
R_arrived='' R_out='' R_pre='' R_plain='' R_marks=''
packets_in() {
	local out

	out=$(command packets -n "$1" "${@:3}") || fail "$2: packets ${*:3}: $out" || return
	note "$2: $out"
	# shellcheck disable=SC2086 # one word for each
	words $out
}

passmark() {
	looptrack -n "$1" set passmark "$2" mark "$mark/$mark" && looptrack -n "$1" reset ||
		fail "looptrack set passmark $2 failed"
}

##############################################################################
# Count once

# Counters of what passes lo: in OUTPUT; and in PREROUTING all, then those without
# the mark, in each table that is there.
count_by() {
	local tool table

	if [ "$1" = nft ]; then
		in_ns "$a" nft -f - <<-EOT || fail "nft does not take the rules"
			table inet count {
				chain out {
					type filter hook output priority raw
					oifname lo counter comment "out"
				}
				chain track {
					type filter hook output priority filter
					ct state established accept
				}
				chain pre {
					type filter hook prerouting priority raw
					iifname lo counter comment "pre"
					iifname lo meta mark and $mark == 0 counter comment "plain"
				}
				chain first {
					type filter hook prerouting priority -1000
					iifname lo meta mark and $mark == 0 counter comment "plain"
				}
				chain in {
					type filter hook input priority security
					iifname lo meta mark and $mark == 0 counter comment "plain"
				}
			}
		EOT
		return
	fi
	tool=$(backend_tool "$1" "$2")
	{
		echo "*raw"
		echo "-A OUTPUT -o lo -m comment --comment out"
		echo "-A PREROUTING -i lo -m comment --comment pre"
		echo "-A PREROUTING -i lo -m mark ! --mark $mark/$mark -m comment --comment plain"
		echo COMMIT
		for table in mangle filter; do
			echo "*$table"
			echo "-A INPUT -i lo -m mark ! --mark $mark/$mark" \
				"-m comment --comment plain"
			# With conntrack, fragments are put together before raw.
			echo "-A OUTPUT -m conntrack --ctstate ESTABLISHED"
			echo COMMIT
		done
	} | in_ns "$a" "$tool-restore" || fail "$tool-restore does not take the rules"
	[ "$1" != legacy ] || legacy_used=1
}

# What they have counted, in R_out, R_pre and R_plain: the most of any table.
counted() {
	local line n

	R_out=0 R_pre=0 R_plain=0
	while read -r line; do
		n=''
		if [ "$1" = nft ]; then
			[[ $line =~ packets\ ([0-9]+)\ .*comment\ \"([a-z]+)\" ]]
		else
			[[ $line =~ ^\[([0-9]+):.*--comment\ \"?([a-z]+) ]]
		fi || continue
		n=${BASH_REMATCH[1]}
		case ${BASH_REMATCH[2]} in
		out) R_out=$n ;;
		pre) R_pre=$n ;;
		plain) [ "$n" -le "$R_plain" ] || R_plain=$n ;;
		esac
	done < <(if [ "$1" = nft ]; then
		in_ns "$a" nft list table inet count
	else
		in_ns "$a" "$(backend_tool "$1" "$2")-save" -c
	fi)
}

# counting BACKEND FAMILY KIND OPTION...
counting() {
	local backend=$1 family=$2 kind=$3 mode parts=1 together=1 n=$KSFT_PACKETS

	shift 3
	has_backend "$backend" "$family" ||
		skip "$(backend_tool "$backend" "$family") is not installed" || return
	[ "$backend" = nft ] || n=$((n / 5))
	if [ "$kind" = fragments ]; then
		parts=3
		# What has an entry already is not put together, of IPv6.
		[ "$family" = 4 ] || together=3
	fi
	for mode in off observe enforce; do
		alone && count_by "$backend" "$family" || return
		ip -n "$a" link set lo mtu 1500
		in_ns "$a" sysctl -qw net.ipv4.ping_group_range='0 0'
		passmark "$a" "$mode" || return
		packets_in "$a" "$mode" -N "$n" "$@" "$(loopback "$family")" || return
		counted "$backend" "$family"
		note "$mode: $R_out in OUTPUT, $R_pre in PREROUTING, $R_plain of them unmarked"
		# TCP acknowledges as it likes.
		want "$mode" arrived="$n" pre=$((R_out * together)) "out>=$n" || return
		[ "$kind" = tcp ] || want "$mode" out="$n" || return
		case $mode in
		off) want off "plain>=$R_out" && counts "$a" off passmark_seen=0 ;;
		observe)
			want observe "plain>=$R_out" &&
				counts "$a" observe passmark_seen=$((R_out * parts)) \
					passmark_marked=0
			;;
		enforce)
			want enforce plain=0 &&
				counts "$a" enforce passmark_seen=$((R_out * parts)) \
					passmark_marked=$((R_out * parts))
			;;
		esac || return
	done
}

##############################################################################
# What is a second pass and what is not

# arrives MARK TEXT ARGUMENT...: packets from $a that arrive with just that mark.
arrives() {
	packets_in "$a" "${@:2}" || return
	[ "$R_marks" = "$1" ] || fail "$2: the marks are $R_marks, not $1"
}

# The addresses of the host itself.
own() {
	[ "$1" = 4 ] && echo 10.98.0.1 || echo fd98::1
}

# group FAMILY
group() {
	[ "$1" = 4 ] && echo 239.1.1.1 || echo ff05::1:1
}

second() {
	local family=$1 mode marked there

	there=$(dst "$family" 1)
	alone && redirect "$a" nft "$family" udp output 53:7000 || return
	# Who has no link has no multicasts.
	ip -n "$a" link set d1 up
	{
		echo "rule add fwmark 1 lookup 100"
		echo "route add local default dev lo table 100"
	} | ip "-$family" -n "$a" -batch - || return
	in_ns "$a" nft -f - <<-EOT || return
		table inet host {
			chain nat {
				type nat hook output priority -100
				udp dport 54 dnat ip to $(own 4):7000
				udp dport 54 dnat ip6 to [$(own 6)]:7000
			}
		}
	EOT
	for mode in off observe enforce; do
		marked=0x0
		[ "$mode" != enforce ] || marked=$mark
		passmark "$a" "$mode" || return
		arrives "$marked" "$mode, loopback" udp "$(loopback "$family")" &&
			arrives "$marked" "$mode, own address" udp "$(own "$family")" &&
			arrives "$marked" "$mode, redirected" -p 53 -P 7000 udp "$there" &&
			arrives "$marked" "$mode, DNAT" -p 54 -P 7000 udp "$there" &&
			arrives "$(printf 0x%x $((marked | 1)))" \
				"$mode, routed to lo by a mark" -m 1 udp "$there" &&
			arrives "$marked" "$mode, multicast" -i d0 udp "$(group "$family")" ||
			return
		[ "$family" = 6 ] ||
			arrives "$marked" "$mode, broadcast" udp 10.98.0.255 || return
		case $mode in
		off) counts "$a" off passmark_seen=0 ;;
		observe) counts "$a" observe "passmark_seen>=60" passmark_marked=0 ;;
		enforce) counts "$a" enforce "passmark_seen>=60" "passmark_marked>=60" ;;
		esac || return
	done
}

vrf() {
	local family=$1

	alone || return
	modprobe -q vrf
	{
		echo "link add v0 type vrf table 10"
		echo "link set v0 up"
		echo "link set d0 vrf v0"
		# Enslaved, a device loses its IPv6 addresses.
		[ "$family" = 4 ] || echo "addr replace fd98::1/64 dev d0 nodad"
	} | ip -n "$a" -batch - || skip "the kernel has no VRF devices" || return
	passmark "$a" enforce &&
		arrives "$mark" "within a VRF" -v v0 udp "$(own "$family")"
}

# peer FAMILY
peer() {
	[ "$1" = 4 ] && echo 10.98.0.2 || echo fd98::2
}

# far KIND: orders for the far end of the wire.
far() {
	case $1 in
	veth) addresses eth 10.98.0.2/24 fd98::2/64 ;;
	bridge)
		printf '%s\n' "link add br0 type bridge" "link set eth master br0" "link set eth up"
		addresses br0 10.98.0.2/24 fd98::2/64
		;;
	vrf)
		printf '%s\n' "link add v0 type vrf table 10" "link set v0 up" "link set eth vrf v0"
		addresses eth 10.98.0.2/24 fd98::2/64
		;;
	esac
}

# wired FAMILY KIND: to another namespace, the feature on at both ends. Nothing
# there is a second pass.
wired() {
	local family=$1 kind=$2

	drop_ns
	make_ns a other
	modprobe -q vrf
	ip link add eth netns "$a" type veth peer name eth netns "$other" || return
	addresses eth 10.98.0.1/24 fd98::1/64 | ip -n "$a" -batch - || return
	far "$kind" | ip -n "$other" -batch - || skip "the kernel has no such device" || return
	in_ns "$other" sysctl -qw net.ipv4.udp_l3mdev_accept=1
	passmark "$a" enforce && passmark "$other" enforce || return
	busywait 20000 packets -n "$a" -r "$other" -N 1 udp "$(peer "$family")" ||
		fail "nothing gets there" || return
	arrives 0x0 "$kind" -r "$other" udp "$(peer "$family")" || return
	counts "$other" "$kind" passmark_seen=0 passmark_marked=0
}

##############################################################################
# Marks

# The bits of the mask and no others.
bits() {
	local family

	alone || return
	for family in 4 6; do
		looptrack -n "$a" set passmark enforce mark 0x1000/0xf000 &&
			arrives 0xdead1eef masked -m 0xdeadbeef udp "$(loopback "$family")" &&
			looptrack -n "$a" set passmark enforce mark 0/0xffffffff &&
			arrives 0x0 cleared -m 0xdeadbeef udp "$(loopback "$family")" &&
			looptrack -n "$a" set passmark enforce mark 0xffffffff/0xffffffff &&
			arrives 0xffffffff all -m 0xdeadbeef udp "$(loopback "$family")" || return
	done
}

# refused TEXT ORDER...: and nothing has changed.
refused() {
	local before after out

	before=$(looptrack -j -n "$a" status)
	out=$(looptrack -n "$a" "${@:2}" 2>&1) && fail "${*:2} was not refused"
	[[ $out = *$1* ]] || fail "${*:2}: $out" || return
	after=$(looptrack -j -n "$a" status)
	[ "$before" = "$after" ] || fail "${*:2} has changed something"
}

# The mark is asked for once, kept, and refused where it makes no sense.
setting() {
	drop_ns
	new_ns a
	refused 'passmark needs a mark' set passmark enforce &&
		refused 'passmark needs a mark' set clash off passmark observe &&
		refused 'only passmark has' set clash off mark 1/1 &&
		refused 'changes no bit' set passmark off mark 0/0 &&
		refused 'bits outside' set passmark off mark 3/1 || return
	looptrack -n "$a" set passmark off mark 0x10/0x30 &&
		looptrack -n "$a" set passmark enforce || return
	[[ $(looptrack -n "$a" status) = *'mark 0x10/0x30'* ]] ||
		fail "status shows no mark" || return
	refused 'given twice' set passmark off mark 1/1 passmark off mark 1/1 || return
	arrives 0x10 "set before" udp 127.0.0.1 &&
		looptrack -n "$a" set passmark off &&
		arrives 0x0 "off again" udp 127.0.0.1 &&
		looptrack -n "$a" set passmark enforce &&
		arrives 0x10 "as before" udp 127.0.0.1
}

# warning ORDER...: what is said on standard error is left in $tmp/warning.
warning() {
	looptrack -n "$a" set "$@" 2>"$tmp/warning" >"$tmp/out" ||
		fail "set $*: exit status $?: $(<"$tmp/warning")" || return
	note "set $*: $(<"$tmp/warning")"
	[ ! -s "$tmp/out" ] || fail "set $*: on standard output: $(<"$tmp/out")"
}

# warned TEXT PATTERN...: all of them are in the warning.
warned() {
	local text=$1 pattern

	shift
	for pattern; do
		grep -Eq -e "$pattern" "$tmp/warning" ||
			fail "$text: no warning of $pattern: $(<"$tmp/warning")" || return
	done
}

# nft_rules RULE...: in PREROUTING, in place of others.
nft_rules() {
	{
		printf '%s\n' "table inet marks {}" "delete table inet marks" \
			"table inet marks {" "set wanted {" "type mark" "elements = { 5, 6 }" "}" \
			"chain pre {" "type filter hook prerouting priority mangle" "$@" "}" "}"
	} | in_ns "$a" nft -f - || fail "nft does not take: $*"
}

# Rules that match a mark exactly match another one on the second pass, or none. Who turns
# the feature on is warned of them, once, and by their text.
exact_nft() {
	local on=(passmark enforce mark "$mark/$mark")

	alone || return
	nft_rules 'iifname lo counter' 'meta mark & 0x1 == 0x1 counter' \
		"meta mark and 0xff == 0x1 accept" && warning "${on[@]}" || return
	[ ! -s "$tmp/warning" ] || fail "warned of masked marks: $(<"$tmp/warning")" || return

	nft_rules 'tcp dport 80 meta mark 1 counter' 'udp dport 53 meta mark != 2 accept' \
		'meta mark { 3, 4 } counter' 'meta mark @wanted accept' &&
		warning passmark off || return
	[ ! -s "$tmp/warning" ] || fail "warned when it is off: $(<"$tmp/warning")" || return
	warning "${on[@]}" || return
	warned enforce 'tcp dport 80 .*mark (== )?0x0*1\b' 'udp dport 53 .*mark != 0x0*2\b' \
		'mark \{ 0x0*3, 0x0*4 \}' 'mark @wanted' 'iifname|-i lo|looptrack\(8\)' || return
	# The bit is clear in what they see, and set in what they match.
	warning passmark observe mark "$mark/$mark" || return
	# It does what was asked for.
	warning "${on[@]}" && arrives "$mark" "with such rules" udp 127.0.0.1
}

exact_iptables() {
	local backend=$1 tool

	has_backend "$backend" 4 || skip "$(backend_tool "$backend" 4) is not installed" || return
	alone || return
	tool=$(backend_tool "$backend" 4)
	[ "$backend" != legacy ] || legacy_used=1
	in_ns "$a" "$tool" -w -t mangle -A PREROUTING -i lo -p tcp --dport 81 \
		-m mark --mark 1/1 -j ACCEPT &&
		warning passmark enforce mark "$mark/$mark" || return
	[ ! -s "$tmp/warning" ] || fail "warned of masked marks: $(<"$tmp/warning")" || return
	in_ns "$a" "$tool" -w -t mangle -A PREROUTING -i lo -p tcp --dport 80 \
		-m mark --mark 1 -j ACCEPT &&
		in_ns "$a" "$tool" -w -t filter -A INPUT -p udp --dport 53 \
			-m mark ! --mark 0x2 -j ACCEPT || return
	warning passmark enforce mark "$mark/$mark" &&
		warned "$tool" '80\b.*mark.*0x0*1\b|mark.*0x0*1\b.*80\b' \
			'53\b.*mark.*0x0*2\b|mark.*0x0*2\b.*53\b'
}

# What the warning is about: a proxy that is found by a mark is not found with enforce, and
# is by the device.
led_by_mark() {
	local rule match mode

	alone || return
	printf '%s\n' "rule add fwmark 1/1 lookup 100" \
		"route add local default dev lo table 100" | ip -n "$a" -batch - || return
	modprobe -q nft_tproxy
	for rule in "meta mark 1" "iifname lo"; do
		in_ns "$a" nft -f - <<-EOT || skip "the kernel has no TPROXY" || return
			table ip divert {}
			delete table ip divert
			table ip divert {
				chain out {
					type route hook output priority mangle
					ip daddr 203.0.113.0/24 tcp dport 80 meta mark set 1
				}
				chain pre {
					type filter hook prerouting priority mangle
					$rule tcp dport 80 tproxy to :15001 accept
				}
			}
		EOT
		for mode in off enforce; do
			looptrack -n "$a" set passmark "$mode" mark "$mark/$mark" \
				2>/dev/null || return
			match=1
			[ "$mode-$rule" != "enforce-meta mark 1" ] || match=0
			scene "$a" 4 "$mode, $rule" -g $((KSFT_SLOW ? 4000 : 700)) <<-EOT || return
				listen A 15001 transparent
				connect c 203.0.113.1 80
			EOT
			want "$mode, $rule" answered="$match" || return
		done
	done
}

for v in 4 6; do
	for backend in nft iptables legacy; do
		play=variant
		[ $backend != nft ] || play=either
		$play "TCP is counted once, $backend, IPv$v" counting $backend $v tcp tcp
		either "UDP is counted once, $backend, IPv$v" counting $backend $v udp udp
		$play "ICMP is counted once, $backend, IPv$v" counting $backend $v icmp icmp
		$play "fragments are counted once, $backend, IPv$v" \
			counting $backend $v fragments -s 4000 udp
	done
	either "ways to the second pass, IPv$v" second $v
	either "within a VRF, IPv$v" vrf $v
	either "another namespace, IPv$v" wired $v veth
	either "another namespace, by a bridge, IPv$v" wired $v bridge
	either "another namespace, in a VRF there, IPv$v" wired $v vrf
done
subtest "warned of rules with exact marks, nft" exact_nft
subtest "warned of rules with exact marks, iptables-nft" exact_iptables iptables
subtest "warned of rules with exact marks, iptables-legacy" exact_iptables legacy
subtest "led to a proxy by a mark" led_by_mark
subtest "no other bits of a mark" bits
subtest "a mark is needed, and kept" setting
run_subtests
