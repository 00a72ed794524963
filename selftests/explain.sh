#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `looptrack explain`: one flow, there or not, and what stack, conntrack and NAT say of
# it. Each scene makes a case on purpose; where a command is advised it is obeyed, and
# has to help.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft conntrack python3 scene looptrack
need_module
tmpdir

# names FAMILY: addresses, and as they are written before a port.
names() {
	there=$(dst "$1" 1) lo=$(loopback "$1")
	there_b=$there lo_b=$lo me_b=10.98.0.1
	[ "$1" = 4 ] || there_b="[$there]" lo_b="[$lo]" me_b="[fd98::1]"
}

# ask NAME ARGUMENT...: an order of a scene that leaves text and JSON in $tmp/NAME and
# $tmp/NAME.json.
ask() {
	local name=$1

	shift
	echo "sh looptrack -n $a explain $* >$tmp/$name &&" \
		"looptrack -n $a -j explain $* >$tmp/$name.json"
}

# obey NAME NUMBER: an order of a scene to do what the text in $tmp/NAME advises.
obey() {
	echo "sh sed -n 's/^ \{15\}//p' $tmp/$1 | sed -n $2p | sh -e >$tmp/obeyed 2>&1"
}

# says NAME KIND TEXT...: that is the verdict, in text and JSON, and text or JSON has each
# TEXT; one that begins with "!" neither has.
says() {
	local name=$1 kind=$2 all text

	shift 2
	all=$(<"$tmp/$name")$'\n'$(<"$tmp/$name.json")
	note "$name:" && note "$(<"$tmp/$name")"
	[[ $all = *$'\nVerdict:   '"$kind. "* && $all = *"\"verdict\":{\"kind\":\"$kind\","* ]] ||
		fail "$name: the verdict is not $kind: $all" || return
	for text; do
		case $text in
		!*) [[ $all != *"${text#!}"* ]] ;;
		*) [[ $all = *"$text"* ]] ;;
		esac || fail "$name: $text: $all" || return
	done
}

# A host behind whose redirect the same process is client and proxy: that is a loop, and
# not what is asked for here.
host() {
	names "$1"
	alone && redirect "$a" nft "$1" "$2" output 80:15001 81:15001 &&
		looptrack -n "$a" set loopguard off
}

healthy() {
	host "$1" tcp && in_ns "$a" sysctl -qw net.netfilter.nf_conntrack_acct=1 || return
	scene "$a" "$1" healthy < <(
		echo "listen A 15001"
		echo "connect c $there 80 from 20000"
		ask client tcp "$me_b:20000" "$there_b:80"
		ask server tcp "$lo_b:15001" "$me_b:20000"
		ask between tcp "$me_b:20000" "$lo_b:15001"
	) || return
	says client ok "$me_b:20000 -> $there_b:80 is a tcp socket of scene[" \
		"(user 0), established." "$lo_b:15001 -> $me_b:20000 is a tcp socket of scene[" \
		"takes what is sent there: scene[" \
		"A rule changes the destination: $there_b:80 becomes $lo_b:15001." \
		"pass 1, output: rules of raw, mangle, nat, filter, security;" \
		"pass 2, input: rules of mangle, filter, security; then $me_b:20000 -> $lo_b:" \
		"On the first pass" "No decision about it is remembered." \
		'"match":"original"' '"type":"local","device":"lo"' '"is_tracking":true' \
		"\"nat\":[{\"what\":\"destination\",\"from\":{\"address\":\"$there\",\"port\":80}" \
		'"why":"rule"' '"stale":"enforce"' '"commands":[]' !'holders' &&
		says server ok "the direction of its replies" '"match":"reply"' &&
		says between ok "the other side of NAT" '"match":"inverse"' || return
	python3 -c 'import json, sys; json.load(sys.stdin)["path"][3]["pass"]' \
		<"$tmp/client.json" || fail "no JSON"
}

# What vanished sockets leave; then the advice is followed, and their port used again.
stale() {
	host "$1" tcp && looptrack -n "$a" set stale off linger off ports off || return
	scene "$a" "$1" stale < <(
		cat <<-EOT
			listen A 15001
			connect c $there 80 from 20000
			vanish c
		EOT
		ask left tcp "$me_b:20000" "$there_b:80"
		echo "vanish c.peer"
		echo "connect c $there 80 from 20000"
		ask taken tcp "$me_b:20000" "$there_b:80"
		echo "vanish c"
		echo "vanish c.peer"
		obey left 1
		ask known tcp "$me_b:20000" "$there_b:80"
		echo "connect c $there 80 from 20000"
		ask cured tcp "$me_b:20000" "$there_b:80"
		echo "vanish c"
		echo "vanish c.peer"
		obey left 2
		ask gone tcp "$me_b:20000" "$there_b:80"
	) || return
	says left stale "$me_b:20000 -> $there_b:80 is no socket's." '"client":null' '"peers":[]' \
		"set stale enforce" "conntrack -D" &&
		says taken stale "for an earlier socket" '"is_stale":false' &&
		says known orphaned "the feature stale evicts it as soon as" !"set stale enforce" &&
		says cured ok "stale evicted tcp $me_b:20000 -> $there_b:80" &&
		says gone gone "A new socket sent its first packet" '"conntrack":null'
}

# A port for two flows behind one proxy.
rewritten() {
	host "$1" tcp && looptrack -n "$a" set ports off linger off || return
	scene "$a" "$1" rewritten < <(
		cat <<-EOT
			listen A 15001
			connect c $there 80 from 20000
			connect e $there 81 from 20001
		EOT
		ask held tcp "$me_b:20000" "$there_b:81"
		echo "connect d $there 81 from 20000 reuse"
		ask live tcp "$me_b:20000" "$there_b:81"
		echo "vanish c"
		echo "vanish c.peer"
		ask dead tcp "$me_b:20000" "$there_b:81"
		echo "vanish d"
		echo "vanish d.peer"
		echo "sh ip netns exec $a conntrack -D -p tcp --orig-port-src 20000 --dport 81"
		ask left tcp "$me_b:20000" "$there_b:81"
		obey left 1
		echo "connect d $there 81 from 20000"
		ask cured tcp "$me_b:20000" "$there_b:81"
		echo "connect f $there 80 from 20002"
		echo "connect g $there 81 from 20002 reuse"
		ask told tcp "$me_b:20002" "$there_b:81"
	) || return
	says held held "flow get tcp '$me_b:20000' '$there_b:80'" \
		"Replies to $me_b:20000 -> $there_b:80 go to $me_b:20000, too." \
		"$me_b:20001 -> $there_b:81, which goes there, too, is answered by $lo_b:15001." &&
		says live rewritten "though no rule asks for that: $me_b:20000 becomes $me_b:" \
			"$me_b:20000 -> $there_b:80 of scene[" "has it, and is live." \
			'"why":"implicit"' '"holder_state":"live"' '"commands":[]' &&
		says dead rewritten "has it, and is dead." "set ports enforce" &&
		says left leftover "set ports enforce" &&
		says cured ok "ports kept tcp" !'"why":"implicit"' &&
		says told rewritten "ports rewritten tcp $me_b:20002" '"commands":[]' \
			"$me_b:20002 -> $there_b:80 of scene[" "has it, and is live."
}

# Who closes first waits.
lingering() {
	host "$1" tcp && looptrack -n "$a" set linger off || return
	scene "$a" "$1" lingering < <(
		cat <<-EOT
			listen A 15001
			connect c $there 80 from 20000
			close c
			eof c.peer
			close c.peer
		EOT
		ask over tcp "$me_b:20000" "$there_b:80"
		echo "sh ip netns exec $a conntrack -D -p tcp --dport 80"
		ask waits tcp "$me_b:20000" "$there_b:80"
	) || return
	says over over "is in TIME_WAIT" '"state":"time-wait"' &&
		says waits lingering "is in TIME_WAIT" "set linger enforce" '"conntrack":null'
}

# Nothing is there yet.
opening() {
	host "$1" tcp || return
	ip -n "$a" "-$1" route del default || return
	scene "$a" "$1" opening < <(
		ask unreachable tcp "$me_b:20000" "$there_b:80"
		ask refused tcp "$me_b:20000" "$lo_b:7000"
		echo "listen A 7000"
		ask free tcp "$me_b:20000" "$lo_b:7000"
		ask inbound tcp "$there_b:20000" "$me_b:7000"
	) || return
	says unreachable unreachable '"type":"none"' &&
		says refused refused "There is no entry at all" '"is_tracking":false' &&
		says free free "takes what is sent there: scene[" "trace tcp '$me_b:20000'" &&
		says inbound free "the socket of another host or namespace" \
			"input: rules of mangle, filter, security, nat;" !"pass 2"
}

# conntrack loses an entry, and makes another of what it sees next.
lost() {
	host "$1" tcp || return
	scene "$a" "$1" lost < <(
		cat <<-EOT
			listen B 7000
			connect d $lo 7000 from 20001
			connect c $lo 7000 from 20000
			sh ip netns exec $a conntrack -D -p tcp --orig-port-src 20000
		EOT
		ask missing tcp "$lo_b:20000" "$lo_b:7000"
		echo "pass c.peer c"
		ask reversed tcp "$lo_b:20000" "$lo_b:7000"
		obey reversed 1
		echo "pass c c.peer"
		ask cured tcp "$lo_b:20000" "$lo_b:7000"
	) || return
	says missing missing '"is_tracking":true' "established" &&
		says reversed reversed "$lo_b:7000 -> $lo_b:20000 has an entry" &&
		says cured ok
}

datagrams() {
	host "$1" udp && looptrack -n "$a" set stale off linger off || return
	scene "$a" "$1" datagrams < <(
		cat <<-EOT
			udp A at $lo from 15001
			udp u from 20000
			ask u $there 80
		EOT
		ask first udp "$me_b:20000" "$there_b:80"
		echo "close u"
		ask left udp "$me_b:20000" "$there_b:80"
		cat <<-EOT
			udp u from 20000
			aim u $there 80
			ask u
		EOT
		ask taken udp "$me_b:20000" "$there_b:80"
		obey left 1
		echo "ask u"
		ask cured udp "$me_b:20000" "$there_b:80"
		echo "udp v from 20002"
		echo "tell v $lo 9"
		ask refused udp "$lo_b:20002" "$lo_b:9"
	) || return
	says first ok !"is no socket's" "can be sent by a udp socket of scene[" \
		"A rule changes the destination" "$lo_b:15001 takes what is sent there: scene[" &&
		says left stale "set stale enforce" &&
		says taken stale "for an earlier socket" &&
		says cured ok "stale evicted udp" &&
		says refused unanswered "no socket of this host takes what is sent there"
}

zoned() {
	host "$1" tcp && in_ns "$a" nft -f - <<-EOT || return
		table inet zones {
			chain out {
				type filter hook output priority raw
				ct zone set 7
			}
		}
	EOT
	scene "$a" "$1" zoned < <(
		echo "listen A 15001"
		echo "connect c $there 80 from 20000"
		ask inside -w 7 tcp "$me_b:20000" "$there_b:80"
		ask outside tcp "$me_b:20000" "$there_b:80"
		ask nowhere -w 8 tcp "$me_b:20001" "$there_b:80"
	) || return
	says inside ok '"zone":7' "A rule changes the destination" &&
		says outside elsewhere "explain -w 7 tcp '$me_b:20000' '$there_b:80'" '"zone":0' \
			'"conntrack":null' '"other_zones":[7]' &&
		says nowhere free '"zone":8' '"other_zones":[]'
}

loop() {
	names "$1"
	alone && redirect "$a" nft "$1" tcp output 80:15001 || return
	scene "$a" "$1" loop < <(
		echo "listen A 15001"
		echo "connect c $there 80 from 20000"
		ask loop tcp "$me_b:20000" "$there_b:80"
		obey loop 1
	) || return
	says loop loop "loopguard observed tcp" "handed it to the very proxy" \
		"set loopguard enforce"
}

forwarded() {
	topology && snat "$r" nft 4 masquerade || return
	started server "$s" exclusions_talk serve tcp 7000 || return
	in_ns "$c0" bash -c "exec 3<>/dev/tcp/$server4/7000 &&
		words=\$(ss -Htn | awk '{ print \$4, \$5 }') && ip netns exec $r bash -c \"
			looptrack explain tcp \$words >$tmp/forwarded &&
			looptrack -j explain tcp \$words >$tmp/forwarded.json\"" || return
	says forwarded ok "-> $server4:7000 would be the socket of another host" \
		"A rule changes the source: 10.99.0.2:" "becomes 10.99.9.1:" \
		"its sockets are elsewhere" \
		"prerouting: rules of raw, mangle, nat; then 10.99.0.2:" "device c0." \
		"forward: rules of mangle, filter, security;" '"client":null,"server":null' \
		!'"pass":'
}

# which ARGUMENT...: what --rules says is in $tmp/which and $tmp/which.json.
which() {
	looptrack -n "$a" explain --rules "$@" >"$tmp/which" 2>&1 &&
		looptrack -n "$a" -j explain --rules "$@" >"$tmp/which.json" ||
		fail "explain --rules $*: $(<"$tmp/which")"
}

# Which rules decide, of a flow that is not there, and of one that is. Neither its packets
# nor a table of its own is left behind, and no packet of others is traced.
which_nft() {
	local ip=ip handle

	[ "$1" = 4 ] || ip=ip6
	names "$1"
	alone && in_ns "$a" nft -f - <<-EOT || return
		table $ip nat {
			chain services {
				udp dport 54 return
				udp dport 53 redirect to :7001 comment "names"
			}
			chain out {
				type nat hook output priority -100
				meta mark 77 accept
				$ip daddr $there jump services
			}
			chain post {
				type nat hook postrouting priority 100
				udp dport 7001 masquerade
			}
		}
	EOT
	handle=$(in_ns "$a" nft -a list chain "$ip" nat services |
		sed -n 's/.*dport 53.*# handle //p')
	which udp "$me_b:20000" "$there_b:53" || return
	says which refused "These rules of nf_tables match it:" \
		"output: rule $handle of table $ip nat chain services: udp dport 53 redirect to" \
		"$ip daddr $there jump services (jump services)" \
		"postrouting: rule " ": udp dport 7001 masquerade (accept)" '"hook":"output"' \
		"\"chain\":\"services\",\"handle\":$handle,\"verdict\":\"accept\"" \
		!'meta mark' || return
	started server "$a" exclusions_talk serve udp 7001 &&
		in_ns "$a" exclusions_talk ask -s 20000 udp "$there" 53 hello >/dev/null &&
		which udp "$me_b:20000" "$there_b:53" || return
	grep -q "rule $handle of table" "$tmp/which" && grep -q 'same today' "$tmp/which" ||
		fail "with an entry: $(<"$tmp/which")" || return
	which udp "$me_b:20001" "$there_b:54" || return
	grep -q 'chain services: udp dport 54 return (return)' "$tmp/which" ||
		fail "no return: $(<"$tmp/which")" || return
	which udp "$me_b:20001" "$lo_b:54" || return
	grep -q 'No rule in the NAT chains of nf_tables matches it' "$tmp/which" ||
		fail "a rule: $(<"$tmp/which")" || return
	[ "$(in_ns "$a" nft list tables)" = "table $ip nat" ] ||
		fail "left: $(in_ns "$a" nft list tables)"
}

# Those of iptables are rules of nf_tables, too; the legacy ones are not, and would be logged.
which_iptables() {
	has_backend iptables "$1" || skip "no iptables-nft" || return
	names "$1"
	alone && redirect "$a" iptables "$1" tcp output 80:15001 || return
	which tcp "$me_b:20000" "$there_b:80" || return
	says which refused ' nat chain OUTPUT: ' '15001 (accept)' '"table":"nat"' || return

	has_backend legacy "$1" || return 0
	alone && redirect "$a" legacy "$1" tcp output 80:15001 || return
	looptrack -n "$a" explain --rules tcp "$me_b:20000" "$there_b:80" >"$tmp/which" 2>&1
	[ $? = 2 ] && grep -q 'iptables-legacy has tables here' "$tmp/which" ||
		fail "legacy: $(<"$tmp/which")" || return
	which --force tcp "$me_b:20000" "$there_b:80" &&
		grep -q 'No rule in the NAT chains of nf_tables' "$tmp/which" ||
		fail "legacy, --force: $(<"$tmp/which")"
}

# What is wrong, and who may not ask.
refusals() {
	local code text command words='explain tcp 10.98.0.1:1 10.98.0.1:2'
	local nobody='setpriv --reuid 65534 --clear-groups'

	host 4 tcp || return
	while read -r code text command; do
		$command >"$tmp/out" 2>&1
		[ $? = "$code" ] && [[ $(<"$tmp/out") = *"${text//_/ }"* ]] ||
			fail "$command: $(<"$tmp/out")" || return
	done <<-EOT
		0 Verdict looptrack -n $a $words
		1 say_PROTOCOL_SOURCE looptrack -n $a explain tcp 10.98.0.1:1
		1 neither_tcp_nor_udp looptrack -n $a explain icmp 10.98.0.1 10.98.0.2
		1 leaves_the_port_out looptrack -n $a explain tcp 10.98.0.1 10.98.0.1:1
		4 not_permitted in_ns $a $nobody looptrack $words
		6 cannot_open looptrack -n lt-nowhere $words
	EOT
}

# Flows of other hosts through this one, with ports that sockets of this host have: one
# without an address has them for this host's addresses only.
foreign() {
	local from=10.99.0.2 to

	names "$1"
	[ "$1" = 4 ] || from="[fd99::2]"
	topology && snat "$r" nft "$1" masquerade || return
	# A reset ends the connection, and its entry ten seconds later.
	in_ns "$r" sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_close=120 || return
	a=$r to=$(server "$1")
	started here "$r" exclusions_talk serve udp 7000 &&
		started tcp "$r" exclusions_talk serve tcp 7000 &&
		started there "$s" exclusions_talk serve udp 7000 &&
		started other "$s" exclusions_talk serve tcp 7000 || return
	for proto in udp tcp; do
		in_ns "$c0" exclusions_talk ask -s 7000 "$proto" "$to" 7000 hello >/dev/null
	done
	[ "$1" = 4 ] || to="[$to]"
	bash -e < <(
		ask udp udp "'$from:7000' '$to:7000'" | sed 's/^sh //'
		ask tcp tcp "'$from:7000' '$to:7000'" | sed 's/^sh //'
	)
	says udp ok "its sockets are elsewhere" '"client":null' '!takes what is sent there' ||
		return
	says tcp over '"client":null' '!takes what is sent there' || return
	looptrack -j -n "$r" flow list --dport 7000 >"$tmp/list"
	! grep -q '"client":\|"server":' "$tmp/list" ||
		fail "a socket of this host is said to be another's: $(<"$tmp/list")"
}

either "a redirected connection, IPv4" healthy 4
either "a redirected connection, IPv6" healthy 6
either "an entry of an earlier socket, IPv4" stale 4
either "an entry of an earlier socket, IPv6" stale 6
either "a port for two flows, IPv4" rewritten 4
either "a port for two flows, IPv6" rewritten 6
either "TIME_WAIT, IPv4" lingering 4
either "TIME_WAIT, IPv6" lingering 6
either "about to be opened, IPv4" opening 4
either "about to be opened, IPv6" opening 6
either "an entry that was lost, IPv4" lost 4
either "an entry that was lost, IPv6" lost 6
either "flows of others, ports of this host's, IPv4" foreign 4
either "flows of others, ports of this host's, IPv6" foreign 6
either "datagrams, IPv4" datagrams 4
either "datagrams, IPv6" datagrams 6
subtest "a zone" zoned 4
subtest "a loop" loop 6
variant "a forwarded flow" forwarded
either "which rules of nft, IPv4" which_nft 4
either "which rules of nft, IPv6" which_nft 6
either "which rules of iptables, IPv4" which_iptables 4
either "which rules of iptables, IPv6" which_iptables 6
subtest "wrong words, no privilege" refusals
run_subtests
