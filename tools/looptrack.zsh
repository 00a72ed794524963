#compdef looptrack
# SPDX-License-Identifier: GPL-2.0
# zsh completion for looptrack(8)

local features=(clash stale ports linger loopsnat loopguard origin passmark express listeners heal)
local commands=(
	'status:module, namespace, features and counters on one screen'
	'set:change modes, all or none'
	'reset:counters to zero'
	'stats:the counters, and what they mean'
	'save:write the modes, for restore'
	'restore:change modes as a file says, all or none'
	'flow:flows, both passes, NAT, sockets and who opened them'
	'resolve:from what a proxy sees to whom it comes from'
	'explain:one flow in plain sentences, and what to do'
	'audit:where conntrack disagrees with sockets and rules'
	'monitor:decisions as they are made, one a line'
	'trace:the packets of one flow, hook by hook, as they pass'
	'help:show the commands'
)
local protocols=(tcp udp icmp icmpv6 sctp)
local decisions=(observed repicked exhausted refused unable evicted kept rewritten restored
	released)
# What flows and events are looked for by.
local filters=(
	'(-s --src --orig-src)'{-s,--src,--orig-src}'[where it comes from]:network:'
	'(-d --dst --orig-dst)'{-d,--dst,--orig-dst}'[where it was addressed]:network:'
	'(-p --proto)'{-p,--proto}"[protocol]:protocol:($protocols)"
	'(--sport --orig-port-src)'{--sport,--orig-port-src}'[source port]:port:'
	'(--dport --orig-port-dst)'{--dport,--orig-port-dst}'[destination port]:port:'
	'(-w --zone)'{-w,--zone}'[of conntrack]:zone:'
	'--uid[who opened it]:user:'
)
local states=(syn-sent syn-recv established fin-wait close-wait last-ack time-wait close
	syn-sent2)
# And flows only.
local flow_filters=(
	'(-r --reply-src)'{-r,--reply-src}'[where replies come from]:network:'
	'(-q --reply-dst)'{-q,--reply-dst}'[where replies go to]:network:'
	'--reply-port-src[source port of replies]:port:'
	'--reply-port-dst[destination port of replies]:port:'
	'(-m --mark)'{-m,--mark}'[VALUE or VALUE/MASK]:mark:'
	"--state[of TCP]:state:($states)"
	'--pid[which process opened it]:process:'
	'--cgroup[in which cgroup]:cgroup:_files -/'
	'--loop[both ends are on this host]'
	'--implicit-snat[only the source port was changed]'
	'--stale[the socket of an end is gone]'
)
local curcontext=$curcontext state line word wanted=feature feature
typeset -A opt_args

_arguments -s -C -S -A "-*" \
	'(-6)-4[only flows of IPv4]' \
	'(-4)-6[only flows of IPv6]' \
	'(-j --json)'{-j,--json}'[write JSON]' \
	'(-p --pretty)'{-p,--pretty}'[indent the JSON]' \
	'--prometheus[write metrics for Prometheus]' \
	'(-n --netns)'{-n+,--netns=}'[act on this network namespace]:namespace:_files -W /run/netns' \
	'(-c --color)'{-c+,--color=}'[colour text]:when:(auto always never)' \
	'(-)'{-V,--version}'[show the version of the tool]' \
	'(-)'{-h,--help}'[show the commands]' \
	'1:command:->command' \
	'*::argument:->argument' && return

case $state in
command)
	_describe command commands
	return
	;;
esac

case $words[1] in
set)
	# A feature, which is given once, its mode, and what only it has.
	for word in $words[2,CURRENT-1]; do
		case $wanted:$word in
		feature:(mark|proxy|exempt) | proxy:(port|uid|cgroup))
			wanted=$word
			;;
		feature:*)
			wanted=mode feature=$word features=(${features:#$word})
			;;
		*)
			wanted=feature
			;;
		esac
	done
	case $wanted in
	feature)
		[[ $words[CURRENT-2] == passmark ]] && features+=(mark)
		[[ $feature == loopguard ]] && features+=(proxy)
		[[ $feature == listeners ]] && features+=(exempt)
		_values feature $features
		;;
	mode)
		_values mode off observe enforce
		;;
	mark)
		_message -e mark 'VALUE/MASK, as 0x1000/0x1000'
		;;
	proxy)
		_values 'what it is known by' port uid cgroup none
		;;
	exempt)
		_values 'PORT, FIRST-LAST or' none
		;;
	port | uid)
		_message -e $wanted number
		;;
	cgroup)
		_files -/
		;;
	esac
	;;
stats)
	_arguments '(--prometheus)--explain[with what each means]' \
		'(--explain)--prometheus[metrics for Prometheus]'
	;;
restore)
	_arguments '1:file:_files'
	;;
flow)
	if ((CURRENT == 2)); then
		_values verb list watch get
		return
	fi
	shift words
	((CURRENT--))
	if [[ $words[1] == get ]]; then
		_arguments '(-w --zone)'{-w,--zone}'[of conntrack]:zone:' \
			"1:protocol:($protocols)" '2:source:' '3:destination:'
		return
	fi
	_arguments $filters $flow_filters
	;;
resolve)
	_arguments '(-w --zone)'{-w,--zone}'[of conntrack]:zone:' \
		'1:protocol:(tcp udp -)' '2:local:' '3:peer:'
	;;
explain)
	_arguments '(-w --zone)'{-w,--zone}'[of conntrack]:zone:' \
		'(-i --in)'{-i,--in}'[device it comes by]:device:_net_interfaces' \
		'(-m --mark)'{-m,--mark}'[of its first packet]:mark:' \
		'--rules[each NAT rule of nf_tables that matches it]' \
		'--force[also where iptables-legacy logs it]' \
		'1:protocol:(tcp udp)' '2:source:' '3:destination:'
	;;
audit)
	local kinds=(stale orphaned reversed missing shadowed snat-range unknown outdated)

	_arguments '--fix[set right what can be]' $filters $flow_filters \
		"--kind[only these]:kind:_values -s , kind $kinds"
	;;
monitor)
	_arguments '(-C --count)'{-C,--count}'[end after so many]:count:' $filters \
		"--feature[decided by one of these]:feature:_values -s , feature $features" \
		"--decision[one of these]:decision:_values -s , decision $decisions"
	;;
trace)
	_arguments '(-a --all)'{-a,--all}'[each stage]' \
		'--force[also where packets wait in NFQUEUE]' \
		'--rules[each rule of nf_tables that was met]' \
		'(-C --count)'{-C,--count}'[end after so many]:count:' \
		"1:protocol:($protocols)" '2:source:' '3:destination:'
	;;
esac
