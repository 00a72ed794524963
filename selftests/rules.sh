#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the NAT rules would do with a flow: `looptrack explain` asks them by the command
# rules-get. The answer is compared with what the next real packet gets, and nothing is
# left of the questions.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft conntrack genl exclusions_talk scene looptrack
need_module
tmpdir

# forms FAMILY: addresses, and brackets for those that a port follows.
forms() {
	f=$1 l='' r_='' me=10.98.0.1 other=10.98.0.77 peer=10.98.0.2 ip=ip
	[ "$f" = 4 ] || l='[' r_=']' me=fd98::1 other=fd98::77 peer=fd98::2 ip=ip6
}

# host FAMILY: without what the module does else.
host() {
	forms "$1"
	alone && only "$a" none off && looptrack -n "$a" set origin off loopguard off
}

# gateway FAMILY: a router, with the addresses of its two clients and of the server.
gateway() {
	forms "$1"
	topology || return
	server=$(server "$1") me=10.99.0.2 other=10.99.1.2
	[ "$1" = 4 ] || me=fd99::2 other=fd99:1::2
}

# load NS BACKEND FAMILY: rules from stdin, one a line: HOOK MATCH TARGET, where MATCH is
# DEVICE,DESTINATION,PORT with "-" for any, and TARGET dnat=WHERE, snat=WHERE, redirect=PORT
# or masquerade; of tcp and udp.
load() {
	local ns=$1 backend=$2 tool hook match target dev to port proto way
	local -A nft=()

	tool=$(backend_tool "$backend" "$3")
	[ "$backend" != legacy ] || legacy_used=1
	while read -r hook match target; do
		IFS=, read -r dev to port <<<"$match"
		way=i
		[ "$hook" = prerouting ] || way=o
		if [ "$backend" = nft ]; then
			[ "$dev" = - ] || nft[$hook]+="${way}ifname $dev "
			[ "$to" = - ] || nft[$hook]+="$ip daddr $to "
			nft[$hook]+="meta l4proto { tcp, udp } "
			[ "$port" = - ] || nft[$hook]+="th dport $port "
			case $target in
			redirect=*) nft[$hook]+="redirect to :${target#*=}" ;;
			masquerade) nft[$hook]+=masquerade ;;
			*) nft[$hook]+="${target%%=*} to ${target#*=}" ;;
			esac
			nft[$hook]+=$'\n'
			continue
		fi
		for proto in tcp udp; do
			set -- -A "${hook^^}" -p "$proto"
			[ "$dev" = - ] || set -- "$@" "-$way" "$dev"
			[ "$to" = - ] || set -- "$@" -d "$to"
			[ "$port" = - ] || set -- "$@" --dport "$port"
			case $target in
			dnat=*) set -- "$@" -j DNAT --to-destination "${target#*=}" ;;
			snat=*) set -- "$@" -j SNAT --to-source "${target#*=}" ;;
			redirect=*) set -- "$@" -j REDIRECT --to-ports "${target#*=}" ;;
			*) set -- "$@" -j MASQUERADE ;;
			esac
			in_ns "$ns" "$tool" -w -t nat "$@" || fail "no rule: $*" || return
		done
	done
	[ "$backend" = nft ] || return 0
	for hook in "${!nft[@]}"; do
		case $hook in
		prerouting | output) port=-100 ;;
		*) port=100 ;;
		esac
		echo "table $ip nat { chain $hook { type nat hook $hook priority $port"
		printf '%s}\n}\n' "${nft[$hook]}"
	done >"$tmp/nft"
	in_ns "$ns" nft -f "$tmp/nft" || fail "cannot load: $(<"$tmp/nft")"
}

# ask NS ARGUMENT...: what the rules would do, in $answer.
ask() {
	answer=$(looptrack -n "$1" -j explain "${@:2}") || fail "explain $*" || return
	answer=${answer#*\"rules\":} answer=${answer%%,\"stack\":*}
	note "${*:2}: ${answer#*\"text\":}"
}

# says TEXT...: the last answer has each.
says() {
	local word

	for word; do
		[[ $answer = *"$word"* ]] || fail "not \"$word\": $answer" || return
	done
}

# real NS PROTO PORT [ARGUMENT...]: what conntrack has of the flow from the port, in the
# words of the JSON: $to and $from. Arguments are for conntrack.
real() {
	local line re='src=(\S+) dst=(\S+) sport=([0-9]+) dport=([0-9]+)'

	line=$(in_ns "$1" conntrack -L -f "ipv$f" -p "$2" --orig-port-src "$3" "${@:4}" 2>/dev/null)
	[[ $line =~ $re.*$re ]] || fail "no entry: $line" || return
	to="{\"address\":\"${BASH_REMATCH[5]}\",\"port\":${BASH_REMATCH[7]}}"
	from="{\"address\":\"${BASH_REMATCH[6]}\",\"port\":${BASH_REMATCH[8]}}"
}

# compare NS CLIENT PROTO SOURCE PORT DESTINATION PORT TEXT [ARGUMENT...]: the answer, with
# this in it, and then what a packet of the client gets. The rules agree with the entry.
compare() {
	local ns=$1 client=$2 proto=$3 flow=("$3" "$l$4$r_:$5" "$l$6$r_:$7") says=$8 foretold

	ask "$ns" "${@:9}" "${flow[@]}" && says "$says" || return
	foretold=$answer
	in_ns "$client" exclusions_talk ask -q -t 300 -s "$5" "$proto" "$6" "$7" x \
		>/dev/null 2>&1
	real "$ns" "$proto" "$5" || return
	[[ $foretold = *"\"destinations\":[$to],\"sources\":[$from]"* ]] ||
		fail "${flow[*]}: $to $from, but foretold: $foretold" || return
	[ "$proto" = tcp ] || { ask "$ns" "${@:9}" "${flow[@]}" &&
		says "would decide the same today" '"agrees":true'; }
}

# sent FAMILY BACKEND PROTOCOL...: flows of this host: to another host as another address,
# to a proxy here, and without a rule.
sent() {
	local proto

	has_backend "$2" "$1" || skip "no $2" || return
	host "$1" && started server "$a" exclusions_talk serve -q tcp 15001 || return
	load "$a" "$2" "$1" <<-EOT || return
		output -,$(dst "$1" 1),80 dnat=$l$peer$r_:8080
		output -,$(dst "$1" 2),80 redirect=15001
		postrouting d0,-,8080 snat=$other
	EOT
	for proto in "${@:3}"; do
		compare "$a" "$a" "$proto" "$me" 20001 "$(dst "$1" 1)" 80 \
			"would send it to $l$peer$r_:8080 by d0, as $l$other$r_:20001." &&
			compare "$a" "$a" "$proto" "$me" 20002 "$(dst "$1" 2)" 80 \
				":15001 on this host." &&
			compare "$a" "$a" "$proto" "$me" 20003 "$(dst "$1" 3)" 80 \
				"No NAT rule changes it; it would leave by d0." || return
	done
	says '"unread":["filter rules",' '"is_sent":true' '"is_random":false'
}

# forwarded FAMILY BACKEND PROTOCOL...: flows that come by a device: to a server behind the
# host, which masquerades.
forwarded() {
	local proto server before

	has_backend "$2" "$1" || skip "no $2" || return
	gateway "$1" && started server "$s" exclusions_talk serve -q tcp 7000 || return
	# None may go for its age while entries are counted.
	in_ns "$r" sysctl -qw net.netfilter.nf_conntrack_udp_timeout=600
	load "$r" "$2" "$1" <<-EOT || return
		prerouting c0,$(dst "$1" 1),80 dnat=$l$server$r_:7000
		prerouting c1,$(dst "$1" 1),80 dnat=$l$server$r_:7001
		postrouting s,-,- masquerade
	EOT
	for proto in "${@:3}"; do
		compare "$r" "$c0" "$proto" "$me" 20001 "$(dst "$1" 1)" 80 \
			"would send it to $l$server$r_:7000 by s, as $l$(router "$1")$r_:20001." ||
			return
	done
	says '"in":"c0"' '"is_derived":true' || return
	before=$(in_ns "$r" conntrack -C)
	# Another device, other rules.
	ask "$r" -i c1 udp "$l$other$r_:20002" "$l$(dst "$1" 1)$r_:80" &&
		says "$server$r_:7001" '"is_derived":false' || return
	if [ "$1" = 4 ]; then
		in_ns "$r" sysctl -qw net.ipv4.conf.all.rp_filter=1
		ask "$r" -i c0 udp "$other:20002" "$(dst 4 1):80" &&
			says "would not be taken by c0" '"answer":"no-source"' || return
	fi
	# A source that no route leads to.
	ask "$r" udp "$l$(dst "$1" 9)$r_:20002" "$l$server$r_:80" &&
		says '"unknown":"there is no route to the source' || return
	in_ns "$r" sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
	ask "$r" udp "$l$me$r_:20003" "$l$(dst "$1" 1)$r_:80" &&
		says "this one does not forward" '"answer":"no-forwarding"' || return
	# For the router itself.
	ask "$r" udp "$l$me$r_:20003" "$l${me%2}1$r_:80" &&
		says "No NAT rule changes it; it would be taken on this host." \
			'"is_delivered":true' || return
	[ "$before" = "$(in_ns "$r" conntrack -C)" ] || fail "questions leave entries"
}

# A rule for the source that matches the device by which a packet has come; not one that
# this host sends.
by_input() {
	local server

	gateway "$1" && in_ns "$r" nft -f - <<-EOT || return
		table $ip t {
			chain postrouting {
				type nat hook postrouting priority 100
				iifname "c0" oifname "s" masquerade
			}
		}
	EOT
	compare "$r" "$c0" udp "$me" 20001 "$server" 80 "as $l$(router "$1")$r_:20001." &&
		ask "$r" -i c1 udp "$l$me$r_:20002" "$l$server$r_:80" &&
		says "No NAT rule changes it" &&
		ask "$r" udp "$l$(router "$1")$r_:20003" "$l$server$r_:80" &&
		says "No NAT rule changes it"
}

# A rule of INPUT that looks at the packet's route.
by_route() {
	forms 4
	topology && in_ns "$r" iptables-nft -w -t nat -A INPUT -p udp -m realm --realm 0 \
		-j SNAT --to-source 10.99.8.1 2>/dev/null || skip "no match of realms" || return
	compare "$r" "$c0" udp 10.99.0.2 20001 10.99.0.1 80 '"hook":"input","answer":"asked"' &&
		says '"address":"10.99.8.1"'
}

# A rule that rejects sends nothing to whoever is said to have sent the packet.
rejected() {
	local proto before

	host "$1" && in_ns "$a" nft -f - <<-EOT || skip "no reject in a NAT chain" || return
		table $ip t {
			chain output {
				type nat hook output priority -100
				udp dport 80 reject
				tcp dport 80 reject with tcp reset
			}
		}
	EOT
	before=$(in_ns "$a" cat /proc/net/snmp /proc/net/snmp6)
	for proto in udp tcp; do
		ask "$a" "$proto" "$l$me$r_:20001" "$l$(dst "$1" 1)$r_:80" &&
			says "of output would not accept it" '"answer":"refused"' || return
	done
	[ "$before" = "$(in_ns "$a" cat /proc/net/snmp /proc/net/snmp6)" ] ||
		fail "something was sent"
}

# A table without a limit is not full.
unlimited() {
	local max

	host 4 && load "$a" nft 4 <<<"output -,$(dst 4 1),80 dnat=$peer:8080" || return
	max=$(sysctl -n net.netfilter.nf_conntrack_max) &&
		sysctl -qw net.netfilter.nf_conntrack_max=0 || skip "cannot be set" || return
	ask "$a" udp "$me:20001" "$(dst 4 1):80" && says "would send it to $peer:8080"
	set -- $?
	sysctl -qw "net.netfilter.nf_conntrack_max=$max"
	return "$1"
}

# Rules for a mark, and for a zone.
matched() {
	host "$1" && in_ns "$a" nft -f - <<-EOT || return
		table $ip t {
			chain raw {
				type filter hook output priority -300
				udp dport 81 ct zone set 5
			}
			chain output {
				type nat hook output priority -100
				meta mark 7 udp dport 80 dnat to $l$peer$r_:8007
				ct zone 5 udp dport 81 dnat to $l$peer$r_:8005
			}
		}
	EOT
	set -- udp "$l$me$r_:20001" "$l$(dst "$1" 1)$r_"
	ask "$a" -m 7 "$1" "$2" "$3:80" && says "would send it to $l$peer$r_:8007" &&
		ask "$a" -m 0x8 "$1" "$2" "$3:80" && says "No NAT rule changes it" &&
		ask "$a" "$1" "$2" "$3:81" && says "No NAT rule changes it" &&
		ask "$a" -w 5 "$1" "$2" "$3:81" && says "would send it to $l$peer$r_:8005" || return
	in_ns "$a" exclusions_talk ask -q -t 100 -s 20001 udp "$(dst "$f" 1)" 81 x >/dev/null
	real "$a" udp 20001 -w 5 && says "\"destinations\":[$to],\"sources\":[$from]"
}

# Nothing to ask, and what does not get to its end. No statistics are kept of that.
ends() {
	local flow before

	host "$1" || return
	flow=(udp "$l$me$r_:20001" "$l$(dst "$1" 1)$r_:80")
	ask "$a" "${flow[@]}" &&
		says "NAT is not in use here, or not recognised; it would leave by d0." || return
	load "$a" nft "$1" <<<"output -,$(dst "$1" 1),80 dnat=$l$(dst "$1" 77)$r_:1" &&
		ip -n "$a" "-$1" route add unreachable "$(dst "$1" 77)" || return
	before=$(in_ns "$a" cat /proc/net/snmp /proc/net/snmp6; in_ns "$a" conntrack -S)
	ask "$a" "${flow[@]}" && says "There is no route for" '"answer":"no-route"' \
		'"hook":"output","answer":"asked"' || return
	[ "$before" = "$(in_ns "$a" cat /proc/net/snmp /proc/net/snmp6
		in_ns "$a" conntrack -S)" ] || fail "questions are counted" || return
	in_ns "$a" nft -f - <<-EOT || return
		table $ip u {
			chain output {
				type nat hook output priority -110
				udp dport 82 drop
			}
		}
	EOT
	ask "$a" udp "$l$me$r_:20001" "$l$(dst "$1" 1)$r_:82" &&
		says "of output would not accept it" '"answer":"refused"' || return
	ip -n "$a" "-$1" route flush default
	ask "$a" udp "$l$me$r_:20001" "$l$(dst "$1" 5)$r_:9" && says "There is no route for"
}

# Backends by chance: the set of answers has what packets get.
random() {
	local i

	host "$1" && in_ns "$a" nft -f - <<-EOT || return
		table $ip t {
			chain output {
				type nat hook output priority -100
				udp dport 80 dnat to $l$peer$r_:numgen random mod 2 map {
					0 : 8080, 1 : 8081 }
			}
		}
	EOT
	for i in 1 2 3; do
		ask "$a" udp "$l$me$r_:2000$i" "$l$(dst "$1" 1)$r_:80" &&
			says "The answers differ: chance," '"is_random":true' || return
		in_ns "$a" exclusions_talk ask -q -t 100 -s "2000$i" udp "$(dst "$1" 1)" 80 x \
			>/dev/null
		real "$a" udp "2000$i" && says "$to" || return
		ask "$a" udp "$l$me$r_:2000$i" "$l$(dst "$1" 1)$r_:80" &&
			says "decide the same today, or something else" '"agrees":true' || return
	done
}

# Of an entry: the rules have changed since.
changed() {
	local flow

	host "$1" && load "$a" nft "$1" <<<"output -,-,80 dnat=$l$peer$r_:8080" || return
	flow=(udp "$l$me$r_:20001" "$l$(dst "$1" 1)$r_:80")
	in_ns "$a" exclusions_talk ask -q -t 100 -s 20001 udp "$(dst "$1" 1)" 80 x >/dev/null
	ask "$a" "${flow[@]}" && says "would decide the same today" || return
	in_ns "$a" nft flush ruleset &&
		load "$a" nft "$1" <<<"output -,-,80 dnat=$l$peer$r_:9090" &&
		ask "$a" "${flow[@]}" &&
		says "The NAT rules would now send it to $l$peer$r_:9090 by d0." \
			'"agrees":false' || return
	in_ns "$a" nft flush ruleset && load "$a" nft "$1" <<<"output -,-,81 redirect=9" &&
		ask "$a" "${flow[@]}" && says "No NAT rule changes it any more" '"agrees":false'
}

# Entries that the kernel has memory of. What is freed counts, too, while a kernel with
# KASAN keeps it back, until the cache is asked to shrink.
conntracks() {
	[ ! -w /sys/kernel/slab/nf_conntrack/shrink ] ||
		echo 1 >/sys/kernel/slab/nf_conntrack/shrink
	awk '$1 == "nf_conntrack" { print $2 }' /proc/slabinfo
}

# Of many questions nothing is left, whatever they are about.
many() {
	local before objects

	host "$1" && load "$a" nft "$1" <<-EOT || return
		output -,$(dst "$1" 1),80 dnat=$l$peer$r_:8080
		postrouting d0,-,8080 masquerade
	EOT
	set -- rules 1000 17 "$me" 20001 "$(dst "$1" 1)" 80
	in_ns "$a" genl "$@" >/dev/null || fail "the first questions" || return
	objects=$(conntracks)
	before=$(in_ns "$a" conntrack -C; in_ns "$a" conntrack -S)
	in_ns "$a" genl rules "$KSFT_QUESTIONS" "${@:3}" >"$tmp/n" || fail "$(<"$tmp/n")" || return
	[ "$before" = "$(in_ns "$a" conntrack -C; in_ns "$a" conntrack -S)" ] ||
		fail "was $before, is $(in_ns "$a" conntrack -C; in_ns "$a" conntrack -S)" || return
	note "entries in memory: $objects, then $(conntracks)"
	[ "$(conntracks)" -le $((objects + 100)) ] || fail "memory is left"
}

# What is wrong with a question, and who may not ask.
refusals() {
	local expected command

	host 4 || return
	while IFS='|' read -r expected command; do
		# shellcheck disable=SC2086
		in_ns "$a" $command >"$tmp/out" 2>&1
		[[ $(<"$tmp/out") = *"$expected"* ]] ||
			fail "$command: $(<"$tmp/out")" || return
	done <<-EOT
		ok|genl rules 1 17 10.98.0.1 1 10.98.0.2 2
		both protocol and tuple|genl rules 1 - 10.98.0.1 1 10.98.0.2 2
		two addresses of one family|genl rules 1 17 10.98.0.1 1 fd98::2 2
		two addresses of one family|genl rules 1 17 10.98.0.1 1 - 2
		"the rules can be asked about TCP|genl rules 1 1 10.98.0.1 1 10.98.0.2 2
		has two ports|genl rules 1 6 10.98.0.1 1 10.98.0.2 -
		an address of zeros|genl rules 1 6 10.98.0.1 1 0.0.0.0 2
		ENODEV "there is no such device|genl rules 1 6 10.98.0.2 1 10.98.0.1 2 i 4711
		comes by no device|genl rules 1 6 10.98.0.1 1 10.98.0.2 2 i 1
		by the loopback device|genl rules 1 6 10.98.0.2 1 10.98.0.1 2 i 1
		there is no device|looptrack explain -i nowhere tcp 10.98.0.2:1 10.98.0.1:2
		EPERM|setpriv --reuid 65534 --clear-groups genl rules 1 17 10.98.0.1 1 10.98.0.2 2
	EOT
}

either "flows of this host, nft, IPv4" sent 4 nft udp tcp
either "flows of this host, nft, IPv6" sent 6 nft udp tcp
either "flows of this host, iptables-nft, IPv6" sent 6 iptables udp
either "flows of this host, iptables-nft, IPv4" sent 4 iptables udp
either "flows of this host, iptables-legacy, IPv4" sent 4 legacy tcp
either "flows of this host, iptables-legacy, IPv6" sent 6 legacy tcp
either "forwarded flows, nft, IPv6" forwarded 6 nft udp tcp
either "forwarded flows, nft, IPv4" forwarded 4 nft udp tcp
either "forwarded flows, iptables-nft, IPv4" forwarded 4 iptables tcp
variant "forwarded flows, iptables-legacy, IPv6" forwarded 6 legacy udp
either "a rule for the input device, IPv4" by_input 4
either "a rule for the input device, IPv6" by_input 6
subtest "a rule of INPUT for the route" by_route
subtest "a conntrack table without a limit" unlimited
either "a rule that rejects, IPv4" rejected 4
either "a rule that rejects, IPv6" rejected 6
# A mark that rules of the first hook set, as kube-proxy's do, is there for those of the
# second.
marked() {
	local server

	host "$1" && in_ns "$a" nft -f - <<-EOT || return
		table $ip t {
			chain output {
				type nat hook output priority -100
				udp dport 80 meta mark set meta mark | 0x4000
			}
			chain postrouting {
				type nat hook postrouting priority 100
				meta mark & 0x4000 != 0x4000 return
				snat to $other
			}
		}
	EOT
	compare "$a" "$a" udp "$me" 20001 "$(dst "$1" 1)" 80 "as $l$other$r_:20001." &&
		compare "$a" "$a" udp "$me" 20002 "$(dst "$1" 1)" 81 "No NAT rule changes it" ||
		return
	gateway "$1" && in_ns "$r" nft -f - <<-EOT || return
		table $ip t {
			chain prerouting {
				type nat hook prerouting priority -100
				udp dport 80 meta mark set 0x4000
			}
			chain postrouting {
				type nat hook postrouting priority 100
				meta mark 0x4000 masquerade
			}
		}
	EOT
	compare "$r" "$c0" udp "$me" 20001 "$server" 80 "as $l$(router "$1")$r_:20001."
}

# Rules for a user: the socket that sends the flow is found, and its user is asked about.
used() {
	host "$1" && in_ns "$a" nft -f - <<-EOT || return
		table $ip t {
			chain output {
				type nat hook output priority -100
				meta skuid 65534 udp dport 80 dnat to $l$peer$r_:8080
			}
		}
	EOT
	set -- udp "$l$me$r_" "$l$(dst "$1" 1)$r_:80"
	scene "$a" "$f" used < <(
		cat <<-EOT
			spawn w
			on w uid 65534
			on w udp c from 20001
			udp d from 20002
			sh looptrack -j -n $a explain $1 $2:20001 $3 >$tmp/theirs
			sh looptrack -j -n $a explain $1 $2:20002 $3 >$tmp/ours
			quit w
		EOT
	) || return
	answer=$(<"$tmp/theirs") && says "would send it to $l$peer$r_:8080" '"sender":' || return
	answer=$(<"$tmp/ours") && says '"sender":' "\"address\":\"$(dst "$f" 1)\"" &&
		[[ $answer != *8080* ]] || fail "a rule for another user applies: $answer"
}

# What a socket has set counts: its mark, for rules and routes, and its user, for routes.
sent_by() {
	host "$1" && in_ns "$a" nft -f - <<-EOT || return
		table $ip t {
			chain output {
				type nat hook output priority -100
				meta mark 5 accept
				udp dport 80 dnat to $l$peer$r_:8080
			}
		}
	EOT
	{
		echo "link add user type dummy"
		echo "link add marked type dummy"
		for dev in user marked; do
			addresses "$dev" 10.97.0.1/24 fd97::1/64
			echo "link set $dev up"
		done
	} | ip -n "$a" -batch - || return
	ip -n "$a" "-$f" route add default dev user table 77 &&
		ip -n "$a" "-$f" route add default dev marked table 78 &&
		ip -n "$a" "-$f" rule add uidrange 65534-65534 lookup 77 &&
		ip -n "$a" "-$f" rule add fwmark 5 lookup 78 || fail "cannot set routes" || return
	set -- "$l$me$r_" "$l$(dst "$1" 1)$r_"
	scene "$a" "$f" sent < <(
		echo "udp c from 20001 mark 5"
		echo "udp d from 20002"
		echo "spawn w"
		echo "on w uid 65534"
		echo "on w udp e from 20003"
		for i in 1 2 3; do
			echo "sh looptrack -j -n $a explain udp $1:2000$i $2:80 >$tmp/rules$i"
			echo "sh looptrack -j -n $a explain udp $1:2000$i $2:81 >$tmp/route$i"
		done
		echo "quit w"
	) || return
	answer=$(<"$tmp/rules1") && says '"mark":5' '"out":"marked"' "No NAT rule changes it" ||
		return
	for i in 2 3; do
		answer=$(<"$tmp/rules$i") &&
			says '"mark":0' "would send it to $l$peer$r_:8080" || return
	done
	answer=$(<"$tmp/route1") && says '"out":"marked"' || return
	answer=$(<"$tmp/route3") && says '"out":"user"' || return
	answer=$(<"$tmp/route2")
	[[ $answer != *'"out":"user"'* && $answer != *'"out":"marked"'* ]] ||
		fail "another socket's route: $answer"
}

either "rules for a mark and a zone, IPv4" matched 4
either "rules for a mark and a zone, IPv6" matched 6
either "a mark of the first hook, IPv4" marked 4
either "a mark of the first hook, IPv6" marked 6
either "rules for a user, IPv4" used 4
either "rules for a user, IPv6" used 6
either "mark and user of the sender, IPv4" sent_by 4
either "mark and user of the sender, IPv6" sent_by 6
either "no NAT, no route, IPv6" ends 6
either "no NAT, no route, IPv4" ends 4
either "backends at random, IPv4" random 4
either "backends at random, IPv6" random 6
either "rules that have changed, IPv6" changed 6
either "rules that have changed, IPv4" changed 4
either "${KSFT_QUESTIONS:=10000} questions, IPv4" many 4
either "$KSFT_QUESTIONS questions, IPv6" many 6
subtest "wrong questions, no privilege" refusals
run_subtests
