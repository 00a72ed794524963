# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # used by, and from, the tests that source this file
#
# What the tests of heal share, behind lib.sh.

# heal NS MODE: counts from zero.
heal() {
	looptrack -n "$1" reset && looptrack -n "$1" set heal "$2" ||
		fail "looptrack set heal $2 failed"
}

# rules NS BACKEND FAMILY <RULES: the NAT rules of the namespace, in place of those
# before, at once. A line has a chain, what it matches, and what it does:
#	prerouting|output|postrouting udp|tcp|icmp PORT[@ADDRESS]|- dnat ADDRESS [PORT]
#	... snat ADDRESS | ... masquerade | ... redirect PORT
rules() {
	local ns=$1 backend=$2 family=$3 ip=ip icmp=icmp restore=iptables-nft-restore

	[ "$family" = 4 ] || ip=ip6 icmp=icmpv6 restore=ip6tables-nft-restore
	if [ "$backend" = nft ]; then
		rules_nft "$ip" "$icmp" | in_ns "$ns" nft -f -
	else
		rules_iptables "$icmp" | in_ns "$ns" "$restore"
	fi || fail "cannot set rules: $backend, IPv$family"
}

rules_nft() {
	local chain proto port action to dport

	cat <<-EOT
		table $1 heal {
			chain prerouting {
				type nat hook prerouting priority -100
			}
			chain output {
				type nat hook output priority -100
			}
			chain postrouting {
				type nat hook postrouting priority 100
			}
		}
		flush table $1 heal
	EOT
	while read -r chain proto port action to dport; do
		[ "$proto" != icmp ] || proto=$2
		[[ $port != *@* ]] || port="${port%@*} $1 daddr ${port#*@}"
		[ "$port" = - ] && port="meta l4proto $proto" || port="$proto dport $port"
		[ "$action" != redirect ] || to=:$to
		[ -z "$dport" ] || [ "$1" = ip ] || to="[$to]"
		echo "add rule $1 heal $chain $port $action ${to:+to $to${dport:+:$dport}}"
	done
}

rules_iptables() {
	local chain proto port action to dport

	echo '*nat'
	while read -r chain proto port action to dport; do
		[ "$proto" != icmp ] || proto=$1
		[[ $port != *@* ]] || port="${port%@*} -d ${port#*@}"
		[ "$port" = - ] && port='' || port="--dport $port"
		[ -z "$dport" ] || [ "$1" = icmp ] || to="[$to]"
		case $action in
		dnat) action="DNAT --to-destination $to${dport:+:$dport}" ;;
		snat) action="SNAT --to-source $to" ;;
		redirect) action="REDIRECT --to-ports $to" ;;
		*) action=MASQUERADE ;;
		esac
		echo "-A ${chain^^} -p $proto $port -j $action"
	done
	echo COMMIT
}

# net FAMILY ROUTER-NET HOST: an address, as conntrack(8) writes it.
net() {
	case $1-$2 in
	4-*) echo "10.99.$2.$3" ;;
	6-0) echo "fd99::$3" ;;
	*) echo "fd99:$2::$3" ;;
	esac
}

# entries NS FAMILY PROTO...: ids of the flows that were opened to or by the hosts of
# the topology, with where replies come from.
entries() {
	in_ns "$1" conntrack -L -f "ipv$2" -o id 2>/dev/null |
		sed -En "s/^($3) .*\[UNREPLIED\] src=([^ ]*) .* id=([0-9]*).*/\3 \2/p" | sort
}

answered() {
	grep -q answer "$tmp/$1"
}

all_answered() {
	local file

	for file; do
		answered "$file" || return
	done
}

none_answered() {
	local file

	for file; do
		! answered "$file" || fail "$file: $(<"$tmp/$file")" || return
	done
}

reached() {
	[ "$(counter "$1" "$2")" -ge "$3" ]
}

# patience SECONDS: in which flows are healed. Three, and what an emulated machine
# may need for a second of the flows' own.
patience=4000

unanswered() {
	[ "$(entries "$1" "$2" 'udp|icmp|icmpv6' | wc -l)" -ge "$3" ]
}

# goes_through NS FAMILY PROTOS FLOW...: of flows that wait for an answer, in vain by
# now, which the rules would have them get.
goes_through() {
	local ns=$1 family=$2 protos=$3 before since

	shift 3
	busywait 3200 all_answered "$@" && fail "off: all answered"
	none_answered "$@" || return
	counts "$ns" off heal_asked=0 heal_seen=0 || return

	before=$(entries "$ns" "$family" "$protos")
	heal "$ns" observe || return
	busywait "$patience" reached "$ns" heal_seen $# ||
		fail "observe: saw $(counter "$ns" heal_seen) of $#: $before" || return
	# Once for each.
	[ "$ns" = "$c0" ] || ! busywait 2500 reached "$ns" heal_seen $(($# + 1)) ||
		fail "observe: saw a flow again" || return
	none_answered "$@" || return
	counts "$ns" observe heal_seen=$# heal_evicted=0 || return
	[ "$before" = "$(entries "$ns" "$family" "$protos")" ] ||
		fail "observe: $before has become $(entries "$ns" "$family" "$protos")" || return

	heal "$ns" enforce || return
	since=${EPOCHREALTIME/[.,]/}
	busywait "$patience" all_answered "$@" ||
		fail "enforce: $(cd "$tmp" && grep -L answer "$@")" || return
	note "enforce: answered after $(((${EPOCHREALTIME/[.,]/} - since) / 1000)) ms"
	counts "$ns" enforce heal_seen=$# heal_evicted=$# heal_again=0
}

# Ends what a subtest started, and passes its result on.
ended() {
	local ns

	for ns in "$c0" "$c1" "$s"; do
		ip netns pids "$ns" | xargs -r kill
	done
	[ "${#background[@]}" = 0 ] || wait "${background[@]}" 2>/dev/null
	background=()
	return "$1"
}
