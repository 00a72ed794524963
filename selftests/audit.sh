#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `looptrack audit`: each way in which conntrack's table and the socket tables can
# disagree is brought about, found, and gone after --fix or the remedy; where they
# agree, or a flow is only on its way, nothing is found.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# A debug kernel needs as long for as many connections.
: "${KSFT_SECONDS:=$((${KSFT_BRIEF:+1}0 && !KSFT_SLOW ? 5 : 60))}"

: "${KSFT_ENTRIES:=32768}"

need ip nft conntrack ss scene churn looptrack
need_module
tmpdir

# audit NS NAME [OPTION...]: as JSON in $tmp/NAME, and its exit status in $tmp/NAME.status.
audit() {
	looptrack -j -n "$1" audit "${@:3}" >"$tmp/$2"
	echo $? >"$tmp/$2.status"
}

# ask NAME [OPTION...], in a scene: the same.
ask() {
	echo "sh looptrack -j -n $a audit ${*:2} >$tmp/$1; echo \$? >$tmp/$1.status"
}

# told NAME STATUS KIND...: an audit found just these. Its exit status is 8 if something is left
# to be done.
told() {
	local name=$1 kinds status

	status=$(<"$tmp/$name.status")
	kinds=$(grep -o '"kind":"[a-z-]*"' "$tmp/$name" | cut -d '"' -f 4 | sort | paste -sd ' ')
	[ "$kinds" = "${*:3}" ] ||
		fail "$name: found \"$kinds\", not \"${*:3}\": $(<"$tmp/$name")" || return
	[ "$status" = "$2" ] || fail "$name: exit status $status, not $2"
}

# says NAME TEXT...: its JSON has all of these; one that begins with "!" is not to be there.
says() {
	local name=$1 json text

	json=$(<"$tmp/$name")
	shift
	for text; do
		case $text in
		!*) [[ $json != *"${text#!}"* ]] ;;
		*) [[ $json = *"$text"* ]] ;;
		esac || fail "$name: not so: $text: $json" || return
	done
}

# names NAME KEY: a socket, by the number that KEY has among the facts, in what is said to people.
names() {
	local json

	json=$(<"$tmp/$1")
	[[ $json =~ \"$2\":\{[^}]*\"cookie\":([0-9]+) ]] &&
		[[ ${json#*\"cause\"} = *"socket ${BASH_REMATCH[1]}"[!0-9]* ]] ||
		fail "$1: the $2 is not named: $json"
}

# A host whose connections to port 80 and datagrams to port 53 are a proxy's.
host() {
	alone && redirect "$a" nft "$1" tcp output 80:15001 &&
		redirect "$a" nft "$1" udp output 53:15001
}

everything() {
	local mode=$1

	looptrack -n "$a" set clash "$mode" stale "$mode" ports "$mode" linger "$mode"
}

# Flows of all sorts and in all stages.
healthy() {
	local family=$1 there

	there=$(dst "$family" 1)
	host "$family" || return
	scene "$a" "$family" healthy < <(
		cat <<-EOT
			listen A 15001
			udp B at $(loopback "$family") from 15001
			connect c $there 80 from 20000
			connect d $there 80 from 20001
			close d
			connect e $there 80 from 20002
			reset e
			connect f $(loopback "$family") 15001
			connect g $there 80 from 20003
			shut g
			udp u from 20000
			ask u $there 53
			udp v from 20001
			ask v $there 53
			close v
			$(ask healthy)
			sh looptrack -n $a audit --fix >$tmp/text
		EOT
	) || return
	told healthy 0 && grep -q '^0 findings; .* sockets compared; 0 fixed$' "$tmp/text" ||
		fail "not said so: $(<"$tmp/text")"
}

# A connection of which one end is gone without a packet, then the other; another whose
# place a new one has; and a port of datagrams that has changed hands, before its new socket
# sends and after that.
dead() {
	local family=$1 there

	there=$(dst "$family" 1)
	# That a port has changed hands is proved where the flow's packets are looked at.
	host "$family" && everything off && mode "$a" stale observe || return
	scene "$a" "$family" dead < <(
		cat <<-EOT
			listen A 15001
			connect live $there 80 from 20009
			connect c $there 80 from 20000
			vanish c
			$(ask half --fix)
			vanish c.peer
			$(ask orphan --fix --dport 80)
			connect d $there 80 from 20001
			vanish d
			vanish d.peer
			connect e $there 80 from 20001
			$(ask taken --fix)
			close e
			sh conntrack -D -p tcp --orig-port-src 20001 2>/dev/null >&2
			udp B at $(loopback "$family") from 15001
			udp u from 20002
			ask u $there 53
			close u
			udp v from 20002
			$(ask port -p udp)
			$(ask port_fix -p udp --fix)
			ask v $there 53
			$(ask port_gone -p udp)
			udp w from 20003
			ask w $there 53
			close w
			udp x from 20003
			tell x $there 53
			$(ask port_sent -p udp --sport 20003 --fix)
			ask live
		EOT
	) || return
	told half 8 stale && names half server &&
		says half '"fixable":false,"fixed":false' '!"client":' || return
	told orphan 0 orphaned &&
		says orphan '"protocol":"tcp"' '"sport":20000' '!"client":' '!"server":' \
			'"fixable":true,"fixed":true' || return
	told taken 8 stale && names taken owner && names taken client &&
		says taken '"fixable":false,"fixed":false' 'open it again' || return
	told port 8 stale && told port_fix 0 stale && told port_gone 0 &&
		told port_sent 0 stale && names port_sent owner && names port_sent client &&
		names port owner && names port client &&
		says port '"protocol":"udp"' '"fixable":true' && want dead answered="$R_asked"
}

# A connection to a server on this host loses its entry; it is the server who speaks first
# afterwards.
reversed() {
	local family=$1 me=10.98.0.1 from=10.98.0.1:7000 to=10.98.0.1:20000

	[ "$family" = 4 ] || me=fd98::1 from='[fd98::1]:7000' to='[fd98::1]:20000'
	host "$family" || return
	scene "$a" "$family" reversed < <(
		cat <<-EOT
			listen A 7000
			connect c $me 7000 from 20000
			sh conntrack -F 2>/dev/null
			pass c.peer c
			$(ask turned)
			$(ask fix --fix)
			$(ask gone)
			sh looptrack -n $a -j flow get tcp $to $from >$tmp/flow
			pass c c.peer
			pass c.peer c
		EOT
	) || return
	told turned 8 reversed && told fix 0 reversed && told gone 0 &&
		says turned '"sport":7000,"dport":20000},"reply"' && names turned listener &&
		says fix '"fixable":true,"fixed":true' &&
		says flow '"sport":20000,"dport":7000},"reply"' && want reversed passed=3
}

# Entries are lost, with and without NAT, and other flows still have theirs.
missing() {
	local family=$1 me=10.98.0.1

	[ "$family" = 4 ] || me=fd98::1
	host "$family" || return
	scene "$a" "$family" missing < <(
		cat <<-EOT
			listen A 7000
			listen B 15001
			udp U at $(loopback "$family") from 15001
			connect c $me 7000 from 20000
			sh conntrack -F 2>/dev/null
			udp u
			ask u $(dst "$family" 1) 53
			$(ask plain --fix)
			pass c c.peer
			$(ask again)
			connect d $(dst "$family" 1) 80 from 20001
			sh conntrack -D -p tcp --orig-port-src 20001 >/dev/null 2>&1
			$(ask nat)
			close d
			close d.peer
			$(ask gone)
		EOT
	) || return
	told plain 8 missing && told again 0 &&
		says plain '"sport":20000,' '"state":"established"' '"fixable":false' || return
	# The client's end, and the proxy's, which has other addresses.
	told nat 8 missing missing && told gone 0
}

# A forwarded flow has the port of a local socket.
shadowed() {
	local family=$1 proto=$2 open

	topology && snat "$r" nft "$family" masquerade && only "$r" ports off || return
	open=$'udp S from 7000\n'"netns $c0"$'\nudp c from 5555\n'
	open+="ask c $(server "$family") 7000"
	[ "$proto" = udp ] || open=$'listen S 7000\n'"netns $c0"$'\n'
	[ "$proto" = udp ] || open+="connect c $(server "$family") 7000 from 5555"
	scene "$r" "$family" shadowed < <(
		a=$r
		cat <<-EOT
			netns $s
			$open
			netns $r
			$(ask before)
			$([ "$proto" = udp ] && echo udp L from || echo listen L) 5555
			$(ask after --fix)
			close L
			$(ask gone)
		EOT
	) || return
	told before 0 && told after 8 shadowed && told gone 0 && names after listener &&
		says after '"dport":5555},"facts"' '"fixable":false,"fixed":false'
}

# Ports of the router for clients' flows, where its own sockets get theirs: that is told,
# and all right.
ranges() {
	local family=$1

	topology && snat "$r" nft "$family" masquerade || return
	scene "$r" "$family" ranges < <(
		a=$r
		cat <<-EOT
			sh sysctl -qw net.ipv4.ip_local_port_range="40000 50000"
			netns $s
			listen S 7000
			netns $c0
			connect c $(server "$family") 7000 from 41000
			connect d $(server "$family") 7000 from 42000
			connect e $(server "$family") 7000 from 9000
			netns $r
			$(ask told)
			$(ask none --dport 81)
		EOT
	) || return
	told told 0 snat-range && told none 0 &&
		says told '"protocol":"tcp"' "\"address\":\"$(router_address "$family")\"" \
			'"flows":2,"lowest":41000,"highest":42000,"range":[40000,50000]'
}

router_address() {
	[ "$1" = 4 ] && echo 10.99.9.1 || echo fd99:9::1
}

# Of two entries with the same addresses and ports the one in the zone goes.
zones() {
	local family=$1 hook='type filter hook'

	host "$family" && everything off || return
	scene "$a" "$family" zones < <(
		cat <<-EOT
			listen A 7000
			connect c $(loopback "$family") 7000 from 20000
			sh nft "table inet zone { chain out { $hook output priority -300; }; }"
			sh nft "add rule inet zone out tcp dport 7000 ct zone set 7"
			sh nft "add rule inet zone out tcp sport 7000 ct zone set 7"
			sh nft "add chain inet zone in { $hook prerouting priority -300; }"
			sh nft "add rule inet zone in tcp dport 7000 ct zone set 7"
			sh nft "add rule inet zone in tcp sport 7000 ct zone set 7"
			connect d $(loopback "$family") 7000 from 20001
			vanish d
			vanish d.peer
			$(ask seven -w 7)
			$(ask zero -w 0)
			$(ask fix --fix)
			sh nft delete table inet zone
			ask c
			$(ask gone)
		EOT
	) || return
	told seven 8 orphaned && told zero 0 && told fix 0 orphaned && told gone 0 &&
		says seven '"zone":7' '"sport":20001' &&
		want zones answered="$R_asked"
}

# churning FAMILY MODE SECONDS: connections come and go; meanwhile audits are made, and
# left in $tmp/during-1 and so on, as many as there are in $audits.
churning() {
	local until

	host "$1" && everything "$2" || return
	# Few may wait, so that some entries outlive both sockets.
	in_ns "$a" sysctl -qw net.ipv4.ip_local_port_range="20000 29999" \
		net.ipv4.tcp_max_tw_buckets=100 || return
	audits=0
	command churn -n "$a" -T 5000 -d "$3" 15001 80 "$(dst "$1" 1)" "$(dst "$1" 2)" \
		>"$tmp/churn" &
	background+=($!)
	until=$((SECONDS + $3 - 2))
	while [ "$SECONDS" -lt "$until" ] || [ "$audits" = 0 ]; do
		audits=$((audits + 1))
		audit "$a" "during-$audits" || return
		[ "$2" = off ] || told "during-$audits" 0 || return
	done
	wait "${background[-1]}" || fail "churn broke: $(<"$tmp/churn")" || return
	report "$audits audits during churn" "$(<"$tmp/churn")"
}

# churn_enforced FAMILY: nothing is found, however often one asks.
churn_enforced() {
	churning "$1" enforce "$KSFT_SECONDS" && audit "$a" after && told after 0
}

# orphans NAME [SECONDS]: those an audit found, each "SOURCE PORT DESTINATION PORT"; only
# those that have more SECONDS left.
orphans() {
	local ends='original:\{src:(.*),dst:(.*),sport:(.*),dport:([0-9]*)\},reply'

	grep '"kind":"orphaned"' "$tmp/$1" | tr -d '"' |
		sed -E "s/.*$ends.*timeout:([0-9]*).*/\\1 \\3 \\2 \\4 \\5/" |
		awk -v least="${2:--1}" '$5 > least { print $1, $2, $3, $4 }' | sort
}

# unserved FAMILY [SECONDS]: likewise the entries that have no socket, as conntrack and ss
# say; with all, all of them.
unserved() {
	in_ns "$a" ss -Htan >"$tmp/ss"
	[ "${2-}" != all ] || : >"$tmp/ss"
	in_ns "$a" conntrack -L -f "ipv$1" -p tcp 2>/dev/null |
		awk -v least="${2:--1}" '
		function end(text) {
			gsub(/[][]/, "", text)
			port = text
			sub(/.*:/, "", port)
			sub(/:[0-9*]*$/, "", text)
			return text " " port
		}
		# Each socket by what it sends.
		FILENAME != "-" {
			sends[end($4) " " end($5)] = 1
			next
		}
		{
			n = 0
			for (i = 1; i <= NF; i++)
				if (split($i, kv, "=") == 2 && kv[1] ~ /^(src|dst|sport|dport)$/)
					v[++n] = kv[2]
			way = v[1] " " v[3] " " v[2] " " v[4]
			back = v[5] " " v[7] " " v[6] " " v[8]
			if ($3 > least + 0 && !(way in sends) && !(back in sends))
				print way
		}' "$tmp/ss" - | sort
}

# Entries that outlive their sockets are found, those and no others.
churn_off() {
	local i only_ours only_theirs all

	churning "$1" off "$((KSFT_SECONDS < 20 ? KSFT_SECONDS / 2 : 20))" || return
	for ((i = 1; i <= audits; i++)); do
		says "during-$i" '!"kind":"missing"' '!"kind":"reversed"' '!"client":' \
			'!"server":' '!"timeout":119' || return
	done
	audit "$a" after
	unserved "$1" >"$tmp/theirs"
	all=$(wc -l <"$tmp/theirs")
	# Those that were reset have ten seconds to live, and run out before the second look.
	only_ours=$(orphans after 20 | comm -23 - "$tmp/theirs" | wc -l)
	only_theirs=$(unserved "$1" 20 | comm -23 - <(orphans after) | wc -l)
	note "$all entries have no socket, by ss and conntrack; $only_theirs of them were not" \
		"found, $only_ours others were"
	# Some sockets run out, too, between one look and the next.
	[ "$all" -ge 50 ] && [ $((only_ours + only_theirs)) -le $((all / 20)) ] ||
		fail "the audit is not what ss and conntrack say" || return
	audit "$a" fix --fix
	[ "$(<"$tmp/fix.status")" = 0 ] || fail "not all was fixed" || return
	unserved "$1" all | comm -12 - <(orphans fix) >"$tmp/left"
	[ ! -s "$tmp/left" ] || fail "these were not removed: $(<"$tmp/left")"
}

# A large table of entries that serve nobody, in little memory.
many() {
	local i

	alone && redirect "$a" nft 4 udp output 80:15001 && everything off &&
		in_ns "$a" sysctl -qw net.netfilter.nf_conntrack_udp_timeout=3600 || return
	# shellcheck disable=SC2016 # the shell's in there
	in_ns "$a" bash -c '
		for ((i = 0; i < $1; i++)); do
			echo x >"/dev/udp/127.1.$((i >> 8)).$((i & 255))/7000"
		done' bash "$KSFT_ENTRIES" || fail "cannot make the entries" || return
	prlimit --as=67108864 looptrack -n "$a" audit >"$tmp/many"
	[ $? = 8 ] || fail "no finding, or no memory" || return
	note "$(tail -n 1 "$tmp/many")"
	[[ $(tail -n 1 "$tmp/many") =~ :\ ([0-9]+)\ orphaned\; ]] &&
		[ "${BASH_REMATCH[1]}" -ge "$KSFT_ENTRIES" ] || fail "not all were found"
}

# Who may not is told so; nothing else is said.
refused() {
	host 4 || return
	in_ns "$a" setpriv --reuid 65534 --clear-groups --inh-caps=-all --bounding-set=-all \
		looptrack audit >"$tmp/out" 2>"$tmp/err"
	[ $? = 4 ] && [ ! -s "$tmp/out" ] && grep -q CAP_NET_ADMIN "$tmp/err" ||
		fail "not refused: $(cat "$tmp/out" "$tmp/err")"
}

# fake ADDR PORT ADDR PORT [NETNS-OF-THE-SECOND], in a scene: a connection that only raw
# sockets have, which exchange a word.
fake() {
	cat <<-EOT
		segment $1 $2 $3 $4 S 100 0
		${5:+netns $5}
		segment $3 ${6-$4} $1 $2 SA 1000 101
		${5:+netns $a}
		segment $1 $2 $3 $4 A 101 1001
		segment $1 $2 $3 $4 PA 101 1001 hello
		${5:+netns $5}
		segment $3 ${6-$4} $1 $2 PA 1001 106 hello
		${5:+netns $a}
	EOT
}

# ids PORT FILE, in a scene: the entries of TCP from PORT.
ids() {
	echo "sh conntrack -L -p tcp --orig-port-src $1 -o id 2>/dev/null" \
		"| grep -o 'src=[^ ]* dst=[^ ]* sport=.*id=[0-9]*' | sed 's/use=.*id/id/' >$2"
}

# Fake TCP, as tunnels send it from raw sockets, to another host and within this one; its
# destination is changed by a rule. No socket of TCP ever had it.
faked() {
	local family=$1 other='' me=10.98.0.1 peer=10.98.0.2 ip=ip to=:5000 ns

	[ "$family" = 4 ] || me=fd98::1 peer=fd98::2 ip=ip6
	alone || return
	new_ns other
	ip -n "$a" link set d1 netns "$other" || return
	addresses d1 10.98.0.2/24 fd98::2/64 | ip -n "$other" -batch - || return
	for ns in "$a" "$other"; do
		in_ns "$ns" nft -f - <<-EOT || return
			table inet silent {
				chain out {
					type filter hook output priority -400
					tcp flags & rst == rst drop
				}
			}
		EOT
	done
	in_ns "$a" nft -f - <<-EOT || return
		table $ip capture {
			chain output {
				type nat hook output priority -100
				tcp dport 443 dnat to $to
			}
		}
	EOT
	scene "$a" "$family" faked < <(
		fake "$me" 40000 "$peer" 443 "$other" 5000
		fake "$me" 40001 "$me" 6000
		cat <<-EOT
			$(ids 40000 "$tmp/ids")
			$(ids 40001 "$tmp/own_ids")
			sh sleep 1.5
			$(ask faked)
			sh looptrack -n $a flow list --stale >$tmp/stale
			$(ask faked_fix --fix)
			segment $me 40000 $peer 443 PA 106 1006 again
			segment $me 40001 $me 6000 PA 106 1006 again
			$(ids 40000 "$tmp/ids_after")
			$(ids 40001 "$tmp/own_ids_after")
		EOT
	) || return
	grep -q 'id=' "$tmp/ids" && grep -q 'id=' "$tmp/own_ids" || fail "there are no entries" ||
		return
	told faked 0 unknown unknown && told faked_fix 0 unknown unknown &&
		says faked_fix '!"fixable":true' '!"fixed":true' || return
	[ ! -s "$tmp/stale" ] || fail "flow list calls it stale: $(<"$tmp/stale")" || return
	cmp -s "$tmp/ids" "$tmp/ids_after" && cmp -s "$tmp/own_ids" "$tmp/own_ids_after" ||
		fail "an entry was removed: $(<"$tmp/ids_after") $(<"$tmp/own_ids_after")"
}

# Flows whose sockets are in other namespaces, and have an address of this host by NAT.
forwarded() {
	local family=$1

	topology && snat "$r" nft "$family" masquerade || return
	a=$r
	scene "$c0" "$family" forwarded < <(
		cat <<-EOT
			netns $s
			listen A 7000
			netns $c0
			connect c $(server "$family") 7000 from 20000
			connect d $(server "$family") 7000 from 20001
			vanish d
			netns $r
			sh sleep 1
			$(ask forwarded)
			$(ask forwarded_fix --fix)
			ask c
		EOT
	) || return
	told forwarded 0 && told forwarded_fix 0 && want forwarded answered=3 || return
	[ "$(in_ns "$r" conntrack -L -p tcp -f "ipv$family" 2>/dev/null |
		grep -c dport=7000)" = 2 ] || fail "an entry was removed"
}

# A transparent socket that answers for another host, and one that asks for another.
transparent() {
	local family=$1 there

	there=$(dst "$family" 1)
	alone || return
	printf '%s\n' "rule add fwmark 1 lookup 100" "route add local default dev lo table 100" |
		ip "-$family" -n "$a" -batch - || return
	modprobe -q nft_tproxy
	in_ns "$a" nft -f - <<-EOT || skip "the kernel has no TPROXY" || return
		table ip${family/4/} divert {
			chain out {
				type route hook output priority mangle
				tcp dport 80 meta mark set 1
				tcp sport 80 meta mark set 1
				tcp dport 20000-20999 ct state established meta mark set 1
			}
			chain pre {
				type filter hook prerouting priority mangle
				iifname lo tcp dport 80 tproxy to :15001 meta mark set 1 accept
			}
		}
	EOT
	scene "$a" "$family" transparent < <(
		cat <<-EOT
			listen A 15001 transparent
			connect c $there 80 from 20000
			connect d $there 80 from 20001 at $(dst "$family" 9) transparent
			sh sleep 1
			$(ask transparent)
			$(ask transparent_fix --fix)
			ask c
			ask d
		EOT
	) || return
	told transparent 0 && told transparent_fix 0 &&
		want transparent answered=4 failed=0
}

# Removed is only what is proved dead: a socket of TCP opened it and has gone without a
# packet. Where that was not seen, since origin was off, nothing is said.
proved() {
	local there mode

	there=$(dst "$1" 1)
	for mode in enforce off; do
		host "$1" && everything off && mode "$a" origin "$mode" || return
		scene "$a" "$1" "$mode" < <(
			cat <<-EOT
				listen A 15001
				connect c $there 80 from 20000
				vanish c
				vanish c.peer
				$(ask "proved-$mode" --fix)
			EOT
		) || return
		if [ "$mode" = enforce ]; then
			told proved-enforce 0 orphaned && says proved-enforce '"fixed":true'
		else
			told proved-off 0 unknown && says proved-off '!"fixed":true'
		fi || return
	done
}

# Entries that are older than the rules, of this host and of others. Whether they are is
# asked only if the kind is named. Those of this host are told of; of those of others, after
# --fix, the next packet gets what the rules say.
outdated() {
	local family=$1 there

	there=$(dst "$family" 1)
	alone && redirect "$a" nft "$family" tcp output 80:15001 &&
		redirection rules nft "$family" udp output 53:15001 || return
	scene "$a" "$family" outdated < <(
		cat <<-EOT
			udp B at $(loopback "$family") from 15001
			udp c from 20000
			tell c $there 53
			$(ask before --kind outdated)
			sh sh $tmp/rules
			$(ask plain)
			$(ask found --kind outdated)
			tell c $there 53
			$(ask fix --kind outdated --fix)
			ask c $there 53
			$(ask gone --kind outdated)
		EOT
	) || return
	told before 0 && told plain 0 && told found 8 outdated && told fix 0 outdated &&
		told gone 0 && says found '"fixable":true' '"port":15001}]' 'heal enforced' &&
		want outdated by_B=1 || return
	outdated_forwarded "$family"
}

outdated_forwarded() {
	local family=$1

	topology && redirect "$r" nft "$family" tcp prerouting 80:15001 || return
	cat >"$tmp/snat" <<-EOT
		table ip${family/4/} late {
			chain postrouting {
				type nat hook postrouting priority srcnat
				udp dport 5060 masquerade
			}
		}
	EOT
	scene "$r" "$family" forwarded < <(
		a=$r
		cat <<-EOT
			netns $c0
			udp c from 5060
			tell c $(server "$family") 5060
			netns $r
			$(ask before --kind outdated)
			sh nft -f $tmp/snat
			$(ask found --kind outdated)
			$(ask fix --kind outdated --fix)
			netns $c0
			tell c $(server "$family") 5060
			netns $r
			$(ask gone --kind outdated)
		EOT
	) || return
	told before 0 && told found 8 outdated && told fix 0 outdated && told gone 0 &&
		says found "$(router_address "$family")" || return
	in_ns "$r" conntrack -L -p udp -f "ipv$family" 2>/dev/null |
		grep -q "dst=$(router_address "$family") " ||
		fail "the new entry has the old source"
}

for v in 4 6; do
	subtest "where all is well, IPv$v" healthy $v
	either "sockets that are gone, IPv$v" dead $v
	either "fake TCP of raw sockets, IPv$v" faked $v
	either "sockets of other namespaces, IPv$v" forwarded $v
	either "transparent sockets, IPv$v" transparent $v
	either "what is proved, IPv$v" proved $v
	either "an entry that has the server for the client, IPv$v" reversed $v
	either "connections without an entry, IPv$v" missing $v
	either "a socket's port given to others, UDP, IPv$v" shadowed $v udp
	variant "a socket's port given to others, TCP, IPv$v" shadowed $v tcp
	either "entries that are older than the rules, IPv$v" outdated $v
	either "ports out of which sockets get theirs, IPv$v" ranges $v
	variant "a zone, IPv$v" zones $v
	either "churn, the features at work, IPv$v" churn_enforced $v
	either "churn, all of them off, IPv$v" churn_off $v
done
variant "$KSFT_ENTRIES entries" many
subtest "who may not" refused
run_subtests
