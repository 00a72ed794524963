#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Flows whose packets the rules of the second pass have accepted are spared them.
# Rules that count tell which packets they have seen: all of them, with the mode off
# and with observe, and a few of each flow with enforce. Then what may never be
# spared, and that a rule which is added later is obeyed when the mode is set anew.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft packets exclusions_queue
need_module
tmpdir

questions=50
# What a flow may show of itself before it is accepted, of both directions.
first=12
mode=''
# shellcheck disable=SC2034 # want looks at them
R_sent='' R_arrived='' R_pre='' R_in=''

express() {
	looptrack -n "$a" set express "$1" && looptrack -n "$a" reset ||
		fail "looptrack set express $1 failed"
}

# Counters of what comes from lo, in PREROUTING and in INPUT; with conntrack.
count_by() {
	local tool

	if [ "$1" = nft ]; then
		in_ns "$a" nft -f - <<-EOT || fail "nft does not take the rules"
			table inet count {
				chain track {
					type filter hook output priority filter
					ct state established accept
				}
				chain pre {
					type filter hook prerouting priority raw
					iifname lo counter comment "pre"
				}
				chain in {
					type filter hook input priority filter
					iifname lo counter comment "in"
				}
			}
		EOT
		return
	fi
	tool=$(backend_tool "$1" "$2")
	in_ns "$a" "$tool-restore" <<-EOT || fail "$tool-restore does not take the rules"
		*raw
		-A PREROUTING -i lo -m comment --comment pre
		COMMIT
		*filter
		-A INPUT -i lo -m comment --comment in
		-A OUTPUT -m conntrack --ctstate ESTABLISHED
		COMMIT
	EOT
	[ "$1" != legacy ] || legacy_used=1
}

# What they have counted, in R_pre and R_in.
counted() {
	local line n

	R_pre=0 R_in=0
	while read -r line; do
		if [ "$1" = nft ]; then
			[[ $line =~ packets\ ([0-9]+)\ .*comment\ \"([a-z]+)\" ]]
		else
			[[ $line =~ ^\[([0-9]+):.*--comment\ \"?([a-z]+) ]]
		fi || continue
		n=${BASH_REMATCH[1]}
		case ${BASH_REMATCH[2]} in
		pre) R_pre=$n ;;
		in) R_in=$n ;;
		esac
	done < <(if [ "$1" = nft ]; then
		in_ns "$a" nft list table inet count
	else
		in_ns "$a" "$(backend_tool "$1" "$2")-save" -c
	fi)
	note "$mode: $R_pre in PREROUTING, $R_in in INPUT, $(counter "$a" express_seen) accepted," \
		"$(counter "$a" express_spared) spared"
}

# a_flow PROTO ADDRESS PORT: from a client, c, to a server, A, which knows each other.
a_flow() {
	if [ "$1" = tcp ]; then
		printf '%s\n' "listen A 7000" "connect c $2 $3 from $base"
	else
		printf '%s\n' "udp A at $(loopback "$family") from 7000" "udp c from $base" \
			"aim c $2 $3" "ask c"
	fi
}

##############################################################################
# What is spared

# spared BACKEND FAMILY PROTO
spared() {
	local backend=$1 family=$2 proto=$3 packets=$((2 * questions))

	has_backend "$backend" "$family" ||
		skip "$(backend_tool "$backend" "$family") is not installed" || return
	for mode in off observe enforce; do
		alone && count_by "$backend" "$family" && express "$mode" || return
		scene "$a" "$family" "$mode" < <(
			a_flow "$proto" "$(loopback "$family")" 7000
			printf '%s\n' "repeat $questions" "ask c" end
		) || return
		want "$mode" asked=$((questions + 1)) answered=$((questions + 1)) || return
		counted "$backend" "$family"
		case $mode in
		off) want off "pre>=$packets" "in>=$packets" && counts "$a" off express_seen=0 ;;
		observe)
			want observe "pre>=$packets" "in>=$packets" &&
				counts "$a" observe "express_seen>=$((packets - first))" \
					express_spared=0
			;;
		enforce)
			want enforce "pre<=$first" "in<=$first" &&
				counts "$a" enforce "express_spared>=$((packets - first))"
			;;
		esac || return
	done
}

# NAT has done its part on the first pass: a flow that is redirected, and one whose
# source is changed, too.
translated() {
	local family=$1 ip=ip proto

	[ "$family" = 4 ] || ip=ip6
	mode=enforce
	for proto in tcp udp; do
		alone && redirect "$a" nft "$family" "$proto" output 80:7000 && count_by nft &&
			in_ns "$a" nft -f - <<-EOT || return
				table $ip masked {
					chain post {
						type nat hook postrouting priority srcnat
						$proto dport 7000 masquerade to :40000-40999
					}
				}
			EOT
		express enforce || return
		scene "$a" "$family" "$proto" < <(
			a_flow "$proto" "$(dst "$family" 1)" 80
			printf '%s\n' "repeat $questions" "ask c" end
		) || return
		want "$proto" answered=$((questions + 1)) misled=0 || return
		[ "$R_rewritten" -gt 0 ] || fail "$proto: no source was changed" || return
		counted nft
		want "$proto" "pre<=$first" "in<=$first" || return
	done
}

# Long messages, which are cut and arrive in one piece.
whole() {
	local family=$1

	mode=enforce
	alone && count_by nft && express enforce || return
	arrive "$family" "long messages" -s 60000 tcp && counted nft &&
		counts "$a" "long messages" "express_spared>=$questions"
}

# arrive FAMILY TEXT ARGUMENT...: packets within $a.
arrive() {
	local out

	out=$(command packets -n "$a" -N "$questions" "${@:3}" "$(loopback "$1")") ||
		fail "$2: $out" || return
	note "$2: $out"
	# shellcheck disable=SC2086 # one word for each
	words $out
}

##############################################################################
# A rule that is added later

later() {
	local family=$1 proto=$2 order lo

	lo=$(loopback "$family")
	# Who does not set it anew, and who does, in both ways.
	for order in "" "looptrack set express off" "looptrack set express enforce"; do
		for mode in observe enforce; do
			alone && count_by nft && express "$mode" || return
			scene "$a" "$family" "$mode, ${order:-as before}" \
				-g $((KSFT_SLOW ? 4000 : 700)) < <(
				a_flow "$proto" "$lo" 7000
				cat <<-EOT
					repeat 5
					ask c
					end
					sh nft add rule inet count in $proto dport 7000 drop
					${order:+sh $order}
					zero
					ask c
					$([ "$proto" = udp ] && echo "udp d from $((base + 10000))")
					$([ "$proto" = udp ] && echo "aim d $lo 7000")
					$([ "$proto" = udp ] && echo "ask d")
				EOT
			) || return
			if [ "$mode" = enforce ] && [ -z "$order" ]; then
				want "$mode" answered=1
			else
				want "$mode, $order" answered=0
			fi || return
			[ "$proto" = tcp ] || want "$mode" asked=2 || return
		done
	done
}

# A new connection meets it.
new_later() {
	local family=$1

	mode=enforce
	alone && count_by nft && express enforce || return
	scene "$a" "$family" enforce -g $((KSFT_SLOW ? 4000 : 700)) <<-EOT || return
		$(a_flow tcp "$(loopback "$family")" 7000)
		repeat 5
		ask c
		end
		sh nft add rule inet count in tcp dport 7000 drop
		ask c
		connect d $(loopback "$family") 7000 from $((base + 10000))
	EOT
	want enforce asked=8 answered=7 gaveup=1
}

##############################################################################
# What is never spared

# none TEXT: has been spared, and the rules have seen what arrived.
none() {
	counted nft
	counts "$a" "$1" express_seen=0 express_spared=0 &&
		want "$1" "pre>=${2:-$questions}" "in>=${2:-$questions}"
}

never() {
	mode=enforce
	alone && count_by nft && express enforce
}

fragments() {
	local family=$1

	never && ip -n "$a" link set lo mtu 1500 &&
		arrive "$family" fragments -s 4000 -e udp || return
	none fragments
}

# The flow has been accepted, and then come datagrams that are cut.
later_fragments() {
	local family=$1

	never && ip -n "$a" link set lo mtu 1500 || return
	scene "$a" "$family" small < <(
		a_flow udp "$(loopback "$family")" 7000
		printf '%s\n' "repeat 10" "ask c" end
			echo "sh looptrack reset"
		printf '%s\n' "repeat 5" "big c 4000" end "ask c"
	) || return
	want small answered=12 heard_A=17 && counted nft || return
	# Of the last six exchanges all the answers, and the question that is not cut.
	counts "$a" "fragments later" "express_spared<=7" "express_spared>=6"
}

one_way() {
	never && arrive "$1" "not answered" udp && none "not answered"
}

# ruled FAMILY TEXT RULE [CHAIN]: a rule of PREROUTING, or of INPUT: in.
ruled() {
	local family=$1

	never && in_ns "$a" nft "add rule inet count ${4-pre} $3" || fail "cannot add: $3" || return
	arrive "$family" "$2" -e udp && none "$2"
}

# A packet of the first pass has the mark that leads it to lo, and an address that
# is not the host's.
routed() {
	local family=$1 there

	there=$(dst "$family" 1)
	never || return
	{
		echo "rule add fwmark 1 lookup 100"
		echo "route add local default dev lo table 100"
	} | ip "-$family" -n "$a" -batch - || return
	in_ns "$a" nft -f - <<-EOT || return
		table inet reroute {
			chain out {
				type route hook output priority mangle
				udp dport 7000 meta mark set 1
				udp sport 7000 meta mark set 1
			}
		}
	EOT
	scene "$a" "$family" routed < <(
		echo "udp A at $there from 7000 transparent"
		echo "udp c from $base"
		printf '%s\n' "aim c $there 7000" "repeat $questions" "ask c" end
	) || return
	want routed answered="$questions" && none routed
}

tproxy() {
	local family=$1 lo

	lo=$(loopback "$family")
	never || return
	modprobe -q nft_tproxy
	in_ns "$a" nft "add chain inet count divert {
		type filter hook prerouting priority -150; }" &&
		in_ns "$a" nft "add rule inet count divert iifname lo tcp dport 7777 \
			tproxy ip$([ "$family" = 4 ] || echo 6) to :7000 accept" ||
		skip "the kernel has no TPROXY" || return
	scene "$a" "$family" TPROXY < <(
		echo "listen A 7000 transparent"
		echo "connect c $lo 7777 from $base"
		printf '%s\n' "repeat $questions" "ask c" end
	) || return
	want TPROXY answered=$((questions + 1)) && none TPROXY
}

# Who is asked about each packet is asked about all.
queued() {
	local family=$1

	never || return
	in_ns "$a" nft "add rule inet count in iifname lo udp dport 7000 queue to 7" ||
		skip "the kernel has no queues" || return
	started queue "$a" exclusions_queue 7 1 || return
	arrive "$family" queued -e udp && none queued
}

# Asked about before all, only now and then: what comes back does so in process
# context, and the receive path must not run there: lockdep tells, on the debug kernel.
reinjected() {
	local family=$1

	alone && count_by nft "$family" && express enforce || return
	in_ns "$a" nft -f - <<-EOT || skip "the kernel has no queues" || return
		table inet first {
			chain pre {
				type filter hook prerouting priority -2147483648
				iifname lo tcp dport 7000 numgen inc mod 2 0 queue to 7
			}
			chain in {
				type filter hook input priority -2147483648
				iifname lo tcp sport 7000 numgen inc mod 2 0 queue to 7
			}
		}
	EOT
	started queue "$a" exclusions_queue 7 1 || return
	scene "$a" "$family" reinjected < <(
		a_flow tcp "$(loopback "$family")" 7000
		printf '%s\n' "repeat $questions" "ask c" end
	) || return
	want reinjected answered=$((questions + 1)) || return
	[ "$(grep -c '^1$' "$tmp/queue")" -ge $((questions / 2)) ] ||
		fail "not asked about: $(grep -c '^1$' "$tmp/queue")" || return
	counts "$a" reinjected "express_spared>=$((questions / 2))"
}

helped() {
	local family=$1

	never || return
	modprobe -q nf_conntrack_ftp || skip "the kernel has no FTP helper" || return
	in_ns "$a" nft -f - <<-EOT || skip "nft does not take a helper" || return
		table inet help {
			ct helper ftp { type "ftp" protocol tcp; }
			chain out {
				type filter hook output priority filter
				tcp dport 7000 ct helper set "ftp"
			}
		}
	EOT
	arrive "$family" "with a helper" tcp && none "with a helper"
}

# One direction is dropped by a rule: the other's acceptance says nothing of it.
half() {
	local family=$1

	never && in_ns "$a" nft "add rule inet count in udp sport 7000 drop" || return
	scene "$a" "$family" half -g $((KSFT_SLOW ? 2000 : 300)) <<-EOT || return
		udp A at $(loopback "$family") from 7000
		udp c from $base
		aim c $(loopback "$family") 7000
		repeat 8
		ask c
		end
	EOT
	want half asked=8 answered=0 heard_A=8
}

# What comes by a wire is on no second pass.
wired() {
	local other=''

	never || return
	new_ns other
	ip -n "$a" link set d1 netns "$other" || return
	addresses d1 10.98.0.2/24 fd98::2/64 | ip -n "$other" -batch - || return
	looptrack -n "$other" set express enforce && looptrack -n "$other" reset || return
	in_ns "$other" nft "add table inet t; add chain inet t in {
		type filter hook input priority 0; }; add rule inet t in ct state established" ||
		return
	busywait 20000 command packets -n "$a" -r "$other" -N "$questions" -e udp 10.98.0.2 ||
		fail "nothing gets there" || return
	counts "$other" wired express_seen=0 && counts "$a" wired express_seen=0
}

# Nothing is lost when it is turned on and off.
toggled() {
	local pid

	mode=enforce
	alone && count_by nft && express enforce || return
	(while command packets -n "$a" -N 200 -e udp 127.0.0.1; do :; done) >"$tmp/toggled" &
	pid=$!
	for _ in {1..20}; do
		looptrack -n "$a" set express off && looptrack -n "$a" set express observe &&
			looptrack -n "$a" set express enforce || fail "cannot be set" || break
	done
	kill -0 "$pid" || fail "packets were lost: $(tail -n1 "$tmp/toggled")"
	kill "$pid"
	wait "$pid" 2>/dev/null
	[ -z "$reason" ]
}

for v in 4 6; do
	for backend in nft iptables legacy; do
		play=variant
		[ $backend = iptables ] || play=either
		$play "TCP is spared the rules, $backend, IPv$v" spared $backend $v tcp
		$play "UDP is spared the rules, $backend, IPv$v" spared $backend $v udp
	done
	either "flows that NAT changes, IPv$v" translated $v
	either "long messages, IPv$v" whole $v
	either "a rule added later, TCP, IPv$v" later $v tcp
	either "a rule added later, UDP, IPv$v" later $v udp
	either "a rule added later, a new connection, IPv$v" new_later $v
	either "never: fragments, IPv$v" fragments $v
	either "never: what nobody answers, IPv$v" one_way $v
	either "never: marked by a rule, IPv$v" ruled $v "marked" "meta mark set 5"
	either "never: marked by a rule of INPUT, IPv$v" \
		ruled $v "marked in INPUT" "meta mark set 5" in
	either "never: fragments after small datagrams, IPv$v" later_fragments $v
	either "never: routed to lo by a mark, IPv$v" routed $v
	either "never: TPROXY, IPv$v" tproxy $v
	either "never: queued to user space, IPv$v" queued $v
	either "back from user space, IPv$v" reinjected $v
	either "never: with a helper, IPv$v" helped $v
	either "never: dropped in one direction, IPv$v" half $v
done
subtest "never: from another namespace" wired
subtest "on and off under traffic" toggled
run_subtests
