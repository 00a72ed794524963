#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The cases of docs/troubleshooting.md: each is brought about, and what the commands
# say that an operator would give is printed, for scripts/troubleshooting to put into
# the document. Ports and addresses are fixed, so that one run differs from another
# by sockets, processes and times only. Needs a machine of its own.

PATH=$(dirname "$(readlink -f "$0")")/../build/selftests:$PATH
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

give_up() {
	printf 'troubleshooting: %s\n' "${*:-$reason}" >&2
	exit "$ksft_fail"
}

# The program "show NAME COMMAND": what a shell would show, as a part of NAME. Of the
# parts of an explanation only those that tell what is wrong and what to do.
make_show() {
	mkdir "$tmp/shown"
	cat >"$tmp/show" <<-EOT
		#!/bin/bash
		{
			echo "# \$2"
			eval "\$2" 2>&1 | awk -v all="\$([[ \$2 = *explain* ]] || echo 1)" '
				/^[A-Z][A-Za-z]+:/ { kept = !/^(Stack|Rules|Path|History):/ }
				all || kept'
		} >>"$tmp/shown/\$1"
	EOT
	chmod +x "$tmp/show"
}

show() {
	in_ns "$1" "$tmp/show" "${@:2}" || give_up "show ${*:2}"
}

# play NS <SCRIPT: a scene. Its program is client, proxy and server.
play() {
	scene "$1" 4 scene >"$tmp/scene" || give_up "$(<"$tmp/scene") $reason"
}

# A host where what is done for sockets is off, or only observed, and which has a proxy.
host() {
	alone && redirect "$a" nft 4 "$1" output "${@:2}" &&
		looptrack -n "$a" set stale observe ports off linger off loopguard off || give_up
}

# A name server's port is published anew; the client's next query, from the same port,
# goes where the one before went.
stale() {
	host udp 53:15001
	redirection moved nft 4 udp output 53:15002
	local flow="udp 10.98.0.1:20000 203.0.113.1:53"

	play "$a" <<-EOT
		udp A at 127.0.0.1 from 15001
		udp B at 127.0.0.1 from 15002
		udp u from 20000
		ask u 203.0.113.1 53
		close u
		close A
		sh sh $tmp/moved
		udp u from 20000
		tell u 203.0.113.1 53
		sh $tmp/show stale "looptrack explain $flow"
		sh $tmp/show stale-audit "looptrack audit -p udp"
		sh $tmp/show stale-cured "looptrack set stale enforce"
		ask u 203.0.113.1 53
		sh $tmp/show stale-cured "looptrack flow get $flow"
		sh $tmp/show stale-cured "looptrack stats | grep stale_"
	EOT
}

# A sender that never stops keeps an entry that is older than the rule; so does a flow
# that nothing was changed of, whose port has another socket by now.
older() {
	local flow="udp 10.98.0.1:20000 203.0.113.1:53"

	host udp 54:15001
	redirection published nft 4 udp output 53:15001
	play "$a" <<-EOT
		udp A at 127.0.0.1 from 15001
		udp u from 20000
		tell u 203.0.113.1 53
		udp w from 20001
		tell w 203.0.113.1 53
		close w
		sh sh $tmp/published
		tell u 203.0.113.1 53
		sh $tmp/show busy "looptrack explain $flow"
		sh $tmp/show busy "conntrack -D -p udp --sport 20000 --dport 53"
		ask u 203.0.113.1 53
		sh $tmp/show busy "looptrack flow get $flow"
		sh looptrack set stale enforce
		udp v from 20001
		tell v 203.0.113.1 53
		sh $tmp/show older "looptrack explain udp 10.98.0.1:20001 203.0.113.1:53"
	EOT
}

# Two flows of one source port behind a proxy.
rewritten() {
	local flow='tcp 10.98.0.1:20000 203.0.113.1:81'

	host tcp 80:15001 81:15001
	play "$a" <<-EOT
		listen A 15001
		connect c 203.0.113.1 80 from 20000
		vanish c
		vanish c.peer
		connect d 203.0.113.1 81 from 20000
		sh $tmp/show rewritten "looptrack flow list --implicit-snat"
		sh $tmp/show rewritten "looptrack explain $flow"
		close d
		sh conntrack -D -p tcp --dport 81 >/dev/null 2>&1
		sh $tmp/show rewritten-cured "looptrack set ports enforce"
		connect e 203.0.113.1 81 from 20000
		sh $tmp/show rewritten-cured "looptrack explain $flow"
		sh $tmp/show rewritten-cured "looptrack stats | grep ports_"
	EOT
}

# All ports a client may have are in TIME_WAIT.
exhausted() {
	local mode name=exhausted

	for mode in observe enforce; do
		host tcp 80:15001
		in_ns "$a" sysctl -qw net.ipv4.ip_local_port_range="20000 20009" \
			net.ipv4.tcp_tw_reuse=0 || give_up
		[ "$mode" = observe ] || name=exhausted-cured
		show "$a" "$name" "looptrack set linger $mode"
		play "$a" <<-EOT
			listen A 15001
			repeat 10
			connect c% 203.0.113.1 80
			close c%
			eof c%.peer
			close c%.peer
			end
			sh sleep 1
			sh $tmp/show $name "ss -Htan state time-wait | wc -l"
			sh $tmp/show $name "exec 3<>/dev/tcp/203.0.113.1/80 && echo connected"
			sh $tmp/show $name "looptrack stats | grep linger_"
		EOT
	done
}

# Two clients behind one address, from the same ports at the same instant.
clash() {
	local mode tries

	topology && snat "$r" nft 4 masquerade && widen "$r" || give_up
	for mode in observe enforce; do
		looptrack -n "$r" set clash "$mode" && looptrack -n "$r" reset || give_up
		in_ns "$r" looptrack monitor >"$tmp/events-$mode" &
		background+=($!)
		busywait 5000 listened "$r" || give_up "nobody listens"
		tries=0
		until [ "$(counter "$r" clash_seen)" -ge 2 ]; do
			[ $((tries += 1)) -le 10 ] || give_up "no clash"
			race -n "$c0" -n "$c1" -S "$s" -r 60 "$server4" 7000 >/dev/null || give_up
			in_ns "$r" conntrack -F >/dev/null 2>&1
		done
		busywait 5000 seen_twice "$tmp/events-$mode" || give_up "no events"
		[ "$mode" != observe ] || show "$r" clash \
			"conntrack -S | grep -o 'insert_failed=[0-9]*'"
		show "$r" "clash-$mode" "looptrack stats | grep clash_"
		{
			echo "# looptrack monitor"
			grep -m 2 ' clash ' "$tmp/events-$mode"
		} >>"$tmp/shown/clash-$mode"
	done
}

seen_twice() {
	[ "$(grep -c ' clash ' "$1")" -ge 2 ]
}

# A proxy that is given its own connections.
loop() {
	topology && snat "$r" nft 4 masquerade || give_up
	redirect_all loop 7000 15001
	started server "$s" exclusions_talk serve tcp 7000 &&
		started proxy "$c0" loopguard_proxy.py tcp 15001 || give_up
	in_ns "$c0" looptrack monitor -C 1 >"$tmp/events" &
	background+=($!)
	busywait 5000 listened "$c0" || give_up "nobody listens"
	in_ns "$c0" exclusions_talk ask -t 3000 -s 20000 tcp "$server4" 7000 hello >/dev/null
	show "$c0" loop "looptrack stats | grep loopguard_"
	{
		echo "# looptrack monitor"
		cat "$tmp/events"
	} >>"$tmp/shown/loop"
	ip netns pids "$c0" | xargs -r kill
	busywait 5000 quiet "$c0" || give_up "the proxy does not end"
	show "$c0" loop-cured "looptrack set loopguard enforce"
	looptrack -n "$c0" reset
	started proxy "$c0" loopguard_proxy.py tcp 15001 || give_up
	in_ns "$c0" exclusions_talk ask -t 3000 -s 20001 tcp "$server4" 7000 hello >/dev/null
	show "$c0" loop-cured "looptrack stats | grep loopguard_"
}

quiet() {
	[ -z "$(ip netns pids "$1")" ]
}

# redirect_all TABLE FROM TO: what $c0 sends to a port FROM, whoever sends it.
redirect_all() {
	in_ns "$c0" nft "table ip $1 { chain output {
		type nat hook output priority -100;
		tcp dport $2 redirect to :$3; }; }" || give_up
}

# A rule that masquerades what stays on the host.
loopback_snat() {
	alone && in_ns "$a" nft "table ip every { chain postrouting {
		type nat hook postrouting priority srcnat; masquerade; }; }" &&
		looptrack -n "$a" set loopsnat observe || give_up
	play "$a" <<-EOT
		udp A from 53
		udp u at 127.0.0.1 from 20000
		tell u 127.0.0.53 53
		sh sleep 0.2
		sh $tmp/show loopsnat "looptrack flow get udp 127.0.0.1:20000 127.0.0.53:53"
		sh $tmp/show loopsnat "looptrack stats | grep loopsnat_"
		sh $tmp/show loopsnat-cured "looptrack set loopsnat enforce"
		udp v at 127.0.0.1 from 20001
		ask v 127.0.0.53 53
		sh $tmp/show loopsnat-cured "looptrack flow get udp 127.0.0.1:20001 127.0.0.53:53"
	EOT
}

# A connection hook by hook.
passes() {
	host tcp 80:15001
	in_ns "$a" looptrack trace -C 10 tcp '*' 203.0.113.1:80 >"$tmp/trace" &
	background+=($!)
	busywait 5000 listened "$a" || give_up "nobody listens"
	play "$a" <<-EOT
		listen A 15001
		connect c 203.0.113.1 80 from 20000
	EOT
	{
		echo "# looptrack trace -C 10 tcp '*' 203.0.113.1:80"
		cat "$tmp/trace"
	} >"$tmp/shown/trace"
}

# A router whose masquerade takes a listener's port, and ports of its own range.
shadowed() {
	topology && snat "$r" nft 4 masquerade && looptrack -n "$r" set ports off || give_up
	play "$r" <<-EOT
		sh sysctl -qw net.ipv4.ip_local_port_range="40000 50000"
		netns $s
		listen S 7000
		netns $c0
		connect c $server4 7000 from 30080
		connect d $server4 7000 from 41000
		netns $r
		listen L 30080
		sh $tmp/show shadowed "looptrack audit"
	EOT
}

# The address that a rule sent the first SYN to is nobody's, and the rule is another by
# now.
unanswered() {
	local chain='type nat hook output priority -100; ip daddr 203.0.113.1 tcp dport 80'

	alone && in_ns "$a" nft "table ip service { chain output {
		$chain dnat to 10.98.0.77:8080; }; }" &&
		ip -n "$a" neigh add 10.98.0.77 lladdr 02:00:00:00:00:77 dev d0 &&
		ip -n "$a" neigh add 10.98.0.2 lladdr 02:00:00:00:00:02 dev d0 || give_up
	play "$a" <<-EOT
		listen A 8080
		start c 203.0.113.1 80 from 20000
		sh nft "flush table ip service"
		sh nft "add rule ip service output tcp dport 80 dnat to 10.98.0.1:8080"
		sh sleep 1.2
		sh $tmp/show unanswered "looptrack explain tcp 10.98.0.1:20000 203.0.113.1:80"
		drop c
	EOT
}

need ip nft conntrack ss scene race exclusions_talk looptrack
modprobe nf_looptrack || give_up "nf_looptrack cannot be loaded"
tmpdir
make_show
cases='stale older rewritten exhausted clash loop loopback_snat passes shadowed unanswered'
for case in ${1-$cases}; do
	"$case"
	drop_ns
done

# What the document says of each.
while read -r case text; do
	[ ! -e "$tmp/shown/$case" ] || grep -q -e "$text" "$tmp/shown/$case" ||
		give_up "$case: no \"$text\": $(<"$tmp/shown/$case")"
done <<-EOT
	busy Verdict:   unanswered
	stale Verdict:   stale
	stale-audit 1 stale
	stale-cured 127.0.0.1:15002
	older Verdict:   stale
	rewritten Verdict:   rewritten
	rewritten-cured Verdict:   ok
	exhausted Cannot assign
	exhausted-cured ^connected
	clash-observe clash observed
	clash-enforce clash repicked
	loop loopguard observed
	loop-cured released *1
	loopsnat -> 10.98.0.1:20000
	loopsnat-cured -> 127.0.0.53:53 loopback
	shadowed 1 shadowed, 1 snat-range
	trace 2 prerouting
	unanswered Verdict:   unanswered
EOT
for file in "$tmp"/shown/*; do
	printf '<!-- output %s -->\n\n' "${file##*/}"
	sed 's/ *$//; s|^/tmp/[^:]*/show: \(line [0-9]*: \)\?|bash: |; s/^./    &/' "$file"
	printf '\n<!-- end -->\n'
done
