# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2013,SC2016,SC2086,SC2154
#
# Part of run.sh: explain.

for arguments in '' tcp 'tcp 1.2.3.4:5'; do
	expect_sh "explain: too few words" 1 'explain: say PROTOCOL SOURCE DESTINATION' \
		"\$tool explain $arguments"
done
expect_sh "explain: too many words" 1 'explain: unexpected argument "x"' \
	'$tool explain tcp 1.2.3.4:5 6.7.8.9:10 x'
for protocol in icmp 47 sctp; do
	expect_sh "explain: $protocol" 1 "\"$protocol\" is neither tcp nor udp" \
		"\$tool explain $protocol 1.2.3.4:5 6.7.8.9:10"
done

asked='10.1.0.2:40000 203.0.113.1:80'
expect "explain" 0 'Verdict:   ok. Stack and conntrack agree.' '' explain tcp $asked
expect "explain: what is asked" 0 'flow 6 zone 7 1:0a010002 5:9c40 2:cb007101 6:0050' '' \
	explain --zone 7 tcp $asked
expect "explain: it is another's" 0 'Verdict:   stale. The entry was made for an earlier' another \
	explain tcp $asked
expect "explain: the other way round" 0 'You have asked for the direction of its replies.' '' \
	explain tcp 127.0.0.1:7000 10.1.0.2:40000
expect "explain: IPv6" 0 'Stack:     [2001:db8::1]:1 -> [::1]:80 would be the socket of another' \
	'gone routeless' explain tcp '[2001:db8::1]:1' '[::1]:80'
expect "explain: it is not there" 0 'Verdict:   missing. ' gone explain tcp $asked
expect "explain: nothing is there" 0 'Verdict:   free. ' 'gone flowless socketless' \
	explain tcp $asked
expect "explain: it is over, and remembered" 0 'Verdict:   gone. A new socket was matched' \
	'gone flowless socketless remembered' explain tcp $asked
expect "explain: history" 0 'History:   2026-11-22 08:31:02.123456 stale observed tcp 10.1.0.2' \
	remembered explain tcp $asked
expect "explain: no route" 0 'Verdict:   unreachable. ' 'gone flowless socketless routeless' \
	explain tcp $asked
expect "explain: another one from the port" 0 \
	'           Replies to 10.1.0.2:40000 -> 203.0.113.1:80 go to 10.1.0.2:40000, too.' gone \
	explain tcp 10.1.0.2:40000 203.0.113.1:81
expect "explain: the rules decide the same" 0 \
	'Rules:     The NAT rules would decide the same today.' '' explain tcp $asked
expect "explain: what the rules are asked" 0 \
	'rules 6 zone 7 1:0a010002 5:9c40 2:cb007101 6:0050 #4096 #1' '' \
	explain --zone 7 -m 0x1000 --in lo tcp $asked
expect_sh "explain: --force takes no word" 1 'option "--force=1" is not understood' \
	"\$tool explain --force=1 tcp $asked"
expect "explain: what was not read" 0 \
	'were asked; not read: filter rules, rules that set marks, rules that keep' '' \
	explain tcp $asked
expect "explain: the rules decide the same with the mark of the entry" 0 \
	'It was taken to have the mark of its entry, 4097.' restored explain tcp $asked
expect_sh "explain: but not if another mark was given" 0 '=0=' \
	"echo =\$(LOOPTRACK_FAKE=restored \$fake explain -m 1 tcp $asked 2>/dev/null |
		grep -c 'mark of its entry')="
expect "explain: the rules decide otherwise" 0 \
	'Rules:     The NAT rules would now send it to 127.0.0.1:7001 on this host.' moved \
	explain tcp $asked
expect "explain: the rules are gone" 0 \
	'Rules:     No NAT rule changes it any more; it would leave by lo.' ruleless \
	explain tcp $asked
expect "explain: rules that choose at random, and this" 0 \
	"today, or something else. The answers differ: chance, or a limit" fickle \
	explain tcp $asked
expect "explain: rules that choose at random" 0 \
	'127.0.0.1:7003 or others on this host. The answers differ:' 'gone fickle' \
	explain tcp $asked
expect "explain: rules that choose this at random, but seldom" 0 \
	'would decide the same today, or something else. The answers differ: chance,' rare \
	explain tcp $asked
expect "explain: rules with too many answers to tell" 0 \
	'127.0.0.1:7004 or others on this host. The answers differ:' wild explain tcp $asked
expect_sh "explain: rules with too many answers to tell, JSON" 0 '=0=' \
	"echo =\$(LOOPTRACK_FAKE=wild \$fake -j explain tcp $asked 2>/dev/null | grep -c agrees)="
expect "explain: rules for the user of the sender" 0 \
	'packets from conntrack","rules for the mark of an entry","rules for what else' \
	'moved sender' -j explain tcp $asked
expect "explain: the rules, JSON" 0 \
	'on this host. Rules for users were asked without a user.","unread":["filter rules",' \
	moved -j explain tcp $asked
expect "explain: without an entry" 0 \
	'Rules:     The NAT rules would send it to 127.0.0.1:7000 on this host.' gone \
	explain tcp $asked
expect "explain: where the rules would send it is looked at" 0 \
	'127.0.0.1:7000 -> 10.1.0.2:40000 is a tcp socket of' gone explain tcp $asked
expect "explain: no rule" 0 'Rules:     No NAT rule changes it; it would leave by lo.' \
	'gone ruleless' explain tcp $asked
expect "explain: no NAT" 0 \
	'Rules:     NAT is not in use here, or not recognised; it would leave by lo.' \
	'gone ruleless natless' explain tcp $asked
expect "explain: some answers do not get to the end" 0 \
	'127.0.0.1:7000 on this host. 6 of 16 answers do not get to' 'gone failing' \
	explain tcp $asked
expect "explain: some answers do not get to the end, JSON" 0 '"questions":16,"incomplete":6,' \
	'gone failing' -j explain tcp $asked
expect_sh "explain: the one that allows the entry may not have got there" 0 '=0=' \
	"echo =\$(LOOPTRACK_FAKE='moved failing' \$fake -j explain tcp $asked 2>/dev/null |
		grep -c agrees)="
expect "explain: the device differs" 0 'would send it to 127.0.0.1:7000.' 'gone split' \
	explain tcp $asked
expect "explain: an answer of the future" 0 'Rules:     The answer answer-77 is not understood.' \
	'gone riddle' explain tcp $asked
expect "explain: the rules can't be asked now" 0 "conntrack's table is full." 'gone busy' \
	explain tcp $asked
expect_sh "explain: where there is no NAT there are no rules for users" 0 '=0=0=' \
	"for words in 'gone ruleless natless' 'gone arriving'; do
		echo =\$(LOOPTRACK_FAKE=\$words \$fake explain tcp $asked 2>/dev/null |
			grep -c 'without a user')
	done | tr -d '\\n'; echo ="
expect "explain: rules, refused" 0 'Rules:     unknown: there is no route to the source.' \
	sourceless explain tcp $asked
expect "explain: a module that can't ask" 0 \
	"Rules:     unknown: this module can't ask the rules." old explain tcp $asked
expect "explain: a module that can't ask, JSON" 0 \
	'"rules":{"unknown":"this module can'\''t ask the rules"}' old -j explain tcp $asked
expect_sh "explain: no mark" 1 '"7/7" is not a number as 4096 or 0x1000' \
	'$tool explain -m 7/7 tcp 1.2.3.4:5 6.7.8.9:10'
expect "explain: no device" 1 'there is no device "nowhere"' '' \
	explain -i nowhere tcp $asked
expect "explain: a listener of all devices" 0 'takes what is sent there: ' '' explain tcp $asked
expect "explain: a listener of a device" 0 'takes what is sent there, on device lo: ' bound \
	explain tcp $asked
expect "explain: a flowtable" 0 'A flowtable forwards it: rules and traces see' offloaded \
	explain tcp $asked
expect "explain: IPVS" 0 'no rule of NAT, changes the destination: 203.0.113.1:80 becomes' virtual \
	explain tcp $asked
expect "explain: unprivileged" 4 'not permitted: this needs CAP_NET_ADMIN' unprivileged \
	explain tcp $asked
expect "explain: no module" 3 'modprobe nf_looptrack' absent explain tcp $asked
expect "explain: an old module" 5 'does not know this command' lame explain tcp $asked
expect "explain: JSON" 0 '"verdict":{"kind":"ok","text":"Stack and conntrack agree.","next"' '' \
	-j explain tcp $asked
expect "explain: JSON has the same history" 0 '"history":[{"time":"2026-11-22T08:31:02.123456789' \
	remembered -j explain tcp $asked
for word in '' gone old; do
	for key in $(LOOPTRACK_FAKE=$word "$fake" -j explain tcp $asked |
		sed 's/"features":{[^}]*}/"features":/' | grep -o '"[a-z_]*":' | tr -d '":' |
		sort -u); do
		expect_sh "key $key of explain is documented" 0 '' \
			"sed -n '/^.Sh JSON/,/^.Sh PROM/p' looptrack.8 | grep -qw $key"
	done
done
for word in $(sed -n 's/^	\[VERDICT_[A-Z]*\] = "\([a-z]*\)",/\1/p' verdict.c); do
	expect_sh "verdict $word is documented" 0 '' \
		"sed -n '/^.Sh EXPLAIN/,/^.Sh JSON/p' looptrack.8 | grep -q '^.It Cm $word$'"
done

# judges KIND TEXT FACTS: what is said of facts, in JSON; TEXT is part of it.
judges() {
	expect_sh "explain: $1, $2" 0 "=1=" "echo '$3' | $O/test/judge >'$work/verdict'; cat \
		'$work/verdict'; echo =\$(grep -F '\"kind\":\"$1\"' '$work/verdict' |
		grep -cF -e '$2')="
}
off='"features":{"stale":"off","ports":"off","linger":"observe","loopguard":"observe"}'
on='"features":{"stale":"enforce","ports":"enforce","linger":"enforce","loopguard":"enforce"}'
tuple='{"src":"10.1.0.2","sport":40000,"dst":"203.0.113.1","dport":80}'
tcp='"protocol":"tcp","zone":0,"tuple":'$tuple
here='"routes":{"source":{"type":"local"},"destination":{"type":"local"}}'
away='"routes":{"source":{"type":"local"},"destination":{"type":"unicast"}}'
other='"routes":{"source":{"type":"unicast"},"destination":{"type":"unicast"}}'
nobody='"stack":{"client":null,"server":null,"listeners":[],"port":[],"peers":[]}'
# flow REST: an entry, answered, of a socket with the cookie 12.
flow() { echo '"conntrack":{"original":'"$tuple"',"status":2,"owner":{"cookie":12}'"$1"'}'; }
# client STATE COOKIE [REST]: the socket that has the tuple.
client() { echo '"stack":{"client":{"state":"'"$1"'","cookie":'"$2"'}'"$3"'}'; }
delete='conntrack -D -p tcp -s 10.1.0.2 -d 203.0.113.1 --sport 40000 --dport 80'

judges ok 'Stack and conntrack agree' "{$tcp,$on,$here,$(flow),$(client established 12)}"
judges ok 'its sockets are elsewhere' "{$tcp,$on,$other,$(flow),$nobody}"
judges stale "$delete" "{$tcp,$off,$here,$(flow ',"is_stale":true'),$nobody}"
judges stale 'looptrack set stale enforce' \
	"{$tcp,$off,$here,$(flow ',"is_stale":true'),$nobody}"
judges stale 'for an earlier socket' "{$tcp,$on,$here,$(flow),$(client established 13)}"
judges stale 'The entry is of an earlier connection' \
	"{$tcp,$on,$here,$(flow ',"tcp_state":"fin-wait"'),$(client syn-sent 12)}"
judges ok '' "{${tcp/tcp/udp},$on,$here,$(flow),$(client close 13 \
	',"port":[{"cookie":12}],"listeners":[{}]')}"
judges unknown 'raw or packet sockets' \
	"{${tcp/tcp/udp},$on,$here,$(flow),$(client close 12 ',"listeners":[]')}"
judges unknown '' "{${tcp/tcp/udp},$on,$away,$(flow),$nobody}"
judges unknown '' "{$tcp,$on,$away,$(flow ',"tcp_state":"close-wait"'),$nobody}"
judges stale '' "{${tcp/tcp/udp},$on,$here,$(flow),$(client close 13 ',"port":[{"cookie":11}]')}"
judges orphaned 'neither has a socket' \
	"{$tcp,$on,$here,$(flow ',"is_stale":true,"is_loopback":true'),$nobody}"
judges orphaned '' \
	"{$tcp,$on,$here,$(flow ',"is_loopback":true'),$nobody}"
unowned=$(flow ',"is_loopback":true')
judges unknown 'raw or packet sockets' "{$tcp,$on,$here,${unowned/cookie/uid},$nobody}"
judges unknown 'looptrack trace tcp' \
	"{$tcp,$on,$away,$(flow ',"tcp_state":"established"'),$nobody}"
judges ok '' "{$tcp,$on,$other,$(flow ',"tcp_state":"established"'),$nobody}"
judges over 'set stale enforce' "{$tcp,$off,$here,$(flow ',"tcp_state":"time-wait"'),$nobody}"
judges over '"commands":[]' "{$tcp,$on,$here,$(flow ',"tcp_state":"close"'),$nobody}"
midst='"is_picked_up":true'
listens=',"port":[{"sport":40000,"state":"listen"}],"listeners":[]'
turned="$(flow),$(client established 12 "$listens")"
judges reversed 'audit --fix --kind reversed' "{$tcp,$on,$here,$midst,$turned}"
judges reversed "$delete" "{$tcp,$on,$here,$midst,"'"nat":[{}],'"$turned}"
judges reversed 'nf_conntrack_tcp_loose=0' "{$tcp,$on,$here,$midst,$turned}"
judges ok '' "{$tcp,$on,$here,${midst/true/false},$turned}"
judges ok '' "{$tcp,$on,$here,$turned}"
judges ok '' "{$tcp,$on,$here,$midst,${turned/\"listeners\":[]/\"listeners\":[{\"sport\":7000\}]}}"
loop='"nat":[{}],"history":[{"feature":"loopguard","decision":"observed","flow":'$tuple'}]'
judges loop 'set loopguard enforce' "{$tcp,$off,$here,$(flow),$loop,$(client established 12)}"
judges ok '' "{$tcp,$on,$here,$(flow),${loop/observed/released},$(client established 12)}"
judges ok '' "{$tcp,$on,$here,$(flow),${loop/40000/40001},$(client established 12)}"
sent=$(flow ',"status":0,"tcp_state":"syn-sent"')
judges unanswered 'no socket of this host' "{$tcp,$on,$here,$sent,$(client syn-sent 12)}"
judges unanswered 'a rule may drop it' \
	"{$tcp,$on,$here,$sent,$(client syn-sent 12 ',"listeners":[{}]')}"
judges unanswered 'looptrack trace tcp' "{$tcp,$on,$away,$sent,$(client syn-sent 12)}"
holder='"nat":[{"what":"source","holder_state":"live"}]'
rewritten="$(flow ',"is_rewritten":true'),$(client established 12)"
judges rewritten 'The port is in use' "{$tcp,$off,$here,$rewritten,$holder}"
judges rewritten 'set ports enforce' "{$tcp,$off,$here,$rewritten,${holder/live/dead}}"
judges rewritten 'Nothing is to be done' "{$tcp,$on,$here,$rewritten,${holder/live/gone}}"

none='"conntrack":null,"is_tracking":true'
judges missing 'Let the client connect anew' "{$tcp,$on,$away,$none,$(client established 12)}"
judges missing 'The client sends its SYN' "{$tcp,$on,$away,$none,$(client syn-sent 12)}"
judges free '' "{${tcp/tcp/udp},$on,$away,$none,$(client established 12)}"
judges elsewhere "explain -w 7 tcp" "{$tcp,$on,$away,$none,$nobody,"'"other_zones":[7]}'
judges untracked '' "{$tcp,$on,$away,${none/true/false},$(client established 12)}"
judges missing 'or a rule drops the SYN' "{$tcp,$on,$away,${none/true/false},$(client syn-sent 12)}"
judges free '' "{${tcp/:0/:8},$on,$away,$none,$nobody,"'"other_zones":[7]}'
past='"history":[{"feature":"ports","decision":"observed","flow":'$tuple'}]'
judges gone 'set ports enforce' "{$tcp,$off,$away,$none,$nobody,$past}"
judges gone 'the feature acts by now' "{$tcp,$on,$away,$none,$nobody,$past}"
judges gone 'monitor --feature ports' "{$tcp,$on,$away,$none,$nobody,${past/observed/kept}}"
judges refused '' "{$tcp,$on,$here,$none,$nobody,$past}"
judges free '' "{${tcp/tcp/udp},$on,$away,$none,$(client established 12),$past}"
past='"history":[{"feature":"ports","decision":"kept","flow":{"src":"10.1.0.9"},"holder":'
judges gone 'It was dead' "{$tcp,$on,$away,$none,$nobody,$past$tuple}]}"
judges gone 'and kept it' "{$tcp,$on,$away,$none,$nobody,${past/kept/rewritten}$tuple}]}"
judges unreachable 'ip route get 203.0.113.1' "{$tcp,$on,${away/unicast/none},$none,$nobody}"
# rules ANSWER: what rules said, whose first packet ends so in the hook forward.
rules() {
	echo '"rules":{"text":"So it is.","steps":[{"hook":"prerouting","answer":"asked"},' \
		'{"hook":"forward","answer":"'"$1"'","tuple":{"src":"10.1.0.2","dst":"10.7.0.1"}}]}'
}
for answer in refused no-source no-forwarding; do
	judges blocked 'would end at the hook forward. So it is.' \
		"{$tcp,$on,$away,$none,$nobody,$(rules $answer)}"
done
judges unreachable 'would end at the hook forward. So it is.' \
	"{$tcp,$on,$away,$none,$nobody,$(rules no-route)}"
judges unreachable 'ip route get 10.7.0.1' "{$tcp,$on,$away,$none,$nobody,$(rules no-route)}"
judges lingering 'set linger enforce' "{$tcp,$off,$away,$none,$(client time-wait 12)}"
judges lingering 'Wait, or let' "{$tcp,$on,$away,$none,$(client time-wait 12)}"
judges refused 'ss -tln' "{$tcp,$on,$here,$none,$nobody}"
judges refused 'ss -uln' "{${tcp/tcp/udp},$on,$here,$none,$nobody}"
judges free 'trace tcp' "{$tcp,$on,$here,$none,"'"stack":{"listeners":[{}]}}'
judges free 'with these addresses and ports' "{$tcp,$on,$away,$none,$nobody,$(rules asked)}"
for answer in busy answer-77; do
	judges free 'go; the NAT rules could not be asked' \
		"{$tcp,$on,$away,$none,$nobody,$(rules $answer)}"
done
judges free 'the NAT rules could not be asked' \
	"{$tcp,$on,$away,$none,$nobody,"'"rules":{"unknown":"there is no route"}}'
# Another flow from the port, to where this one goes, or where others to there are sent.
original='"original":{"src":"10.1.0.2","sport":40000,"dst":"203.0.113.1","dport":81}'
server='"reply":{"src":"127.0.0.1","sport":7000,"dst":"10.1.0.2","dport":40000}'
holders='"holders":[{"protocol":"tcp","is_loopback":true,'$original,$server'}]'
live=${holders/original/client\":\{\"state\":\"established\"\},\"original}
similar='"similar":{'$server'}'
judges free 'if a rule sends' "{$tcp,$off,$away,$none,$nobody,$live}"
judges held 'looptrack flow get tcp' \
	"{$tcp,$off,$away,$none,$nobody,$live,$similar}"
judges held 'looptrack flow get -w 5 tcp' \
	"{${tcp/:0/:5},$off,$away,$none,$nobody,$live,$similar}"
judges leftover 'set ports enforce' "{$tcp,$off,$away,$none,$nobody,$holders,$similar}"
judges leftover 'ports would remove it' "{$tcp,$on,$away,$none,$nobody,$holders,$similar}"
judges held '' "{$tcp,$off,$away,$none,$nobody,${holders/true/false},$similar}"

# What is advised can be pasted, whatever the namespace is called.
if [ "$(id -u)" = 0 ]; then
	ln -s /proc/self/ns/net "$work/it's one"
	expect "explain: a namespace whose name a shell would take apart" 0 \
		"looptrack -n '$work/it'\\''s one' flow get tcp" gone \
		-n "$work/it's one" explain tcp 10.1.0.2:40000 203.0.113.1:81
fi
