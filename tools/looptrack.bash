# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# bash completion for looptrack(8)

_looptrack()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local features='clash stale ports linger loopsnat loopguard origin passmark express listeners heal'
	local protocols='tcp udp icmp icmpv6 sctp'
	local word words='' command='' prefix='' wanted=feature feature='' i

	# The "=" of --OPTION=VALUE is a word to bash.
	if [[ $current == = ]]; then
		current=''
	elif [[ $previous == = ]]; then
		previous=${COMP_WORDS[COMP_CWORD - 2]}
	fi

	# The command is the first word that is neither an option nor the value of one.
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $word =~ ^(-[46jp]*[nc]|--netns|--color)$ ]]; then
			[[ ${COMP_WORDS[++i]} != = ]] || ((++i))
		elif [[ $word != -* ]]; then
			command=$word
			break
		fi
	done

	case $command in
	'')
		if [[ $previous =~ ^(-[46jp]*n|--netns)$ ]]; then
			words=$(find /run/netns -mindepth 1 -printf '%f\n' 2>/dev/null)
		elif [[ $previous =~ ^(-[46jp]*c|--color)$ ]]; then
			words='auto always never'
		elif [[ $current == -* ]]; then
			words='-4 -6 --json --pretty --prometheus --netns --color --version
				--help'
		else
			words='status set reset stats save restore flow resolve explain audit
				monitor trace help'
		fi
		;;
	set)
		# A feature, which is given once, its mode, and what only it has.
		for word in "${COMP_WORDS[@]:i + 1:COMP_CWORD - i - 1}"; do
			case $wanted:$word in
			feature:mark | feature:proxy | feature:exempt | proxy:port | proxy:uid | \
				proxy:cgroup)
				wanted=$word
				;;
			feature:*)
				wanted=mode feature=$word
				;;
			*)
				wanted=feature
				;;
			esac
		done
		case $wanted in
		feature)
			[[ ${COMP_WORDS[COMP_CWORD - 2]} == passmark ]] && words='mark'
			[[ $feature == loopguard ]] && words='proxy'
			[[ $feature == listeners ]] && words='exempt'
			for word in $features; do
				[[ " ${COMP_WORDS[*]:i} " == *" $word "* ]] || words+=" $word"
			done
			;;
		mode)
			words='off observe enforce'
			;;
		mark)
			words='0x1000/0x1000'
			;;
		proxy)
			words='port uid cgroup none'
			;;
		exempt)
			words='none'
			;;
		cgroup)
			words=$(compgen -d -- "$current")
			;;
		esac
		;;
	stats)
		words='--explain --prometheus'
		;;
	restore)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	flow | audit)
		case $command$((COMP_CWORD - i)):$previous in
		flow1:*)
			words='list watch get'
			;;
		*:-p | *:--proto)
			words=$protocols
			;;
		*:--state)
			words='syn-sent syn-recv established fin-wait close-wait last-ack
				time-wait close syn-sent2'
			;;
		*:--cgroup)
			words=$(compgen -d -- "$current")
			;;
		audit*:--kind)
			prefix=${current%"${current##*,}"}
			words='stale orphaned reversed missing shadowed snat-range
				unknown outdated'
			;;
		*)
			[[ $command == audit ]] && words='--fix --kind'
			case $command-${COMP_WORDS[i + 1]} in
			flow-get)
				words=$protocols
				[[ $current == -* ]] && words='--zone'
				;;
			flow-list | flow-watch | audit-*)
				words+=' --src --orig-src --dst --orig-dst --reply-src
					--reply-dst --proto --sport --orig-port-src --dport
					--orig-port-dst --reply-port-src --reply-port-dst
					--zone --mark --state --uid --pid --cgroup --loop
					--implicit-snat --stale'
				;;
			esac
			;;
		esac
		;;
	resolve)
		words='tcp udp -'
		[[ $current == --* ]] && words='--zone'
		;;
	explain)
		words='tcp udp'
		[[ $current == -* ]] && words='--zone --in --mark --rules --force'
		;;
	monitor)
		case $previous in
		-p | --proto)
			words=$protocols
			;;
		--feature)
			words=$features prefix=${current%"${current##*,}"}
			;;
		--decision)
			prefix=${current%"${current##*,}"}
			words='observed repicked exhausted refused unable evicted kept rewritten
				restored released'
			;;
		*)
			words='--count --src --orig-src --dst --orig-dst --proto --sport
				--orig-port-src --dport --orig-port-dst --zone --uid
				--feature --decision'
			;;
		esac
		;;
	trace)
		words="$protocols --all --count --force --rules"
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -P "$prefix" -W "$words" -- "${current#"$prefix"}")
}

complete -F _looptrack looptrack
