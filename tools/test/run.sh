#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016,SC2013
#
# What the tool says and how it exits, in KTAP: mostly against the kernel of
# test/fake.c, and without the module where this machine's own kernel will do.
#
#   test/run.sh [O]		O: where it was built

cd "$(dirname "$0")/.." || exit 1
O=$(cd "${1:-.}" && pwd) || exit 1
tool=$O/looptrack
fake=$O/test/looptrack
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
TZ=UTC
export TZ
unified=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
count=0
failed=0

report() {	# ok|not ok, name
	count=$((count + 1))
	echo "$1 $count $2"
	[ "$1" = ok ] || failed=$((failed + 1))
}

# expect NAME CODE TEXT WORDS ARGUMENTS...: with a kernel as WORDS say, the
# exit code is CODE and TEXT is in what is written, or nothing if it is empty.
expect() {
	name=$1 code=$2 text=$3 words=$4
	shift 4
	LOOPTRACK_FAKE=$words "$fake" "$@" >"$work/out" 2>&1
	result $? "$code" "$text" "$name"
}

# The same, for a shell command, with the tool itself as $tool.
expect_sh() {
	sh -c "tool=$tool fake=$fake; $4" >"$work/out" 2>&1
	result $? "$2" "$3" "$1"
}

result() {	# exit code, wanted exit code, wanted text, name
	if [ "$1" = "$2" ] && if [ -n "$3" ]; then
		grep -qF -e "$3" "$work/out"
	else
		[ ! -s "$work/out" ]
	fi; then
		report ok "$4"
	else
		report "not ok" "$4"
		echo "# exit code $1, wanted $2 and: $3"
		sed 's/^/# /' "$work/out"
	fi
}

# Rules are those of these commands, which have none unless a test says so.
rules_commands='iptables-save iptables-legacy-save ip6tables-save ip6tables-legacy-save nft'
mkdir "$work/bin" "$work/none"
for command in $rules_commands; do
	printf '#!/bin/sh\ncat "$0.rules" 2>/dev/null\nexit 0\n' >"$work/bin/$command"
	chmod +x "$work/bin/$command"
done
PATH=$work/bin:$PATH

echo KTAP version 1

# Words that are wrong: nothing is sent, whatever the kernel.
expect_sh "no command" 1 'Usage: looptrack' '$tool'
expect_sh "help" 0 'stats   [--explain' '$tool help'
expect_sh "-h" 0 'Usage: looptrack' '$tool -h'
expect_sh "-V" 0 "looptrack $(cat ../VERSION)" '$tool -V'
expect_sh "unknown command" 1 'unknown command "flwo"' '$tool flwo'
expect_sh "unknown option" 1 'option "-x" is not understood' '$tool -jx status'
expect_sh "unknown long option" 1 'option "--jsn" is not understood' '$tool --jsn status'
expect_sh "option without its value" 1 'option "-n" needs a value' '$tool -n'
expect_sh "unknown colour choice" 1 'none of: auto always never' '$tool -c blue status'
expect_sh "general option too late" 1 'option "-j" is not understood' '$tool stats -j'
for arguments in '' tcp 'tcp 1.2.3.4'; do
	expect_sh "trace: too few words" 1 'trace: say PROTOCOL SOURCE DESTINATION' \
		"\$tool trace $arguments"
done
expect_sh "trace: too many words" 1 'unexpected argument "x"' '$tool trace tcp "*" "*" x'
for protocol in tpc 256 6x ''; do
	expect_sh "trace: protocol $protocol" 1 'is no IP protocol' \
		"\$tool trace '$protocol' '*' '*'"
done
for end in 1.2.3 1.2.3.4:0 1.2.3.4:65536 1.2.3.4: 1.2.3.4:x :80 '[::1' '[::1]80' '[::1]:' \
	'[1.2.3.4]:80' ::1::2 '' '*:' '[*]:80' "$(printf '%99s' '')"; do
	expect_sh "trace: end $end" 1 'is not ADDRESS' "\$tool trace tcp '*' '$end'"
	expect_sh "trace: from $end" 1 'is not ADDRESS' "\$tool trace tcp '$end' '*'"
done
expect_sh "trace: option" 1 'not understood here' '$tool trace -x tcp "*" "*"'
expect_sh "trace: count" 1 'trace: count "0" is not a number' '$tool trace -C 0 tcp "*" "*"'
for command in status reset stats monitor help; do
	expect_sh "$command: surplus word" 1 "$command: unexpected argument \"x\"" \
		"\$tool $command x"
done
expect_sh "set: nothing" 1 'no feature given' '$tool set'
expect_sh "set: odd" 1 'no mode given for feature "stale"' '$tool set clash off stale'
expect_sh "set: unknown feature" 1 '"all" is none of: clash stale ports linger loopsnat' \
	'$tool set all off'
expect_sh "set: unknown mode" 1 'mode "on" is none of: off observe enforce' '$tool set clash on'
expect_sh "set: repeated feature" 1 '"clash" is given twice' '$tool set clash off clash off'
expect_sh "set: mark of another feature" 1 '"stale" has no mark, only passmark has' \
	'$tool set stale off mark 1/1'
expect_sh "set: no mark" 1 'no mark given; say mark VALUE/MASK' '$tool set passmark off mark'
expect_sh "set: mark without mode" 1 'mode "mark" is none of' '$tool set passmark mark 1/1'
for mark in '""' / 1 1/ /1 0x/1 1/0x 1/1/1 1/1x -1/1 '" 1/1"' 1/+1 1,1 0x100000000/1 \
	1/99999999999999999999 08/8; do
	expect_sh "set: mark $mark" 1 'is not VALUE/MASK, as in 0x1000/0x1000' \
		"\$tool set passmark enforce mark $mark"
done
expect_sh "set: mark that changes nothing" 1 'changes no bit' '$tool set passmark off mark 0/0'
expect_sh "set: mark beyond its mask" 1 'has bits outside of its mask' \
	'$tool set passmark off mark 0x30/0x10'
expect_sh "set: proxy of another feature" 1 '"stale" has no proxies, only loopguard has' \
	'$tool set stale off proxy none'
expect_sh "set: proxy without mode" 1 'mode "proxy" is none of' '$tool set loopguard proxy none'
for by in '' '""' gid 15001 Port; do
	expect_sh "set: proxy $by" 1 'is none of: port PORT, uid UID, cgroup PATH, none' \
		"\$tool set loopguard enforce proxy $by"
done
for by in port uid cgroup; do
	expect_sh "set: proxy $by, of which" 1 "no $by given behind proxy $by" \
		"\$tool set loopguard enforce proxy $by"
done
for port in '""' 0 65536 -1 +1 '" 1"' 1x 0x50 http proxy 99999999999999999999; do
	expect_sh "set: proxy port $port" 1 'is not a number from 1 to 65535' \
		"\$tool set loopguard enforce proxy port $port"
done
for user in '""' 4294967295 -1 +1 '" 1"' 1x 0x50 root 99999999999999999999; do
	expect_sh "set: proxy uid $user" 1 'is not the number of a user' \
		"\$tool set loopguard enforce proxy uid $user"
done
for cgroup in '""' 0 -1 1x system.slice 99999999999999999999; do
	expect_sh "set: proxy cgroup $cgroup" 1 'is neither a path nor a number' \
		"\$tool set loopguard enforce proxy cgroup $cgroup"
done
expect_sh "set: proxy cgroup nowhere" 1 'set: there is no cgroup "/no/such"; start its service' \
	'$tool set loopguard enforce proxy cgroup /no/such'
expect_sh "set: proxy cgroup, a file" 1 "set: cgroup \"$PWD/Makefile\": Not a directory" \
	"\$tool set loopguard enforce proxy cgroup \$PWD/Makefile"
expect_sh "set: proxy cgroup, any directory" 1 '"/etc" is no cgroup of the unified hierarchy' \
	'$tool set loopguard enforce proxy cgroup /etc'
for words in 'none proxy none' 'none proxy uid 0' 'uid 0 proxy none'; do
	expect_sh "set: proxy $words" 1 'proxy none goes with no other proxy' \
		"\$tool set loopguard enforce proxy $words"
done
expect_sh "set: nine proxies" 1 'more than 8 proxies' \
	'$tool set loopguard enforce $(printf "proxy uid %s " 1 2 3 4 5 6 7 8 9)'
expect_sh "set: exempt of another feature" 1 '"ports" has no exempt ports, only listeners has' \
	'$tool set ports off exempt 500'
expect_sh "set: exempt without mode" 1 'mode "exempt" is none of' '$tool set listeners exempt 500'
expect_sh "set: exempt, of which" 1 'no port given behind exempt' '$tool set listeners off exempt'
for port in '""' 0 65536 -1 +1 '" 1"' 1x 0x50 http 1- -1- 1-2-3 2-1 0-1 1-65536 000000000-1 \
	99999999999999999999 nothing; do
	expect_sh "set: exempt $port" 1 'is none of: PORT, FIRST-LAST (1 to 65535), none' \
		"\$tool set listeners enforce exempt $port"
done
for words in 'none exempt none' 'none exempt 1' '1 exempt none'; do
	expect_sh "set: exempt $words" 1 'exempt none goes with no other exempt' \
		"\$tool set listeners enforce exempt $words"
done
expect_sh "set: seventeen exempt ports" 1 'more than 16 exempt ranges' \
	'$tool set listeners enforce $(printf "exempt %s " $(seq 17))'

# wrong_file NAME TEXT CONTENTS: the first thing that is said is TEXT, of a line or
# of the file, and nothing was sent.
wrong_file() {
	printf '%b' "$3" >"$work/conf"
	expect_sh "restore: $1" 0 "1=looptrack: conf:$2" \
		"cd '$work' && said=\$(\$fake restore conf 2>&1); echo \"\$?=\$said\""
}
wrong_file "unknown feature" '2: feature "clsh" is none of: clash stale' 'stale off\nclsh off\n'
wrong_file "unknown mode" '1: mode "on" is none of: off observe enforce' 'clash on\n'
wrong_file "no mode" '3: no mode given for feature "stale"' '\n\nstale\nclash off\n'
wrong_file "mode on the next line" '1: no mode given for feature "stale"' 'stale\noff\n'
wrong_file "mode in a comment" '1: no mode given for feature "stale"' 'stale #off\n'
wrong_file "feature twice" '3: feature "clash" is given twice' 'clash off\n#\nclash off\n'
wrong_file "feature twice in a line" '1: feature "clash" is given twice' 'clash off clash off\n'
wrong_file "more than a mode" '1: feature "now" is none of' 'clash off now\n'
wrong_file "mark of another feature" '1: feature "clash" has no mark' 'clash off mark 1/1\n'
wrong_file "no mark" '1: no mark given; say mark VALUE/MASK' 'passmark off mark\n1/1\n'
wrong_file "half a mark" '1: mark "1/" is not VALUE/MASK' 'passmark off mark 1/ 1\n'
wrong_file "mark beyond its mask" '1: mark "3/1" has bits outside' 'passmark off mark 3/1\n'
wrong_file "proxy of another feature" '1: feature "clash" has no proxies' 'clash off proxy none\n'
wrong_file "no proxy" '1: proxy "" is none of: port PORT' 'loopguard off proxy\nuid 1\n'
wrong_file "exempt of another feature" '1: feature "clash" has no exempt ports' \
	'clash off exempt 1\n'
wrong_file "no exempt port" '1: no port given behind exempt' 'listeners off exempt\n1\n'
wrong_file "no user" '1: no uid given behind proxy uid' 'loopguard off proxy uid # 1\n'
wrong_file "no cgroup" '2: there is no cgroup "/no/such"; start its service first, or name the' \
	'clash off\nloopguard off proxy uid 1 proxy cgroup /no/such\n'
wrong_file "no newline at the end" '2: mode "of" is none of' 'stale off\nclash of'
wrong_file "capitals" '1: feature "Clash" is none of' 'Clash off\n'
wrong_file "an equals sign" '1: feature "clash=off" is none of' 'clash=off\n'
wrong_file "a newer one" '2: feature "teleport" is none of' 'clash off\nteleport enforce\n'
wrong_file "a NUL" '2: this is no text' 'clash off\nstale off\0\n'
wrong_file "a NUL at the end" '2: this is no text' 'clash off\n\0'
wrong_file "a NUL in a comment" '1: this is no text' '#\0\nclash off\n'
wrong_file "a byte order mark" '1: feature "' '\0357\0273\0277clash off\n'
wrong_file "many words" '1: too many words; say one feature a line' \
	"$(printf 'clash off %.0s' $(seq 49))\n"
wrong_file "nothing" ' no feature in it; say FEATURE MODE, one a line' ''
wrong_file "only comments" ' no feature in it' '# clash off\n\n   \n#'
wrong_file "too long" ' longer than 65536 bytes' "clash off\n$(printf '#%65526s' '')\n"
expect_sh "restore: no end" 1 '/dev/zero: longer than' '$tool restore /dev/zero'
expect_sh "restore: no file" 7 'cannot open ./none: No such file' '$tool restore ./none'
expect_sh "restore: no file without a name" 7 'cannot open' '$tool restore ""'
expect_sh "restore: directory" 7 'cannot read /: Is a directory' '$tool restore /'
expect_sh "restore: standard input is a directory" 7 'cannot read stdin' '$tool restore </'
expect_sh "restore: standard input closed" 1 'stdin: no feature in it' '$tool restore <&-'
expect_sh "restore: surplus word" 1 'unexpected argument "x"' '$tool restore - x'
expect_sh "restore: option" 1 'option "-x" is not understood here' '$tool restore -x'
expect_sh "save: surplus word" 1 'unexpected argument "x"' '$tool save x'
expect_sh "save: JSON" 1 'save: has no JSON; "looptrack -j status" has' '$tool -j save'
expect_sh "flow: unknown verb" 1 'flow: verb "lst" is none of: list get watch' '$tool flow lst'
expect_sh "flow: a filter without verb" 1 'flow: verb "--loop" is none of' '$tool flow --loop'
for verb in list watch; do
	expect_sh "flow $verb: surplus word" 1 "$verb: unexpected argument \"x\"" \
		"\$tool flow $verb --loop x"
	expect_sh "flow $verb: unknown option" 1 'option "-x" is not understood here' \
		"\$tool flow $verb -x"
	expect_sh "flow $verb: option that two begin with" 1 'option "--orig-port" is not' \
		"\$tool flow $verb --orig-port 1"
done
for option in -s --sport --reply-port-dst --state --cgroup -w; do
	expect_sh "flow list: $option without a value" 1 "option \"$option\" needs a value" \
		"\$tool flow list $option"
done
expect_sh "audit: --kind without a value" 1 'option "--kind" needs a value' '$tool audit --kind'
expect_sh "audit: a value of --fix" 1 'option "--fix=1" is not understood here' \
	'$tool audit --fix=1'
expect_sh "a letter that is none" 1 'option "-P" is not understood here; see looptrack(8)' \
	'$tool -P stats'
expect_sh "flow list: value of a flag" 1 'option "--loop=1" is not understood here' \
	'$tool flow list --loop=1'
expect_sh "flow list: interval" 1 'option "-i" is not understood here' '$tool flow list -i 1'
# wrong_filter TEXT OPTION VALUE...: none of these is a value of OPTION, and the
# complaint says what is.
wrong_filter() {
	local text=$1 option=$2

	shift 2
	for value; do
		expect_sh "flow list: $option $value" 1 "\"$value\" is not $text" \
			"\$tool flow list $option '$value'"
	done
}
for option in -s --src --orig-src -d --dst --orig-dst -r --reply-src -q --reply-dst; do
	wrong_filter 'ADDRESS or ADDRESS/LENGTH' $option 10.0.0.1/33
done
wrong_filter 'ADDRESS or ADDRESS/LENGTH' -s '' 10.0.0 10.0.0.1:80 10.0.0.1/ 10.0.0.1/-1 / /8 \
	10.0.0.1/0x8 10.0.0.1/8/8 2001:db8::/129 '[::1]' '*' localhost "$(printf '%99s' '')"
for option in --sport --orig-port-src --dport --orig-port-dst --reply-port-src \
	--reply-port-dst; do
	wrong_filter 'a port from 0 to 65535' $option 65536 http
done
wrong_filter 'a port from 0 to 65535' --dport '' -1 +1 ' 1' 1x 80,81
wrong_filter 'an IP protocol' -p '' tpc 256 -1 6x
wrong_filter 'a state of TCP' --state '' ESTAB listen established,close 1 \
	"$(printf '%99s' '')"
wrong_filter 'a number from 0 to 65535' -w '' -1 65536 0x1 x
for option in --uid --pid; do
	wrong_filter 'a number from 0 to 4294967295' $option '' -1 4294967296 root \
		99999999999999999999
done
wrong_filter 'VALUE or VALUE/MASK' -m '' / 1/ /1 x 0x 1/1/1 -1 3/1 0x100000000 1/0x100000000
wrong_filter 'a cgroup: its number, or its path' --cgroup '' nowhere 1x \
	99999999999999999999 /nowhere "$unified/nowhere" cgroup.procs "$(printf '%9999s' '')"
for option in '-s 1.1.1.1 --orig-src 2.2.2.2' '--dport 80 --dport 443' '--loop --loop' \
	'-p tcp --proto udp' '-w 1 --zone 1' '--uid 0 -p tcp --uid 1'; do
	expect_sh "flow list: $option" 1 'is given twice' "\$tool flow list $option"
done
for number in 0 -1 +1 1x 3601 '""' '" 1"' 99999999999999999999; do
	expect_sh "flow watch: interval $number" 1 'is not a number from 1 to 3600' \
		"\$tool flow watch -i $number"
done
expect_sh "flow watch: JSON" 1 'flow: watch is for terminals; list writes JSON' \
	'$tool -j flow watch'
for arguments in '' tcp 'tcp 1.2.3.4:5'; do
	expect_sh "flow get: too few words" 1 'flow: say get PROTOCOL SOURCE DESTINATION' \
		"\$tool flow get $arguments"
	expect_sh "resolve: too few words" 1 'resolve: say PROTOCOL LOCAL PEER' \
		"\$tool resolve $arguments"
done
expect_sh "flow get: too many words" 1 'unexpected argument "x"' \
	'$tool flow get tcp 1.2.3.4:5 6.7.8.9:10 x'
expect_sh "resolve: too many words" 1 'resolve: say PROTOCOL LOCAL PEER' \
	'$tool resolve tcp 1.2.3.4:5 6.7.8.9:10 x'
for command in 'flow get' resolve explain; do
	expect_sh "$command: protocol" 1 '"tpc" is no IP protocol' \
		"\$tool $command tpc 1.2.3.4:5 6.7.8.9:10"
	expect_sh "$command: no address" 1 'is not ADDRESS' "\$tool $command tcp 1.2.3:5 6.7.8.9:10"
	expect_sh "$command: any address" 1 '"*:5" leaves the address out' \
		"\$tool $command tcp '*:5' 6.7.8.9:10"
	for protocol in tcp 17; do
		expect_sh "$command: any port" 1 '"6.7.8.9" leaves the port out' \
			"\$tool $command $protocol 1.2.3.4:5 6.7.8.9"
	done
	expect_sh "$command: two families" 1 'are not of one family' \
		"\$tool $command tcp 1.2.3.4:5 '[::1]:10'"
	expect_sh "$command: the other family" 1 '"1.2.3.4:5" is not of IPv6, as -6 wants' \
		"\$tool -6 $command tcp 1.2.3.4:5 6.7.8.9:10"
	expect_sh "$command: option" 1 'option "-x" is not understood here' \
		"\$tool $command -x tcp 1.2.3.4:5 6.7.8.9:10"
	expect_sh "$command: no zone" 1 'option "-w" needs a value' "\$tool $command -w"
	for zone in '""' -1 +1 65536 0x1 1x; do
		expect_sh "$command: zone $zone" 1 'is not a number from 0 to 65535' \
			"\$tool $command -w $zone tcp 1.2.3.4:5 6.7.8.9:10"
	done
done
for option in -r --reply-port-dst --mark --state --pid --loop --stale; do
	expect_sh "monitor: $option is of flows" 1 "option \"$option\" is not understood here" \
		"\$tool monitor $option 1"
done
for option in -C -s --feature; do
	expect_sh "monitor: $option without a value" 1 "option \"$option\" needs a value" \
		"\$tool monitor $option"
done
expect_sh "monitor: feature of events" 1 'option "--feature" is not understood here' \
	'$tool flow list --feature clash'
expect_sh "monitor: address" 1 'monitor: --src "10.0.0" is not ADDRESS' \
	'$tool monitor -s 10.0.0'
for words in '' all clash,all ,clash 'clash,' clash,,stale 'clash stale' Clash; do
	expect_sh "monitor: feature $words" 1 'is none of: clash stale ports linger loopsnat' \
		"\$tool monitor --feature '$words'"
	expect_sh "monitor: decision $words" 1 'is none of: observed repicked exhausted refused' \
		"\$tool monitor --decision '$words'"
done
expect_sh "monitor: feature of the future" 1 'monitor: feature "feature-77" is none of: clash' \
	'$tool monitor --feature feature-77'
for option in '--feature clash --feature stale' '-p tcp --proto udp' '--uid 0 -C 1 --uid 0'; do
	expect_sh "monitor: $option" 1 'is given twice' "\$tool monitor $option"
done
expect_sh "monitor: count without number" 1 'option "-C" needs a value' '$tool monitor -C'
for number in 0 -1 1x '""' 99999999999999999999; do
	expect_sh "monitor: count $number" 1 'not a number above zero' "\$tool monitor -C $number"
done
expect_sh "stats: no JSON to --explain" 1 'has no JSON' '$tool -j stats --explain'
expect_sh "stats: no JSON to --prometheus" 1 'say that or -j' '$tool -j stats --prometheus'
expect_sh "stats: two formats" 1 'say that or --explain' '$tool stats --explain --prometheus'
expect_sh "stats: two formats, one before" 1 'say that or --explain' \
	'$tool --prometheus stats --explain'
expect_sh "stats: a label that is no UTF-8" 1 'name is not UTF-8' \
	'$tool -n "$(printf "a\\377")" stats --prometheus'
for command in status set reset save restore flow resolve explain monitor trace help; do
	expect_sh "$command: no metrics" 1 "$command: has nothing for --prometheus, stats has" \
		"\$tool --prometheus $command"
done

# Namespaces, and the kernel of this machine.
expect_sh "namespace unknown" 6 '/run/netns/no-such-ns: No such file' '$tool -n no-such-ns status'
expect_sh "namespace of another kind" 6 'is not a network namespace' '$tool -n ./Makefile status'
if [ -d /sys/module/nf_looptrack ]; then
	report ok "module not loaded # SKIP it is"
else
	expect_sh "module not loaded" 3 'modprobe nf_looptrack' '$tool status'
	if [ "$(id -u)" = 0 ]; then
		expect_sh "namespace by path" 3 'is not loaded' \
			'$tool -n /proc/self/ns/net status'
	fi
fi

# Answers.
expect "status: module" 0 'module     nf_looptrack 0.9.9' '' status
expect "status: namespace" 0 'namespace  current' '' status
expect "status: defaults" 0 'defaults   netns=all' '' status
expect "status: feature" 0 'clash      enforce  enforce   committed 102' '' status
expect "status: unsupported feature" 0 \
	'express    off      off       not supported by this module' '' status
expect "status: older module" 0 'listeners  off      off       not supported' few status
expect "status: counters of a feature" 0 \
	'stale      enforce  enforce   seen 111  evicted 112  shared 113' '' status
expect "status: more than fit a line" 0 \
	"$(printf '%30s' '')moved 118  exhausted 119  demuxed 120" '' status
expect "status: counters of no feature" 0 'events_lost  110
work_bounded 140
' '' status
expect_sh "status: no counter twice" 0 '=2=' 'echo "=$($fake status | grep -c "^[a-z]*_")="'
expect_sh "status: one screen" 0 '=yes=' '[ $($fake status | wc -l) -le 24 ] && echo =yes='
expect_sh "status: width" 0 '=0=' \
	'echo "=$(LOOPTRACK_FAKE=huge $fake status | grep -c ".\{80\}")="'
expect_sh "status: no counters of an unsupported feature" 0 '=0=' \
	'echo "=$(LOOPTRACK_FAKE=few $fake status | grep -c -e linger_ -e seen.121)="'
expect "status: mark" 0 \
	'passmark   off      off       mark 0x80001000/0xffffffff  seen 126  marked 127' \
	marking status
expect "status: no mark yet" 0 'passmark   off      off       seen 126  marked 127' '' status
expect "status: JSON of a mark" 0 \
	'"supported":true,"mark":2147487744,"mark_mask":4294967295}' marking -j status
expect "status: proxies" 0 \
	"off       proxy port 15001  proxy uid 4294967294
$(printf '%30s' '')proxy cgroup ${unified:+/}" 'proxied gone' status
expect "status: a cgroup that is gone" 0 '  proxy cgroup 123456789012345
' 'proxied gone' status
root=1
[ -z "$unified" ] || root=$(stat -c %i "$unified")
expect "status: JSON of proxies" 0 \
	'"proxies":[{"port":15001},{"uid":4294967294},{"cgroup":'"$root" proxied -j status
expect "status: JSON of a cgroup that is gone" 0 ',{"cgroup":123456789012345}]}' \
	'proxied gone' -j status
[ -z "$unified" ] ||
	expect "status: JSON of a cgroup" 0 '{"cgroup":'"$root"',"path":"/"}' proxied -j status
expect "status: exempt ports" 0 \
	'listeners  off      off       exempt 500  exempt 4500  exempt 27015-27020
                              seen 135  moved 136  exhausted 137  spared 138' exempted status
expect "status: no exempt port" 0 'listeners  off      off       seen 135' listening status
expect "status: JSON of exempt ports" 0 \
	'"exempt":[{"from":500},{"from":4500,"to":4500},{"from":27015,"to":27020}]}' \
	exempted -j status
expect "status: what express changes" 0 \
	"           PREROUTING and INPUT don't see packets of accepted loopback flows" \
	express status
expect_sh "status: what it does not change" 0 '=0=' 'echo "=$($fake status | grep -c INPUT)="'
expect "status: unknown feature" 0 'feature-11 off      mode-17' unknown status
expect "status: unknown counter" 0 'counter-50   150' unknown status
expect "status: unknown default" 0 'netns=netns-9' unknown status
expect "status: colour" 0 "$(printf 'clash      \033[32menforce\033[0m  enforce')" '' \
	-c always status
status='{"module":{"version":"0.9.9"},'
status+='"tool":{"version":"'$(cat ../VERSION)'"},"kernel":"'$(uname -r)'",'
status+='"netns":"current","netns_default":"all","features":['
status+='{"name":"clash","mode":"enforce","default":"enforce","supported":true},'
status+='{"name":"stale","mode":"enforce","default":"enforce","supported":true},'
expect "status: JSON" 0 "$status" \
	'' -j status
expect "status: JSON of older module" 0 \
	'{"name":"heal","mode":"off","default":"off","supported":false}],"counters":{"clash_' \
	few -j status
expect "status: pretty JSON" 0 '        "version": "0.9.9"' '' -jp status
expect "stats" 0 'clash_lost          108' '' stats
counters='{"clash_committed":102,"clash_seen":103,"clash_repicked":104,'
counters+='"clash_exhausted":105,"clash_refused":106,"clash_unable":107,"clash_lost":108,'
counters+='"clash_excluded":109,"events_lost":110,'
counters+='"stale_seen":111,"stale_evicted":112,"stale_shared":113,'
counters+='"ports_dead":114,"ports_kept":115,"ports_rewritten":116,"ports_blocked":117,'
counters+='"ports_moved":118,"ports_exhausted":119,"ports_demuxed":120,'
counters+='"linger_seen":121,"linger_evicted":122,"linger_reaped":123,'
counters+='"loopsnat_seen":124,"loopsnat_restored":125,'
counters+='"passmark_seen":126,"passmark_marked":127,'
counters+='"loopguard_seen":128,"loopguard_released":129,'
counters+='"express_seen":130,"express_spared":131,'
counters+='"origin_seen":132,"origin_noted":133,"origin_dropped":134,'
counters+='"listeners_seen":135,"listeners_moved":136,"listeners_exhausted":137,'
counters+='"listeners_spared":138,"linger_dropped":139,"work_bounded":140,'
counters+='"heal_asked":141,"heal_seen":142,"heal_evicted":143,"heal_random":144,'
counters+='"heal_again":145,"heal_helper":146,"heal_pinned":147,"heal_foreign":148,'
counters+='"heal_busy":149}'
expect "stats: no padding" 0 "$counters" \
	'' -j stats
expect "stats: unknown counter" 0 '"heal_busy":149,"counter-50":150}' unknown -j stats
expect "stats: largest integer" 0 '"clash_seen":9223372036854775807' huge -j stats
expect "stats: --explain" 0 '    New flows that lost their port and were committed' '' \
	stats --explain
expect "stats: --explain, wrapped" 0 '    the kernel chose.' '' stats --explain
expect_sh "stats: --explain knows each" 0 '=0=' \
	'echo "=$($fake stats --explain | grep -c "does not know")="'
expect "stats: --explain of an unknown counter" 0 'This tool does not know it' unknown \
	stats --explain

# Metrics, judged by Prometheus's own tool.
if ! promtool=$(../scripts/promtool) || ! [ -x "$promtool" ]; then
	report "not ok" "promtool is there"
fi
expect "stats: --prometheus, a counter" 0 'looptrack_clash_lost_total 108' '' stats --prometheus
expect "stats: --prometheus, its type" 0 '# TYPE looptrack_clash_lost_total counter' '' \
	stats --prometheus
expect "stats: --prometheus, the same words as --explain" 0 \
	"# HELP looptrack_clash_repicked_total $(
		"$fake" stats --explain | sed -n '/^clash_repicked/{n;s/^ *//p;}')" \
	'' stats --prometheus
expect "stats: --prometheus, a counter of no feature" 0 'looptrack_events_lost_total 110' '' \
	stats --prometheus
mode='looptrack_feature_mode{feature="clash",mode='
expect "stats: --prometheus, the mode" 0 "$mode\"enforce\"} 1" '' stats --prometheus
expect "stats: --prometheus, not the mode" 0 "$mode\"off\"} 0" '' stats --prometheus
expect "stats: --prometheus, the module" 0 'looptrack_info{version="0.9.9"} 1' '' stats --prometheus
expect "stats: --prometheus, largest integer" 0 'looptrack_clash_seen_total 9223372036854775807' \
	huge stats --prometheus
expect_sh "stats: --prometheus, before the command" 0 '==' \
	'$fake stats --prometheus >"'"$work"'/metrics"
	echo "=$($fake --prometheus stats | diff - "'"$work"'/metrics")="'
expect_sh "stats: --prometheus, each counter" 0 '==' 'echo "=$(
	$fake -j stats | grep -o "\"[a-z_]*\"" | tr -d \" | sort >"'"$work"'/counters"
	$fake stats --prometheus | sed -n "s/^looptrack_\(.*\)_total [0-9]*$/\1/p" | sort |
		diff "'"$work"'/counters" -)="'
expect_sh "stats: --prometheus, three modes of each feature" 0 '=33=11=' 'echo "=$(
	$fake stats --prometheus | grep -c "^looptrack_feature_mode{")=$(
	$fake stats --prometheus | grep -c "^looptrack_feature_mode{.*} 1$")="'
expect_sh "stats: --prometheus, nothing without a name" 0 '==' \
	'echo "=$(LOOPTRACK_FAKE=unknown $fake stats --prometheus | diff - "'"$work"'/metrics")="'
expect "stats: --prometheus, absent" 3 'modprobe nf_looptrack' absent stats --prometheus
expect_sh "stats: --prometheus, nothing of half an answer" 0 '==' \
	'echo "=$(LOOPTRACK_FAKE=short $fake stats --prometheus 2>/dev/null)="'
for words in '' huge few unknown marking exempted; do
	expect_sh "stats: --prometheus, promtool, $words" 0 '=0==' \
		"said=\$(LOOPTRACK_FAKE=$words \$fake stats --prometheus |
			'$promtool' check metrics 2>&1); echo \"=\$?=\$said=\""
done
if [ "$(id -u)" = 0 ]; then
	netns=$work/$(printf 'a"b\\c\nd')
	ln -s /proc/self/ns/net "$netns"
	expect "stats: --prometheus, namespace" 0 \
		'looptrack_clash_lost_total{netns="/proc/self/ns/net"} 108' '' \
		-n /proc/self/ns/net stats --prometheus
	expect "stats: --prometheus, namespace and mode" 0 \
		'{netns="/proc/self/ns/net",feature="clash",mode="off"} 0' '' \
		-n /proc/self/ns/net stats --prometheus
	expect "stats: --prometheus, a name to be escaped" 0 '/a\"b\\c\nd"} 108' '' \
		-n "$netns" stats --prometheus
	"$fake" -n "$netns" stats --prometheus >"$work/labelled"
	expect_sh "stats: --prometheus, promtool, a name to be escaped" 0 '=0==' \
		"said=\$('$promtool' check metrics <'$work/labelled' 2>&1); echo \"=\$?=\$said=\""
fi

# What is made of them.
contrib=../contrib/prometheus
expect_sh "alerts: promtool" 0 'SUCCESS' "'$promtool' check rules $contrib/alerts.yml"
expect_sh "alerts: each goes off, and only then" 0 'SUCCESS' \
	"cd $contrib && '$promtool' test rules alerts_test.yml"
expect_sh "alerts: each is tested" 0 '==' "echo \"=\$(
	sed -n 's/.*- alert: //p' $contrib/alerts.yml | sort >'$work/alerts'
	sed -n 's/.* alertname: //p' $contrib/alerts_test.yml | sort -u | diff '$work/alerts' -)=\""
# The expressions as rules, with something in the place of the dashboard's variables.
python3 - $contrib/dashboard.json >"$work/dashboard.yml" <<'PYTHON'
import json, re, sys
exprs = [target["expr"] for panel in json.load(open(sys.argv[1]))["panels"]
         for target in panel["targets"]]
rules = [{"record": f"panel:{n}", "expr": re.sub(r"\[\$\w+\]", "[5m]", expr)}
         for n, expr in enumerate(exprs)]
json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, sys.stdout)
PYTHON
expect_sh "dashboard: promtool" 0 'SUCCESS' "'$promtool' check rules '$work/dashboard.yml'"
for metric in $(grep -ohE 'looptrack_[a-z_]+' $contrib/* | sort -u); do
	expect_sh "$metric is measured" 0 "# TYPE $metric " "\$fake stats --prometheus"
done

expect "set: one message" 0 'set f0m1 f2m2' '' set ports enforce clash observe
expect "set: mark" 0 'set f4m0 f7m2v4096k65280' '' \
	set passmark enforce mark 0x1000/0xff00 loopsnat off
expect "set: largest mark" 0 'set f7m1v4294967295k4294967295' '' \
	set passmark observe mark 0xffffffff/0xffffffff
# rules COMMAND LINE...: what the command writes.
rules() { printf '%s\n' "${@:2}" >"$work/bin/$1.rules"; }
# warned NAME COUNT MARK: so many rules are told of.
warned() {
	expect_sh "set: rules of marks, $1" 0 "=$2=" "echo \"=\$(
		\$fake set passmark enforce mark $3 2>&1 |
			sed -n 's/.*, and \([0-9]*\) rule.*/\1/p')=\""
	rm -f "$work"/bin/*.rules
}
rules iptables-save '-A PREROUTING -m mark --mark 0x1 -j TPROXY --on-port 1'
expect "set: rules of marks, named" 0 \
	'  -A PREROUTING -m mark --mark 0x1 -j TPROXY --on-port 1' '' \
	set passmark enforce mark 0x1000/0x1000
expect "set: rules of marks, how to cure it" 0 'as in 0x1/0xffffefff, or choose' '' \
	set passmark enforce mark 0x1000/0x1000
expect_sh "set: rules of marks, observe" 0 '=set f7m1v4096k4096=' \
	'echo "=$($fake set passmark observe mark 0x1000/0x1000 2>&1)="'
warned iptables 1 0x1000/0x1000
rules iptables-save '-A INPUT -m mark --mark 0x1/0xff' '-A INPUT -m connmark --mark 0x1' \
	'-A INPUT -m mark ! --mark 0x1000/0x1000' '-A OUTPUT -m mark --mark 0x1' \
	'-A INPUT -m comment --comment "-m mark --mark 0x1" -j ACCEPT' ':INPUT ACCEPT [0:0]' \
	'-A INPUT -j MARK --set-xmark 0x1/0xffffffff' '-A INPUT -m mark --mark 0x1001'
warned "which are none" '' 0x1000/0x1000
rules ip6tables-legacy-save '-A odd -m mark ! --mark 0x1/0x1fff' '-A x -m mark --mark 0x0'
warned "masks and chains" 2 0x1000/0x1000
rules iptables-save '-A INPUT -m mark --mark 0x1'
rules iptables-legacy-save '-A INPUT -m mark --mark 0x1'
warned "twice" 1 0x1000/0x1000
rules nft 'table ip t {' '	chain a {' '		type filter hook input priority filter;' \
	'		meta mark 0x00000001 accept' '		meta mark == 0x1' \
	'		iif "lo" meta mark != 1 drop' '		meta mark { 0x1001, 0x2 } accept' \
	'		meta mark vmap { 0x00000001 : accept, 0x00000002 : drop }' \
	'		meta mark & 0x00001001 == 0x00000001' '		meta mark @some' \
	'		ip saddr . meta mark { 1.2.3.4 . 0x1 }' '	}' '}'
warned "nft" 8 0x1000/0x1000
rules nft 'table ip t {' '	chain a {' '		type filter hook output priority filter;' \
	'		meta mark 0x00000001 accept' '	}' '	chain b {' \
	'		type filter hook prerouting priority raw;' \
	'		meta mark set 0x00000001' '		ct mark 0x00000001' \
	'		meta mark & 0x00001000 == 0x00000000 counter' \
	'		meta mark & 0x000000ff == 0x00000001 counter' \
	'		meta mark set meta mark | 0x00000001' '		ct mark set meta mark' \
	'		meta mark 0x1001 comment "meta mark 0x1"' '	}' '}'
warned "nft, which are none" '' 0x1000/0x1000
rules nft "$(printf '\tmeta mark %s\n' 1 2 3 4 5 6 7)"
expect "set: rules of marks, more than are named" 0 '  and 2 more' '' \
	set passmark enforce mark 0x1000/0x1000
rules nft "$(printf '\tmeta mark 1 comment "\033[2J"')"
expect "set: rules of marks, a comment that nobody should see" 0 'comment "?[2J"' '' \
	set passmark enforce mark 0x1000/0x1000
rm -f "$work"/bin/*.rules
expect_sh "set: rules of marks, nobody to ask" 0 'the rules were not read: neither' \
	"PATH='$work/none' \$fake set passmark enforce mark 1/1"
expect_sh "set: rules of marks, all is well" 0 '=set f7m2v1k1=' \
	'echo "=$($fake set passmark enforce mark 1/1 2>&1)="'
printf '#!/bin/sh\nexec /bin/sleep 100\n' >"$work/none/nft"
printf '#!/bin/sh\nexit 1\n' >"$work/none/iptables-save"
chmod +x "$work/none/nft" "$work/none/iptables-save"
expect_sh "set: rules of marks, commands that fail or hang" 0 'the rules were not read: neither' \
	"PATH='$work/none' \$fake set passmark enforce mark 1/1"
expect "set: mark 0" 0 'set f0m0 f7m2v0k1' '' set passmark enforce mark 0/1 clash off
expect "set: proxies" 0 'set f5m2p15001u1337c42' '' \
	set loopguard enforce proxy port 15001 proxy uid 1337 proxy cgroup 42
expect "set: largest proxies" 0 'set f0m0 f5m1p65535u4294967294c18446744073709551615' '' \
	set loopguard observe proxy port 65535 proxy uid 4294967294 \
	proxy cgroup 18446744073709551615 clash off
expect "set: a proxy of root" 0 'set f5m1u0' '' set loopguard observe proxy uid 0
expect "set: no proxy" 0 'set f0m0 f5m0n f7m0' '' \
	set passmark off loopguard off proxy none clash off
expect "set: eight proxies" 0 'set f5m1u1u2u3u4u5u6u7u8' '' \
	set loopguard observe proxy uid 1 proxy uid 2 proxy uid 3 proxy uid 4 \
	proxy uid 5 proxy uid 6 proxy uid 7 proxy uid 8
expect "set: exempt ports" 0 'set f0m0 f9m2e500e4500e27015-27020' '' \
	set listeners enforce exempt 500 exempt 4500-4500 exempt 27015-27020 clash off
expect "set: largest exempt ports" 0 'set f9m1e1-65535e65535' '' \
	set listeners observe exempt 1-65535 exempt 65535
expect "set: no exempt port" 0 'set f0m0 f9m0x' '' set listeners off exempt none clash off
mapfile -t sixteen < <(printf 'exempt\n%s\n' {1..16})
expect "set: sixteen exempt ports" 0 'e14e15e16
' '' set listeners enforce "${sixteen[@]}"
for cgroup in ${unified:+/ "$unified" "$unified/"}; do
	expect "set: proxy cgroup $cgroup" 0 "set f5m1c$root" '' \
		set loopguard observe proxy cgroup "$cgroup"
done
[ -n "$unified" ] || report ok "set: proxy by path # SKIP no unified hierarchy of cgroups"
expect "save" 0 'passmark   off mark 0x80001000/0xffffffff' marking save
expect_sh "save: each supported feature" 0 '=clash stale ports linger origin passmark =' \
	'echo "=$($fake save | sed -n "s/^\([a-z]*\)  *[a-z]*$/\1/p" | tr "\n" " ")="'
expect_sh "save: a comment says what it is" 0 '# Written by looptrack save' '$fake save | head -n 1'
expect_sh "save: no mark yet" 0 '=passmark   off=' 'echo "=$($fake save | grep passmark)="'
expect "save: a feature of the future" 5 '"feature-11 off" is of a module newer than this tool' \
	'unknown future' save
expect_sh "save: nothing of half a configuration" 0 '==' \
	'echo "=$(LOOPTRACK_FAKE="unknown future" $fake save 2>/dev/null)="'
expect "save: unsupported feature of the future" 0 'passmark   off' unknown save
expect "save: no features at all" 5 'its answer is not understood' bare save
expect "save: JSON's home without features" 5 'its answer is not understood' bare -j status
expect "save: no proxy" 0 'loopguard  off proxy none' guarding save
expect "save: no exempt port" 0 'listeners  off exempt none' listening save
expect "save: exempt ports" 0 'listeners  off exempt 500 exempt 4500 exempt 27015-27020' exempted \
	save
expect "save: a cgroup that is gone" 7 \
	'save: cgroup 123456789012345 is gone or cannot be seen: name the proxies again' \
	'proxied gone' save
expect_sh "save: nothing, if a cgroup is gone" 0 '==' \
	'echo "=$(LOOPTRACK_FAKE="proxied gone" $fake save 2>/dev/null)="'

# restores NAME TEXT CONTENTS: one message is sent, and it is TEXT.
restores() {
	printf '%b' "$3" >"$work/conf"
	expect_sh "restore: $1" 0 "=$2=" "echo \"=\$(\$fake restore '$work/conf' 2>&1)=\""
}
restores "one message" 'set f0m1 f2m2' 'ports enforce\nclash observe\n'
restores "mark" 'set f7m2v4096k65280' 'passmark enforce mark 0x1000/0xff00\n'
restores "comments, blanks" 'set f0m0 f1m2' '# x\n\n \t\n\tclash\t off # y\nstale enforce#z\n'
restores "no newline at the end" 'set f0m0' 'clash off'
restores "lines as others end them" 'set f0m0 f1m1' 'clash off\r\nstale observe\r\n'
restores "proxies" 'set f0m0 f5m2p15001u1337c42' \
	'loopguard enforce proxy port 15001 proxy uid 1337 proxy cgroup 42\nclash off\n'
restores "no proxy" 'set f5m1n' 'loopguard observe proxy none\n'
restores "exempt ports" 'set f0m0 f9m2e500e27015-27020' \
	'listeners enforce exempt 500 exempt 27015-27020\nclash off\n'
restores "no exempt port" 'set f9m1x' 'listeners observe exempt none\n'
restores "as set has it" 'set f0m0 f1m1 f7m1v1k1' \
	'passmark observe mark 1/1 clash off\nstale observe\n'
restores "as long as it may be" 'set f0m0' "clash off\n$(printf '#%65524s' '')\n"
expect_sh "restore: what was saved" 0 '=set f0m2 f1m2 f2m2 f3m2 f6m2 f7m0v2147487744k4294967295=' \
	'echo "=$(LOOPTRACK_FAKE=marking $fake save | $fake restore 2>&1)="'
modes='f0m2 f1m2 f2m2 f3m2'
expect_sh "restore: no proxy, as was saved" 0 "=set $modes f5m0n f6m2 f7m0=" \
	'echo "=$(LOOPTRACK_FAKE=guarding $fake save | $fake restore 2>&1)="'
expect_sh "restore: exempt ports, as was saved" 0 \
	"=set $modes f6m2 f7m0 f9m0e500e4500e27015-27020=" \
	'echo "=$(LOOPTRACK_FAKE=exempted $fake save | $fake restore 2>&1)="'
expect_sh "restore: no exempt port, as was saved" 0 "=set $modes f6m2 f7m0 f9m0x=" \
	'echo "=$(LOOPTRACK_FAKE=listening $fake save | $fake restore 2>&1)="'
# The topmost cgroup, and one whose name is no word.
below=$unified/looptrack-$$
if [ -z "$unified" ]; then
	report ok "save, restore: proxies # SKIP no unified hierarchy of cgroups"
else
	expect "save: proxies" 0 \
		'loopguard  off proxy port 15001 proxy uid 4294967294 proxy cgroup /' proxied save
	expect_sh "restore: proxies, as was saved" 0 \
		"=set $modes f5m0p15001u4294967294c$root f6m2 f7m0=" \
		'echo "=$(LOOPTRACK_FAKE=proxied $fake save | $fake restore 2>&1)="'
fi
if [ -z "$unified" ] || ! mkdir "$below" 2>/dev/null; then
	report ok "save, restore: a cgroup made for it # SKIP it cannot be made"
else
	LOOPTRACK_CGROUP=$below LOOPTRACK_FAKE=proxied "$fake" save >"$work/saved" 2>&1
	expect_sh "restore: a cgroup, as was saved" 0 \
		"u4294967294c$(stat -c %i "$below") f6m2 f7m0" "\$fake restore '$work/saved'"
	rmdir "$below"
	expect_sh "restore: a cgroup that is gone" 1 \
		"looptrack: $work/saved:6: there is no cgroup \"/${below##*/}\"; start its" \
		"\$fake restore '$work/saved'"
	for odd in 'a b' 'a#b' 'a	b'; do
		mkdir "$below$odd"
		LOOPTRACK_CGROUP="$below$odd" expect "save: a cgroup named $odd" 7 \
			'has a blank or # in its name: name one above it' proxied save
		rmdir "$below$odd"
	done
fi
expect_sh "restore: -" 0 'set f0m0' 'echo clash off | $fake restore -'
printf '# One\nclash off\n\nstale observe\n' >"$work/conf"
expect "restore: refused, line named" 2 \
	'conf:4: the kernel refused: this module cannot do that (attribute feature.mode in "stale' \
	refusing restore "$work/conf"
expect "restore: refused, line of a nest named" 2 'conf:4: the kernel refused' \
	"refusing whole" restore "$work/conf"
expect "restore: refused without a word" 2 'looptrack: the kernel refused: Invalid argument' \
	stern restore "$work/conf"
expect "restore: without privilege" 4 'needs CAP_NET_ADMIN' unprivileged restore "$work/conf"
expect "restore: absent" 3 'modprobe nf_looptrack' absent restore "$work/conf"
expect "restore: namespace unknown" 6 '/run/netns/no-such-ns' '' \
	-n no-such-ns restore "$work/conf"
if [ "$(id -u)" = 0 ]; then
	expect "restore: namespace by path" 0 'set f0m0 f1m1' '' \
		-n /proc/self/ns/net restore "$work/conf"
fi
expect "reset" 0 '' '' reset
expect "a warning" 0 'the kernel warns: take care' warning reset

# Refusals.
expect "absent" 3 'modprobe nf_looptrack' absent status
expect "newer" 5 'newer than this tool (protocol 2, not 1): upgrade the tool' newer status
expect "older" 5 'older than this tool (protocol 0, not 1): reload the module' older status
expect "without privilege" 4 'needs CAP_NET_ADMIN in the user namespace' unprivileged reset
expect "trace: says so" 0 'looptrack: tracing tcp * -> [::1]:80, until interrupted' traced \
	trace tcp '*' '[::1]:80'
expect "trace: any" 0 'trace 6
' traced trace tcp '*' '*'
expect "trace: IPv4" 0 'trace 17 1:0a010002 2:0a090001 6:0035' traced \
	trace udp 10.1.0.2 10.9.0.1:53
expect "trace: IPv6" 0 \
	'trace 6 3:20010db8000000000000000000000002 4:00000000000000000000000000000001 6:0050' \
	traced trace 6 2001:db8::2 '[::1]:80'
expect "trace: what has no ports may have 0" 0 'trace 1 1:0a090001 5:004d 2:0a010002
' traced trace icmp 10.9.0.1:77 10.1.0.2:0
expect "trace: ports" 0 'trace 132 5:1f90 6:0050' traced trace sctp '*:8080' '*:80'
expect "trace: first stage" 0 \
	'56 - output      start     10.1.0.2:1024 -> 10.9.0.1:80 syn,ack none out lo' \
	traced trace tcp '*' '*'
line='08:31:02.123456 1 output      dstnat    10.1.0.2:1024 -> 127.0.0.1:7000 syn,ack'
line+=' new committed answers 127.0.0.1:7000 -> 10.1.0.2:1024'
expect "trace: a device with a name that anybody chose" 0 'none out a?[2J' 'traced renamed' \
	trace tcp '*' '*'
expect "trace: NAT" 0 "$line" traced trace tcp '*' '*'
expect "trace: second pass" 0 \
	'2 prerouting  start     10.1.0.2:1024 -> 127.0.0.1:7000 syn,ack new committed mark 0x' \
	traced trace tcp '*' '*'
expect "trace: of the future" 0 'hook-9      stage-17  10.1.0.2' traced trace tcp '*' '*'
expect_sh "trace: what is not new" 0 '=4=5=' \
	'echo "=$(LOOPTRACK_FAKE=traced $fake trace tcp "*" "*" 2>/dev/null | wc -l)=$(
	LOOPTRACK_FAKE=traced $fake trace -a tcp "*" "*" 2>/dev/null | wc -l)="'
expect_sh "trace: count of packets" 0 '=3=4=' \
	'echo "=$(LOOPTRACK_FAKE="traced ended" $fake trace -C 1 tcp "*" "*" 2>/dev/null | wc -l)=$(
	LOOPTRACK_FAKE="traced ended" $fake trace tcp "*" "*" 2>/dev/null | wc -l)="'
expect "trace: decision" 0 \
	'08:31:02.123456 ! stale evicted tcp 10.1.0.2:1024 -> 10.9.0.1:80' 'traced decided' \
	trace tcp '*' 10.9.0.1:80
expect "trace: decision, from the other side" 0 '! stale evicted tcp 10.1.0.2:1024' \
	'traced decided' trace tcp 10.9.0.1 10.1.0.2
expect_sh "trace: decisions about other flows" 0 '=0=0=1=1=2=' \
	'echo "=$(for flow in "tcp * 10.9.0.1:81" "udp * *" "tcp ::1 *" "-4 tcp * *" "tcp * *"; do
		set -f -- $flow
		family=; [ "$1" != -4 ] || { family=-4; shift; }
		LOOPTRACK_FAKE="traced decided" $fake $family trace $1 $2 $3 2>/dev/null |
			grep -c "! "
	done | tr "\n" =)"'
expect "trace: JSON of a decision" 0 '{"event":{"time":"2026-' 'traced decided' -j trace tcp '*' '*'
expect "trace: packets that come before the answer, and instead" 0 'dstnat    10.1.0.2:1024' \
	'traced flooded' trace tcp '*' '*'
expect "trace: loss" 0 '5 stages were lost' 'traced lost' trace tcp '*' '*'
expect "trace: JSON" 0 '"hook":"output","stage":"dstnat","pass":1,"packet":77,"length":60' \
	traced -j trace tcp '*' '*'
expect "trace: dropped" 0 \
	'# dropped in prerouting, between start and raw: NO_SOCKET (tcp_v4_rcv), 10.1.0.2:1' \
	'traced dropped' trace tcp '*' '*'
expect "trace: dropped behind the end" 0 \
	'# dropped behind the end of input: NO_SOCKET (tcp_v4_rcv), 10.1.0.2:1024 -> 127.0.0.1:7000
' 'traced ended dropped' trace tcp '*' '*'
expect "trace: dropped by a function without a name" 0 'start and raw: NO_SOCKET, 10.1.0.2:1024' \
	'traced dropped nameless' trace tcp '*' '*'
expect "trace: dropped for a reason with odd letters" 0 'and raw: a?[2J (tcp_v4_rcv), 10.1' \
	'traced dropped renamed' trace tcp '*' '*'
expect "trace: dropped without a reason" 0 \
	'# freed in prerouting, between start and raw: the kernel gives no reason (tcp_v4_rcv)' \
	'traced dropped unreasoned' trace tcp '*' '*'
expect "trace: dropped, and loss" 0 '5 stages were lost
                # dropped in prerouting' 'traced dropped lost' trace tcp '*' '*'
expect "trace: dropped, and no packet is known" 0 '# dropped in prerouting, between' \
	'traced dropped strange' trace tcp '*' '*'
expect "trace: dropped, JSON" 0 \
	'123999999+00:00","packet":77,"flow":{"src":"10.1.0.2","dst":"127.0.0.1","spo' \
	'traced dropped' -j trace tcp '*' '*'
expect "trace: dropped, JSON of place and reason" 0 \
	'"reason":"NO_SOCKET","function":"tcp_v4_rcv","hook":"prerouting","stage":"start",' \
	'traced dropped' -j trace tcp '*' '*'
# How many packets are said to be dropped, or freed, or not to be seen any more.
drops() {
	expect_sh "trace: drops: $2: $3" 0 "=$1=" \
		"echo \"=\$(LOOPTRACK_FAKE='traced $2' timeout 20 \$fake trace $3 tcp '*' '*' \
			2>/dev/null | grep -cE '# (dropped|freed)|last seen')=\""
}
drops 1 dropped ''
drops 1 dropped '-C 1'
drops 0 'dropped unreasoned ended' ''
drops 1 'dropped unreasoned' '-C 1'
drops 0 'dropped -6' '-6'
queues='queues 0 (3 waiting), 2053 (0 waiting)'
lost='the kernel drops all packets that wait in a queue; to trace all the same say --force'
expect "trace: a queue" 2 \
	"trace: the namespace has NFQUEUE $queues: when the trace ends, $lost" \
	'traced queued' trace tcp '*' '*'
expect_sh "trace: a queue, and nothing is traced" 0 '=0=' \
	'echo "=$(LOOPTRACK_FAKE="traced queued" $fake trace tcp "*" "*" 2>&1 |
		grep -c "^trace ")="'
expect "trace: many queues" 2 '6 (6 waiting), 7 (7 waiting) and 4 more: when' \
	'traced queueing' trace tcp '*' '*'
expect "trace: a queue, and --force" 0 'trace 6
' 'traced queued' trace --force tcp '*' '*'
expect "trace: no queue yet" 0 'trace 6
' 'traced queueless' trace tcp '*' '*'
expect "trace: queues that cannot be read" 2 'nfnetlink_queue: Permission denied; if packets wait' \
	'traced veiled' trace tcp '*' '*'
expect "trace: without privilege, and a queue" 4 'needs CAP_NET_ADMIN' 'unprivileged queued' \
	trace tcp '*' '*'
cat >"$work/bin/nft.rules" <<-'EOT'
	table inet fw { # handle 1
		chain out { # handle 2
			type filter hook output priority -290; policy accept;
			meta mark vmap { 1 : accept,
					 2 : drop } comment "# handle 9" # handle 4
			tcp dport 80 drop # handle 14
		}
	}
EOT
rules=(trace --rules tcp '*' '*')
where='rule 4 of table inet fw chain out: meta mark vmap { 1 : accept, 2 : drop }'
expect "trace: rules: table" 0 'table of family 1 with 2 rules' 'traced ruled' "${rules[@]}"
expect "trace: rules: table for a flow" 0 'table of family 2 with 8 rules' 'traced ruled' \
	trace --rules tcp '*' 10.9.0.1:80
for words in tracked watching4; do
	expect "trace: rules: table that matches entries, $words" 0 \
		'table of family 2 with 24 rules' "traced ruled $words" \
		trace --rules tcp '*' 10.9.0.1:80
done
expect "trace: rules: table that does not match entries of IPv6" 0 \
	'table of family 10 with 8 rules' 'traced ruled watching4' trace --rules tcp '*' '[::1]:80'
expect_sh "trace: the other family" 1 '"::1" is not of IPv4, as -4 wants' \
	'$tool -4 trace tcp ::1 "*"'
expect "trace: rules: -6 says it, too" 0 'table of family 10 with 8 rules' \
	'traced ruled watching4' -6 trace --rules tcp '*' '*:80'
expect "trace: rules: table of both families" 0 'table of family 1 with 8 rules' \
	'traced ruled watching4' trace --rules tcp '*' '*:80'
expect "trace: rules: table of both families that matches entries" 0 \
	'table of family 1 with 24 rules' 'traced ruled tracked' trace --rules tcp '*' '*:80'
expect "trace: rules: iptables-legacy" 2 \
	'iptables-legacy has tables here (IPv4 nat, fil?ter), and with --rules the kernel would' \
	'traced ruled legacy' "${rules[@]}"
expect_sh "trace: rules: iptables-legacy, and nothing is traced" 0 '=0=' \
	'echo "=$(LOOPTRACK_FAKE="traced ruled legacy" $fake trace --rules tcp "*" "*" 2>&1 |
		grep -c -e "^trace " -e "^table ")="'
expect "trace: rules: iptables-legacy, --force" 0 'fil?ter): the kernel logs each traced packet' \
	'traced ruled legacy' trace --force --rules tcp '*' '*'
expect "trace: rules: iptables-legacy, --force, and it is traced" 0 'trace 6
' 'traced ruled legacy' trace --force --rules tcp '*' '*'
expect "explain: rules: iptables-legacy" 2 \
	'explain: iptables-legacy has tables here (IPv4 nat, fil?ter), and with --rules' \
	'ruled legacy' explain --rules tcp 10.1.0.2:40000 203.0.113.1:80
expect "explain: rules: iptables-legacy, --force" 0 'the kernel logs each traced packet' \
	'ruled legacy' explain --rules --force tcp 10.1.0.2:40000 203.0.113.1:80
expect "explain: rules: those of other packets are not told" 0 \
	'           No rule in the NAT chains of nf_tables matches it.' ruled \
	explain --rules tcp 10.1.0.2:40000 203.0.113.1:80
expect "trace: no rules, and iptables-legacy" 0 'trace 6
' 'traced legacy' trace tcp '*' '*'
expect "trace: rules: iptables-legacy that cannot be read" 2 \
	'cannot read /proc/net/ip6_tables_names: Permission denied; if iptables-legacy' \
	'traced ruled shrouded' "${rules[@]}"
expect "trace: rules: text" 0 "# output      $where comment \"# handle 9\" (continue)" \
	'traced ruled' "${rules[@]}"
expect "trace: rules: text that is not known, odd target" 0 \
	'# prerouting  rule 6 of table inet fw chain pre (its text is not known) (jump a?b)' \
	'traced ruled' "${rules[@]}"
for word in replaced relisted; do
	expect "trace: rules: text of rules that were $word" 0 \
		'# output      rule 4 of table inet fw chain out (its text is not known: rules' \
		"traced ruled $word" "${rules[@]}"
	expect_sh "trace: rules: text of rules that were $word, JSON" 0 '=1=' \
		"echo =\$(LOOPTRACK_FAKE='traced ruled $word' \$fake -j trace --rules tcp '*' '*' \
			2>/dev/null | grep 'chain\":\"out\"' | grep -v '\"text\"' |
			grep -c '\"is_replaced\":true')="
done
expect "trace: rules: dropped" 0 \
	'# dropped in prerouting by rule 14 of table inet fw chain pre: tcp dport 80 drop' \
	'traced ruled' "${rules[@]}"
expect "trace: rules: dropped by a policy" 0 \
	'# dropped in prerouting by the policy of table inet fw chain pre' 'traced ruled policed' \
	"${rules[@]}"
# What a rule has dropped the kernel has dropped, too: that is one end.
drops 1 'ruled dropped filtered' '--rules'
drops 1 'ruled dropped filtered' '--rules -C 1'
drops 1 'ruled dropped' '--rules'
drops 1 'ruled dropped filtered policed' '--rules'
# Stages and rules, as "HOOK STAGE" and "HOOK rule HANDLE".
order='s/^[^-12#]*(08:31:02.123456)? *[-12#] //; s/^([a-z]+ +[a-z]+( [0-9]+ of)?).*/\1/'
order+='; s/ of$//; s/  +/ /'
expect_sh "trace: rules: order" 0 '=output start,output rule 4,output dstnat,prerouting start,'\
'prerouting rule 6,prerouting rule 14,dropped in=' \
	"echo \"=\$(LOOPTRACK_FAKE='traced ruled' \$fake trace --rules -C 1 tcp '*' '*' \
		2>/dev/null | sed -E '$order' | paste -sd,)=\""
line='{"kind":"rule","hook":"output","stage":"raw","family":"inet","table":"fw","chain":"out",'
expect "trace: rules: JSON" 0 "$line\"handle\":4," 'traced ruled' -j "${rules[@]}"
expect "trace: rules: JSON of an end" 0 '{"kind":"end","result":"dropped","time":"2026-' \
	'traced ruled' -j "${rules[@]}"
expect "trace: rules: loss" 0 'some rules were lost' 'traced ruled drowned' "${rules[@]}"
expect "trace: rules: loss, and a packet that may have met what was lost" 0 \
	'; messages were lost, so that it may have met a rule, or gone on' 'traced ruled cut' \
	"${rules[@]}"
expect_sh "trace: rules: loss, and what no packet is known of" 0 '=0=1=' \
	"LOOPTRACK_FAKE='traced ruled cut' \$fake trace --rules tcp '*' '*' >'$work/cut' 2>&1
	echo =\$(grep -c 'rule 14' '$work/cut')=\$(grep -c 'some rules were lost' '$work/cut')="
expect "trace: rules: loss, JSON of an end" 0 '"result":"lost","is_doubtful":true' \
	'traced ruled cut' -j "${rules[@]}"
expect "trace: rules: no nf_tables" 7 'trace: --rules needs nf_tables, which the kernel' \
	'traced ruled untabled' "${rules[@]}"
expect "trace: rules: not permitted" 4 'trace: --rules needs CAP_NET_ADMIN' \
	'traced ruled barred' "${rules[@]}"
rm "$work/bin/nft.rules"
expect "trace without privilege" 4 'needs CAP_NET_ADMIN' unprivileged trace tcp '*' '*'
expect "trace: older module" 5 'older than this tool' lame trace tcp '*' '*'
expect "monitor without privilege" 4 'needs CAP_NET_ADMIN' unprivileged monitor
expect "monitor without group" 5 'reload the module' mute monitor
expect "command missing" 5 'does not know this command' lame reset
expect "attribute missing" 5 'wants attribute 3' demanding reset
expect "answer lacking an attribute" 5 'its answer is not understood' lacking status
expect "answer with a wrong length" 5 'its answer is not understood' short stats
expect "no answer" 5 'its answer is not understood' silent stats
expect "refused without a word" 2 'the kernel refused: Invalid argument' stern reset
expect "refused, attribute named" 2 \
	'refused: this module cannot do that (attribute feature.mode in "stale observe")' \
	refusing set clash off stale observe
expect "refused, nest named" 2 '(attribute feature in "stale observe")' \
	"refusing whole" set clash off stale observe
expect "refused, request repeated" 2 '(attribute feature.mode in "stale observe")' \
	"refusing uncapped" set clash off stale observe

# Flows. Of those in the fake kernel, these are listed.
flows() {
	expect_sh "flow list $1" 0 "=$2=" "echo \"=\$(\$fake $3 flow list $1 | sed '
		s/^tcp established.*/redirected/; s/^tcp time-wait.*/plain/; s/^udp.*/rewritten/
		s/^icmp.*/ping/; s/^253.*/future/' | paste -sd ' ')=\""
}
redirected='tcp established 10.1.0.2:40000 -> 203.0.113.1:80 '
redirected+='answers 127.0.0.1:7000 -> 10.1.0.2:40000 loopback timeout 431999 mark 0x1001 '
redirected+='first 5/300 4/250 second 3/200 2/150 client established uid 1000 '
redirected+='server established uid 65534 owner curl[4711] uid 1000 gid 100 cgroup 4321'
expect "flow list: all there is" 0 "$redirected" '' flow list
rewritten='udp [2001:db8::2]:1024 -> [2001:db8:9::1]:53 '
rewritten+='answers [2001:db8:9::1]:53 -> [2001:db8::2]:2048 rewritten stale timeout 29 '
rewritten+='zone 5 owner uid 0'
expect "flow list: IPv6, zone, no process" 0 "$rewritten
" '' flow list
expect "flow list: plain" 0 'tcp time-wait 10.1.0.3:1024 -> 10.9.0.1:443 timeout 119
' '' flow list
expect "flow list: ICMP" 0 'icmp 10.1.0.2:77 -> 10.9.0.1:2048 timeout 30
' '' flow list
expect "flow list: of the future" 0 '253 state-77 10.1.0.4:0 -> 10.9.0.1:0 client state-88 uid' '' \
	flow list
expect "flow list: a name chosen with care" 0 'owner ?[2J?"??? uid 4294967295' '' flow list
expect "flow list: JSON of that name" 0 '"comm":"?[2J?\"???"' '' -j flow list
expect "flow list: JSON of the future" 0 '"protocol":"253","zone":0' '' -j flow list
expect "flow list: stale is coloured" 0 "$(printf '\033[31mstale\033[0m timeout')" '' \
	-c always flow list
expect "flow: list is what it does" 0 "$redirected" '' flow
flows '' 'redirected rewritten plain ping future'
flows '' 'redirected plain ping future' -4
flows '' 'rewritten' -6
flows '-s 10.1.0.2' 'redirected ping'
flows '--src 10.1.0.0/30' 'redirected plain ping'
flows '--src 10.1.0.3/31' 'redirected plain ping'
flows '--orig-src 0.0.0.0/0' 'redirected plain ping future'
flows '--orig-src 2001:db8::/29' 'rewritten'
flows '--src ::/0' 'rewritten'
flows '-d 203.0.113.1/32' 'redirected'
flows '--dst 2001:db8:9::1' 'rewritten'
flows '--orig-dst 10.9.0.1' 'plain ping future'
flows '-r 127.0.0.0/8' 'redirected'
flows '--reply-src 10.9.0.1' 'plain ping future'
flows '-q 10.1.0.4' 'future'
flows '--reply-dst 10.1.0.4/32' 'future'
flows '-p tcp' 'redirected plain'
flows '-p 6' 'redirected plain'
flows '--proto UDP' 'rewritten' ''
flows '-p icmp' 'ping'
flows '-p icmpv6' ''
flows '-p 253' 'future'
flows '-p sctp' ''
flows '--sport 1024' 'rewritten plain'
flows '--orig-port-src 40000' 'redirected'
flows '--dport 53' 'rewritten'
flows '--dport 0' 'future'
flows '--reply-port-dst 0' 'ping future'
flows '-s ::ffff:10.1.0.2' 'redirected ping'
flows '-s ::ffff:10.1.0.2/128' 'redirected ping'
flows '--orig-port-dst 443' 'plain'
flows '--reply-port-src 7000' 'redirected'
flows '--reply-port-dst 2048' 'rewritten'
flows '-w 5' 'rewritten'
flows '--zone 0' 'redirected plain ping future'
flows '-m 0x1001' 'redirected'
flows '--mark 0x1000/0x1000' 'redirected'
flows '--mark 0/0x10' 'redirected rewritten plain ping future'
flows '--mark 0' 'rewritten plain ping future'
flows '--mark 010001' 'redirected'
flows '--state established' 'redirected'
flows '--state TIME_WAIT' 'plain'
flows '--state none' ''
flows '--uid 1000' 'redirected'
flows '--uid 0' 'rewritten'
flows '--uid 01000' 'redirected'
flows '--uid 4294967295' 'future'
flows '--pid 4711' 'redirected'
flows '--pid 0' ''
flows '--cgroup 4321' 'redirected future'
flows '--cgroup 1' ''
flows '--loop' 'redirected'
flows '--implicit-snat' 'rewritten'
flows '--stale' 'rewritten'
flows '-p tcp --uid 1000 --loop -s 10.0.0.0/8' 'redirected'
flows '--loop --stale' ''
if stat /sys/fs/cgroup/cgroup.procs >/dev/null 2>&1; then
	flows '--cgroup /' '' && flows '--cgroup /sys/fs/cgroup/' ''
else
	report ok "flow list: cgroup by path # SKIP there is none"
fi
flow='{"protocol":"tcp","zone":0,"original":{"src":"10.1.0.2","dst":"203.0.113.1",'
flow+='"sport":40000,"dport":80},"reply":{"src":"127.0.0.1","dst":"10.1.0.2","sport":7000,'
flow+='"dport":40000},"status":430,"tcp_state":"established","timeout":431999,"mark":4097,'
flow+='"first_original":{"packets":5,"bytes":300},"first_reply":{"packets":4,"bytes":250},'
flow+='"second_original":{"packets":3,"bytes":200},"second_reply":{"packets":2,"bytes":150},'
flow+='"is_loopback":true,"client":{"state":"established","cookie":12,"uid":1000},'
flow+='"server":{"state":"established","uid":65534},"owner":{"cookie":12,"uid":1000,"pid":4711,'
flow+='"gid":100,"comm":"curl","cgroup":4321,"since":"2026-11-22T08:31:02.123456789+00:00"},'
flow+='"is_rewritten":false,"is_stale":false}'
expect "flow list: JSON" 0 "[$flow," '' -j flow list
expect "flow list: JSON of one" 0 "[$flow]" '' -j flow list --loop
expect "flow list: JSON of none" 0 '[]' flowless -j flow list
expect "flow list: JSON of none that is wanted" 0 '[]' '' -j flow list -p sctp
expect "flow list: pretty JSON" 0 '        "sport": 1024,' '' -jp flow list
expect "flow list: none" 0 '' flowless flow list
# valid NAME ARGUMENTS: a JSON array of so many.
valid() {
	expect_sh "$1" 0 "=$2=" "echo \"=\$(\$fake $3 | /usr/bin/python3 -c '
import json, sys
print(len(json.load(sys.stdin)))')=\""
}
# watched: what is on the screen when the first list is complete and Ctrl-C is pressed;
# not the screen of the time before. timeout(1) is of no use here: it passes no signal
# on before it knows that it has a child.
watched=': >'"$work/watched"'; $fake flow watch >'"$work/watched"' & pid=$! i=0
	{ sleep 20; kill -KILL $pid; } >/dev/null 2>&1 & killer=$!
	until grep -q "every 2 s" '"$work/watched"' || [ $i = 200 ]; do
		sleep 0.05
		i=$((i + 1))
	done
	kill -INT $pid; wait $pid; code=$?; kill $killer
	tr "\033" "@" <'"$work/watched"'; exit $code'
expect_sh "flow watch: until it is interrupted" 0 '5 flows, every 2 s@[?7h' "$watched"
expect_sh "flow watch: a screen of its own" 0 '@[H@[J@[?7ltcp' "$watched"
expect_sh "flow watch: not for JSON" 1 'watch is for terminals' '$fake -j flow watch'
expect_sh "flow watch: nothing is cleared if there is nobody to ask" 0 '=@[?7h=' \
	'echo "=$(LOOPTRACK_FAKE=absent $fake flow watch 2>/dev/null | tr "\033" "@")="'
expect "flow watch: nobody to ask" 3 'module nf_looptrack is not loaded' absent flow watch
valid "flow list: JSON that others understand" 5 '-j flow list'
valid "flow list: pretty JSON that others understand" 5 '-jp flow list'
LOOPTRACK_FAKE=many valid "flow list: a long one" 3000 '-j flow list'

# Audits: one finding of each kind, by a word for what is odd about it.
expect "audit: nothing" 0 '0 findings; 0 flows and 6 sockets compared
' 'audited flowless' audit
expect "audit: JSON of nothing" 0 '[]' 'audited flowless' -j audit
expect "audit: a sum" 8 ': 1 stale, 1 orphaned, 1 reversed, 1 missing, 1 shadowed, 1 snat-range;' \
	audited audit
expect "audit: how much was compared" 8 '; 7 flows and 6 sockets compared
' audited audit
line='orphaned tcp established 127.0.0.1:40001 -> 203.0.113.1:80 answers 127.0.0.1:7000 -> '
line+='127.0.0.1:40001 loopback stale timeout 98 owner curl[4711] uid 1000 gid 100 cgroup 4321
    cause: both ends are on this host, and neither has a socket any more
    remedy: remove the entry; with linger enforced it goes soon after the last socket
'
# found NAME CODE TEXT WORDS ARGUMENTS...: an audit of a kernel as WORDS say writes all TEXT.
found() {
	name=$1 code=$2 text=$3 words=$4
	shift 4
	expect_sh "audit: $name" "$code" "$text" "LOOPTRACK_FAKE='audited $words' \$fake $* 2>&1 |
		tr -s '\\n ' ' '; LOOPTRACK_FAKE='audited $words' \$fake $* >/dev/null 2>&1"
}
found orphaned 8 "$(tr -s '\n ' ' ' <<<"$line")" '' audit
found "orphaned, removed" 0 \
	'removed 1 finding: 1 orphaned; 7 flows and 6 sockets compared; 1 fixed' '' \
	audit --fix --loop --dport 80
found "orphaned, by number" 0 'delete 40001>80 zone 0 id 77 ' '' audit --fix --loop --dport 80
found "orphaned, in a zone" 0 'delete 40001>80 zone 5 id 77 ' zoned audit --fix --dport 80 --zone 5
found "orphaned, outrun" 8 'compared; 0 fixed' outrun audit --fix --dport 80
found "orphaned, but it has a helper" 0 '0 findings' helped audit --dport 80 --loop
found "orphaned, but somebody has sent" 0 '0 findings' moving audit --dport 80 --loop
found "orphaned, by who opened it" 8 'orphaned tcp established 127.0.0.1:40001' unflagged \
	audit --dport 80 --loop
line='unknown tcp established 127.0.0.1:40001 -> 203.0.113.1:80 answers 127.0.0.1:7000 -> '
line+='127.0.0.1:40001 loopback timeout 98 cause: no TCP socket has either end of this flow; raw '
line+='or packet sockets, another namespace, XDP or a transparent socket may send it; packets '
line+='seen: both directions remedy: see whether packets pass, with looptrack trace;'
found "no socket, which proves nothing" 0 "$line" unproved audit --dport 80 --loop
found "no socket, and nothing is fixed" 0 '1 unknown; 7 flows and 6 sockets compared; 0 fixed' \
	unproved audit --fix --dport 80 --loop
found "no socket, and what has passed" 0 'packets seen: 5 sent, 4 answered' 'unproved counted' \
	audit --dport 80 --loop
found "no socket, but somebody sends" 0 '0 findings' 'unproved moving' audit --dport 80 --loop
found "no socket, but other findings count" 8 '1 missing, 1 shadowed, 1 snat-range, 1 unknown;' \
	unproved audit
found "no socket of the client" 0 "no TCP socket has the client's end" 'unproved half' \
	audit --dport 80 --loop
found "no socket of the server" 0 "no TCP socket has the server's end" 'unproved served' \
	audit --dport 80 --loop
found "unknown flows alone" 0 '1 finding: 1 unknown;' unproved audit --kind unknown
expect "audit: JSON of an unknown flow" 0 '"fixable":false,"fixed":false}' 'audited unproved' \
	-j audit --kind unknown
found "one end is gone" 8 'stale tcp established 127.0.0.1:40001' half audit --dport 80
found "one end is gone, the other is left alone" 8 \
	'whose client here has no socket any more remedy: close the other end, socket 14' \
	half audit --dport 80 --fix
found "a port has changed hands" 8 \
	'opened by socket 13, which is gone; socket 17 has its place now' '' \
	-6 audit -p udp --dport 53
found "a port has changed hands, fixed" 0 'delete 40002>53 zone 0 id 77' '' -6 audit --fix --stale
found "a port has changed hands, twice" 0 '0 findings' moving -6 audit --fix --stale
found "a connection by another's entry" 8 'close the connection and open it again; with stale' \
	connected -6 audit --fix
found "reversed" 8 'which socket 51 listens remedy: turn the entry round' '' audit --sport 7000
found "reversed, turned" 0 'turned round 1 finding: 1 reversed' '' audit --fix --sport 7000
found "reversed, how it is turned" 0 \
	'delete 7000>40003 zone 0 id 77 new 40003>7000 zone 0 7000>40003 mark 6 ' '' \
	audit --fix --sport 7000
found "reversed, outrun" 8 'compared; 0 fixed' outrun audit --fix --sport 7000
found "reversed, but seen to begin" 0 '0 findings' begun audit --sport 7000
found "reversed, but with NAT" 0 '0 findings' natted audit --sport 7000
found "reversed, but who listens takes no IPv4" 0 '0 findings' sixonly audit --sport 7000
found missing 8 'missing tcp 127.0.0.1:40004 -> 203.0.113.1:80 cause: conntrack has no entry' '' \
	audit --sport 40004
found "missing, not fixed" 8 '1 missing; 7 flows and 6 sockets compared; 0 fixed' '' \
	audit --fix --sport 40004
found "missing, but closed meanwhile" 0 '0 findings' closing audit --sport 40004
found "missing, but no flow of the family has an entry" 0 '0 findings; 1 flow and 6' sixflows \
	audit --sport 40004
found shadowed 8 'NAT has given this flow port 5555, on which socket 41 waits' '' audit -q 127.0.0.1
found "ports for other hosts" 0 'snat-range tcp 127.0.0.1 cause: NAT has given 2 flows of' '' \
	audit -p tcp -s 10.1.0.3
found "unanswered, and the rules not asked" 8 \
	'compared; 1 unanswered, whose rules were not asked (--kind outdated) ' unanswered audit
line='outdated udp 10.1.0.2:43000 -> 203.0.113.1:80 answers 127.0.0.1:7000 -> 10.1.0.2:43000 '
line+='timeout 30 cause: not answered, and the rules would decide otherwise now. The NAT rules '
line+='would now send it to 127.0.0.1:7001 on this host. That is for a packet that comes by lo '
line+='with mark 0; filter rules, rules that set marks and rules for what else a packet carries '
line+='(MAC address, bridge port, TTL, DSCP, length) were not read remedy: remove the entry, '
line+='and the next packet makes a new one; with heal enforced it does so by itself 1 finding: '
line+='1 outdated;'
found outdated 8 "$line" 'unanswered moved arriving' audit --kind outdated
line='on this host. Rules for users were asked without a user. That is for a packet of this host '
line+='with mark 0; filter rules, rules that set marks and rules for what else a packet carries '
line+='(MAC address, bridge port, TTL, DSCP, length) were not read remedy: set heal to '
line+='enforce:'
found "outdated, as far as can be told without a user" 0 "$line" 'unanswered moved' \
	audit --kind outdated
found "outdated, perhaps, and left alone" 0 '1 outdated; 8 flows and 6 sockets compared; 0 fixed' \
	'unanswered moved' audit --fix --kind outdated
expect "audit: JSON of a flow that may be outdated" 0 '"fixable":false,"fixed":false}' \
	'audited unanswered moved' -j audit --kind outdated
found "outdated, of a known sender" 8 '1 outdated;' 'unanswered moved sender' audit --kind outdated
found "outdated, removed" 0 'delete 43000>80 zone 0 id 77 ' 'unanswered moved arriving' \
	audit --fix --kind outdated
found "outdated, outrun" 8 'compared; 0 fixed' 'unanswered moved arriving outrun' \
	audit --fix --kind outdated
found "outdated, but the rules are the same" 0 '0 findings' unanswered audit --kind outdated
found "outdated, but answered meanwhile" 0 '0 findings' 'unanswered moved settled' \
	audit --kind outdated
found "outdated, but answered while the rules were asked" 0 'compared; 0 fixed' \
	'unanswered moved arriving settling' audit --fix --kind outdated
found "outdated, but IPVS has made it" 0 'be asked or compared' \
	'unanswered moved arriving virtual' audit --kind outdated
expect "audit: JSON, and rules that can't be compared" 0 \
	"looptrack: audit: of 1 unanswered flow the rules can't be asked or compared" \
	'audited unanswered moved arriving virtual' -j audit --kind outdated
found "outdated, but packets of this host are said to arrive" 0 '1 outdated;' \
	'unanswered moved arriving owned' audit --kind outdated
found "outdated, but not for packets with the flow's mark" 0 '0 findings' 'unanswered restored' \
	audit --kind outdated
found "outdated, also for packets with the flow's mark" 0 'of this host with mark 0 or 6,' \
	'unanswered moved restored' audit --kind outdated
found "outdated, but it has a helper" 0 '0 findings' 'unanswered moved helped' audit --kind outdated
found "outdated, but it is expected" 0 '0 findings' 'unanswered moved expected' \
	audit --kind outdated
for words in masked released; do
	found "outdated, $words" 0 '1 outdated;' "unanswered $words" audit --kind outdated
	found "outdated, $words, and a feature may have done it" 0 'be asked or compared' \
		"unanswered $words enforcing" audit --kind outdated
done
found "outdated, whatever features do" 8 '1 outdated;' 'unanswered moved arriving enforcing' \
	audit --kind outdated
found "outdated, TCP" 8 '1 outdated;' 'unanswered moved arriving connected opening' \
	audit --kind outdated
found "outdated, but picked up in its midst" 0 '0 findings' 'unanswered moved connected' \
	audit --kind outdated
found "outdated, as far as can be told" 0 \
	'1 unanswered, whose rules can'\''t be asked or compared' \
	'unanswered sourceless' audit --kind outdated
expect "audit: JSON of an outdated flow" 8 \
	'"destinations":[{"address":"127.0.0.1","port":7001}],"sources":[' \
	'audited unanswered moved arriving' -j audit --kind outdated
found "kinds" 8 '2 findings: 1 stale, 1 orphaned; 7 flows' '' audit --kind stale,orphaned
found "one kind, fixed" 0 '1 stale; 7 flows and 6 sockets compared; 1 fixed' '' \
	audit --kind stale --fix
found "one kind, for information" 0 '1 finding: 1 snat-range;' '' audit --kind snat-range
expect "audit: an unknown kind" 1 'audit: kind "stall" is none of: stale orphaned reversed' '' \
	audit --kind orphaned,stall
expect "audit: no kind" 1 'audit: kind "" is none of: stale' '' audit --kind ''
found "a daemon that was started again" 0 '0 findings' plain -6 audit
# The reader has gone, and without a buffer each word tells that.
unread='{ sleep 0.1; LOOPTRACK_FAKE=audited stdbuf -o0 $fake audit --fix; echo "=$?=" >&2; } | :'
expect_sh "audit: nobody reads, and all is set right" 0 'delete 40001>80' "$unread"
expect_sh "audit: nobody reads, and it says what is left" 0 '=8=' "$unread"
expect_sh "audit: nobody reads, which is no failure" 0 '=0=' \
	"echo \"=\$( ($unread) 2>&1 | grep -c write)=\""
expect_sh "audit: full" 8 'cannot write: No space left' \
	'LOOPTRACK_FAKE=audited $fake audit >/dev/full'
expect_sh "audit: JSON that is cut short" 0 '=}=' "echo \"=\$(
	LOOPTRACK_FAKE='audited ruined' \$fake -j audit 2>/dev/null | tail -c 2)=\""
found "all of it is over" 0 '1 finding: 1 snat-range; 7 flows' 'passing closing' audit
found "the last look fails" 2 'the kernel refused: there is no such flow' ruined audit
expect "audit: sock_diag is missing" 7 'modprobe -a inet_diag tcp_diag' 'audited undiagnosed' audit
expect "audit: sockets change" 7 'the sockets of tcp change faster than they are listed' \
	'audited restless' audit
expect "audit: ctnetlink is missing" 7 'modprobe nf_conntrack_netlink' 'audited mutect' audit --fix
expect "audit: ctnetlink without privilege" 4 'to ask conntrack needs CAP_NET_ADMIN' \
	'audited forbidden' audit --fix
expect "audit: without privilege" 4 'needs CAP_NET_ADMIN' 'audited unprivileged' audit
expect "audit: absent" 3 'modprobe nf_looptrack' absent audit
expect "audit: an unknown option" 1 'option "--fixed" is not understood here' '' audit --fixed
expect "audit: an argument" 1 'audit: unexpected argument "tcp"' '' audit tcp
expect "audit: a filter twice" 1 'audit: --zone is given twice' '' audit -w 1 -w 2
finding='{"kind":"orphaned","protocol":"tcp","zone":0,"original":{"src":"127.0.0.1",'
finding+='"dst":"203.0.113.1","sport":40001,"dport":80},"reply":{"src":"127.0.0.1",'
finding+='"dst":"127.0.0.1","sport":7000,"dport":40001},"facts":{"status":430,"timeout":98,'
finding+='"tcp_state":"established","is_loopback":true,"is_stale":true,"owner":{"cookie":12,'
finding+='"uid":1000,"pid":4711,"gid":100,"comm":"curl","cgroup":4321,'
finding+='"since":"2026-11-22T08:31:02.123456789+00:00"},"is_rewritten":false},'
finding+='"cause":"both ends are on this host, and neither has a socket any more",'
finding+='"remedy":"remove the entry; with linger enforced it goes soon after the last socket",'
finding+='"fixable":true,"fixed":false}'
expect "audit: JSON" 8 "[$finding]" audited -j audit --dport 80 --loop
listener='"listener":{"src":"::","sport":7000,"state":"listen","cookie":51,"uid":33,"inode":1051}'
expect "audit: JSON of a listener" 8 "$listener" audited -j audit
socket='"facts":{"socket":{"src":"127.0.0.1","sport":40004,"dst":"203.0.113.1","dport":80,'
socket+='"state":"established","cookie":31,"uid":33,"inode":1031}},"cause":'
expect "audit: JSON of a socket" 8 "$socket" audited -j audit
expect "audit: JSON of ports" 8 \
	'"facts":{"address":"127.0.0.1","flows":2,"lowest":41000,"highest":42000,"range":[' \
	audited -j audit
expect "audit: a kind is coloured" 8 "$(printf '\033[31mstale\033[0m udp')" audited -c always audit
LOOPTRACK_FAKE=audited valid "audit: JSON that others understand" 6 '-jp audit'
# What is cut short doesn't look complete, and nothing that wasn't begun is there.
for words in broken reasoned halfdone crooked; do
	expect_sh "flow list: JSON of a list that fails, $words" 0 '==' \
		"echo \"=\$(LOOPTRACK_FAKE=$words \$fake -j flow list 2>/dev/null | grep ']')=\""
	expect_sh "flow list: and that was begun, $words" 0 '=[{"protocol":"tcp"=' \
		"echo \"=\$(LOOPTRACK_FAKE=$words \$fake -j flow list 2>/dev/null |
			head -n 1 | cut -c 1-18)=\""
done
for words in absent unprivileged lame newer stern; do
	expect_sh "flow list: JSON of no list, $words" 0 '==' \
		"echo \"=\$(LOOPTRACK_FAKE=$words \$fake -j flow list 2>/dev/null)=\""
done
expect "flow list: fails at the end" 2 'the kernel refused: Cannot allocate memory' broken flow list
expect "flow list: fails at the end, with a reason" 2 \
	'the kernel refused: the table has burnt down' reasoned flow list
expect "flow list: half an end" 5 'its answer is not understood' halfdone flow list
expect "flow list: an attribute too short" 5 'its answer is not understood' crooked flow list
expect "flow list: more than the socket holds" 7 \
	'cannot receive from the kernel: No buffer space' flooded flow list
expect "flow list: without privilege" 4 'needs CAP_NET_ADMIN' unprivileged flow list
expect "flow list: older module" 5 'older than this tool: reload the module' lame flow list
expect "flow list: absent" 3 'modprobe nf_looptrack' absent flow list
if [ "$(id -u)" = 0 ]; then
	expect "flow list: namespace by path" 0 "$redirected" '' -n /proc/self/ns/net flow list
fi

expect_sh "flow watch" 0 '=2=' \
	'echo "=$(LOOPTRACK_FAKE=watched $fake flow watch -i 1 | grep -c "5 flows, every 1 s")="'
expect_sh "flow watch: filters" 0 '1 flows, every 1 s' \
	'LOOPTRACK_FAKE=watched $fake flow watch --loop -i 1'
expect "flow watch: clears, lines don't wrap" 0 "$(printf '\033[H\033[J\033[?7l')tcp" watched \
	flow watch -i 1
expect_sh "flow watch: no reader" 0 '' '{ sleep 0.1; $fake flow watch -i 1 || echo $?; } | :'
expect_sh "flow watch: closed" 7 'cannot write: Bad file' '$fake flow watch >&-'
expect "flow watch: fails" 2 'the table has burnt down' reasoned flow watch

without='mount --bind /dev/null /etc/protocols && $fake flow list -p icmpv6 &&
	$fake flow list -p icmp'
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	expect_sh "flow list: protocols without /etc/protocols" 0 'icmp 10.1.0.2' \
		"export fake; unshare -m sh -c '$without'"
else
	report ok "flow list: protocols without /etc/protocols # SKIP it can't be hidden"
fi
expect "flow get" 0 "$redirected" '' flow get tcp 10.1.0.2:40000 203.0.113.1:80
expect "flow get: what is asked" 0 'flow 6 zone 0 1:0a010002 5:9c40 2:cb007101 6:0050' '' \
	flow get tcp 10.1.0.2:40000 203.0.113.1:80
asked='flow 17 zone 5 3:20010db8000000000000000000000002 5:0035 '
asked+='4:00000000000000000000000000000001 6:0400'
expect "flow get: IPv6, zone" 0 "$asked" \
	'' flow get -w 5 udp '[2001:db8::2]:53' '[::1]:1024'
expect "flow get: --zone" 0 'flow 6 zone 65535' '' flow get --zone 65535 6 1.2.3.4:5 6.7.8.9:10
expect "flow get: no ports" 0 'flow 47 zone 0 1:01020304 2:06070809' '' \
	flow get gre 1.2.3.4 6.7.8.9
expect "flow get: what has no ports may have 0" 0 \
	'flow 1 zone 0 1:01020304 5:0007 2:06070809' '' flow get icmp 1.2.3.4:7 6.7.8.9:0
expect "flow get: tcp has no port 0" 1 '"6.7.8.9:0" is not ADDRESS' '' \
	flow get tcp 1.2.3.4:7 6.7.8.9:0
expect "flow get: IPv4 as a socket for both families has it" 0 \
	'flow 6 zone 0 1:0a010002 5:9c40 2:cb007101 6:0050' '' \
	flow get tcp '[::ffff:10.1.0.2]:40000' '[::ffff:203.0.113.1]:80'
expect "flow get: JSON" 0 "$flow" '' -j flow get tcp 10.1.0.2:40000 203.0.113.1:80
expect "flow get: pretty JSON" 0 '    "zone": 0,' '' -jp flow get tcp 10.1.0.2:40000 203.0.113.1:80
expect "flow get: none" 2 'the kernel refused: there is no such flow' gone \
	flow get tcp 1.2.3.4:5 6.7.8.9:10
for command in 'flow get' resolve explain; do
	# shellcheck disable=SC2086
	set -- $command tcp 1.2.3.4:5 6.7.8.9:10
	expect "$command: without privilege" 4 'needs CAP_NET_ADMIN' unprivileged "$@"
	expect "$command: older module" 5 'does not know this command' lame "$@"
	expect "$command: absent" 3 'modprobe nf_looptrack' absent "$@"
	expect "$command: no answer" 5 'its answer is not understood' silent "$@"
	expect "$command: of the future" 0 '10.1.0.4:0 -> 10.9.0.1:0' futuristic "$@"
done

resolved='tcp 10.1.0.2:40000 -> 203.0.113.1:80 curl[4711] uid 1000 gid 100 cgroup 4321'
proxied='tcp 127.0.0.1:7000 10.1.0.2:40000'
# shellcheck disable=SC2086
expect "resolve" 0 "$resolved" '' resolve $proxied
# shellcheck disable=SC2086
expect "resolve: what is asked" 0 'flow 6 zone 7 1:7f000001 5:1b58 2:0a010002 6:9c40' '' \
	resolve --zone 7 $proxied
# shellcheck disable=SC2086
expect "resolve: nobody is known" 0 'tcp 10.1.0.3:1024 -> 10.9.0.1:443
' forwarded resolve $proxied
answer='{"protocol":"tcp","zone":0,"original":{"src":"10.1.0.2","dst":"203.0.113.1",'
answer+='"sport":40000,"dport":80},"owner":{"cookie":12,"uid":1000,"pid":4711,"gid":100,'
answer+='"comm":"curl","cgroup":4321,"since":"2026-11-22T08:31:02.123456789+00:00"}}'
# shellcheck disable=SC2086
expect "resolve: JSON" 0 "$answer" '' -j resolve $proxied
# shellcheck disable=SC2086
expect "resolve: none" 2 'looptrack: the kernel refused: there is no such flow' gone \
	resolve $proxied
# resolves NAME CODE ANSWERS COMPLAINT LINES: so many answers, and this is complained
# about, or nothing.
resolves() {
	printf '%b' "$5" >"$work/lines"
	expect_sh "resolve -: $1" 0 "=$2=$3=$4" "
		said=\$({
			\$fake resolve - <'$work/lines' >'$work/answers'
			echo \"code \$?\"
		} 2>&1 | grep -v '^flow ')
		echo \"=\${said##*code }=\$(grep -c '' '$work/answers')=\${said%code *}=\""
}
resolves "nothing" 0 0 '=' ''
resolves "one" 0 1 '=' "$proxied\n"
resolves "several" 0 3 '=' "$proxied\n$proxied\nudp [::1]:1 [::1]:2\n"
resolves "comments, blanks" 0 1 '=' "# x\n\n \t\n\t$proxied \t# y\n#$proxied\n"
resolves "no newline at the end" 0 1 '=' "$proxied"
resolves "lines as others end them" 0 2 '=' "$proxied\r\n\r\n$proxied\r\n"
resolves "too few words" 1 2 'looptrack: stdin:2: this is not PROTOCOL LOCAL PEER' \
	"$proxied\ntcp 127.0.0.1:7000\n$proxied\n"
resolves "too many words" 1 1 'looptrack: stdin:1: this is not PROTOCOL LOCAL PEER' \
	"$proxied x\n$proxied\n"
resolves "a bad protocol" 1 1 'looptrack: stdin:3: "tpc" is no IP protocol' \
	"\n\ntpc 1.2.3.4:5 6.7.8.9:10\n$proxied\n"
resolves "a bad address" 1 0 'looptrack: stdin:1: "x" is not ADDRESS' "tcp x 6.7.8.9:10\n"
resolves "IPv4 as a socket for both families has it" 0 1 '=' \
	'tcp [::ffff:127.0.0.1]:7000 [::ffff:10.1.0.2]:40000\n'
resolves "a NUL" 1 1 'looptrack: stdin:1: this is no text' "$proxied\\0x\n$proxied\n"
resolves "no port" 1 0 'looptrack: stdin:1: "1.2.3.4" leaves the port out' \
	"tcp 1.2.3.4 6.7.8.9:10\n"
LOOPTRACK_FAKE=gone resolves "none" 2 0 \
	'looptrack: stdin:1: the kernel refused: there is no such flow' "$proxied\n$proxied\n"
LOOPTRACK_FAKE=gone resolves "the last complaint's exit code" 1 0 'looptrack: stdin:1: the' \
	"$proxied\nx\n"
LOOPTRACK_FAKE=unprivileged resolves "what concerns all is said once" 4 0 \
	"$(printf 'looptrack: not permitted: %s' 'this needs CAP_NET_ADMIN')" "$proxied\n$proxied\n"
expect_sh "resolve -: once" 0 '=1=' 'echo "=$(printf "%s\n" "tcp 1.2.3.4:5 6.7.8.9:10" \
	"tcp 1.2.3.4:5 6.7.8.9:10" | LOOPTRACK_FAKE=unprivileged $fake resolve - 2>&1 | wc -l)="'
expect_sh "resolve -: JSON, one a line" 0 '=2=' \
	"echo \"=\$(printf '%s\n' '$proxied' '$proxied' | \$fake -j resolve - 2>/dev/null |
		grep -cxF '$answer')=\""
expect_sh "resolve -: directory" 7 'cannot read stdin: Is a directory' '$fake resolve - </'
expect_sh "resolve -: closed" 0 '' '$fake resolve - <&-'

# Events. The fake kernel ends with SIGINT, or as it is told.
first='2026-11-22 08:31:02.123456 clash repicked tcp 10.1.0.2:1024 -> 10.9.0.1:80 '
first+='wanted 192.0.2.1:1024 got 192.0.2.1:23456 holder 10.2.0.2:1024 -> 10.9.0.1:80 picks 1'
second='clash exhausted udp [2001:db8::2]:1024 -> [2001:db8:9::1]:53 '
second+='wanted [2001:db8:5::1]:1024 zone 5 picks 8'
expect "monitor" 0 "$first" '' monitor
expect "monitor: v6, zone" 0 "$second" '' monitor
expect "monitor: of the future" 0 'clash decision-77 253 10.1.0.3:0 -> 10.9.0.1:0' '' monitor
expect "monitor: SIGTERM" 0 "$second" killed monitor
expect "monitor: loss" 0 'some events were lost' lost monitor
expect "monitor: on after a loss" 0 'decision-77' lost monitor
expect "monitor: JSON of a loss" 0 '{"lost":true}' lost -j monitor
expect "monitor: unloaded" 3 'module nf_looptrack was unloaded' unloaded monitor
event='{"time":"2026-11-22T08:31:02.123456789+00:00","feature":"clash",'
event+='"decision":"repicked","protocol":"tcp","zone":0,'
event+='"flow":{"src":"10.1.0.2","dst":"10.9.0.1","sport":1024,"dport":80},"wanted":{'
expect "monitor: JSON" 0 "$event" \
	'' -j monitor
kept='ports kept tcp 10.1.0.2:1024 -> 10.9.0.1:80 owner uid 1000 cookie 12 '
kept+='wanted 10.1.0.2:1024 got 10.1.0.2:1024 '
kept+='holder 10.1.0.2:1024 -> 10.9.0.9:80 uid 33 cookie 7'
expect "monitor: owners" 0 "$kept" owned monitor
expect "monitor: owner of a holder that is not known" 0 \
	'owner uid 0 cookie 13 holder uid 4294967295 cookie 8 zone 5' owned monitor
expect "monitor: a holder alone" 0 \
	'linger evicted tcp holder [::1]:1024 -> [::1]:80 uid 33 cookie 7' owned monitor
expect "monitor: JSON of owners" 0 \
	'"owner":{"cookie":12,"uid":1000},"holder_owner":{"cookie":7,"uid":33}}' owned -j monitor
expect "monitor: JSON of a holder alone" 0 \
	'"zone":0,"holder":{"src":"::1","dst":"::1","sport":1024,"dport":80},"holder_owner":{' \
	owned -j monitor
expect "monitor: largest cookie" 0 '"owner":{"cookie":9223372036854775807,"uid":1000}' \
	'owned huge' -j monitor
expect "monitor: owner of the future" 0 '"owner":{"cookie":12,"uid":1000}' \
	'owned unknown' -j monitor
expect "monitor: owner without contents" 0 '10.9.0.1:80 wanted 10.1.0.2:1024' \
	'owned nobody' monitor
expect "monitor: JSON of an owner without contents" 0 '"owner":{},"holder_owner":{}}' \
	'owned nobody' -j monitor
for words in narrow wide cut; do
	expect "monitor: crooked owner, $words" 5 'its answer is not understood' \
		"owned $words" monitor
	expect "monitor: JSON of a crooked owner, $words" 5 'its answer is not understood' \
		"owned $words" -j monitor
done
expect "monitor: owner with an attribute too long" 0 '"owner":{"cookie":12},"holder_owner"' \
	'owned beyond' -j monitor
expect_sh "monitor: -4, owners" 0 '=1=' 'echo "=$(LOOPTRACK_FAKE=owned $fake -4 monitor | wc -l)="'
expect_sh "monitor: -6, owners" 0 '=2=' 'echo "=$(LOOPTRACK_FAKE=owned $fake -6 monitor | wc -l)="'
expect_sh "monitor: time zone" 0 '"2026-11-22T03:01:02.123456789-05:30"' \
	'TZ=XXX5:30 $fake -j monitor -C 1'
expect_sh "monitor: count" 0 '=1=' 'echo "=$($fake monitor -C 1 | wc -l)="'
expect_sh "monitor: -4" 0 '=2=' 'echo "=$($fake -4 monitor | wc -l)="'
expect_sh "monitor: -6" 0 '=1=' 'echo "=$($fake -6 monitor | wc -l)="'
# events OPTIONS FEATURES: those of owned events that are shown.
events() {
	expect_sh "monitor: $1" 0 "=$2=" "echo \"=\$(LOOPTRACK_FAKE=owned \$fake ${3-} monitor $1 |
		cut -d ' ' -f 3 | paste -sd ' ')=\""
}
events '' 'ports stale linger'
events '--feature stale' 'stale'
events '--feature linger,ports' 'ports linger'
events '--feature clash' ''
events '--decision evicted' 'stale linger'
events '--decision kept,observed' 'ports'
events '--feature ports --decision evicted' ''
events '-p tcp' 'ports linger'
events '--proto 17' 'stale'
events '-s 10.0.0.0/8' 'ports'
events '--orig-src ::1' 'linger'
events '--dst 10.9.0.1' 'ports'
events '-d 10.9.0.9' ''
events '--orig-dst ::/0' 'stale linger'
events '--sport 1024' 'ports stale linger'
events '--orig-port-src 80' ''
events '--dport 80' 'ports linger'
events '--orig-port-dst 53' 'stale'
events '-w 0' 'ports linger'
events '--zone 5' 'stale'
events '--uid 1000' 'ports'
events '--uid 33' 'linger'
events '--uid 0' 'stale'
events '--dport 80' 'linger' -6
events '-C 1 --feature linger' 'linger'
expect "monitor: JSON of what is wanted" 0 '"feature":"linger","decision":"evicted"' owned \
	-j monitor --uid 33
expect_sh "monitor: JSON, as without filters" 0 '==' "echo \"=\$(LOOPTRACK_FAKE=owned
	export LOOPTRACK_FAKE
	\$fake -j monitor --sport 1024 >'$work/filtered'
	\$fake -j monitor | diff - '$work/filtered')=\""
expect_sh "monitor: a loss, whatever the filters" 0 '=some events were lost=' \
	'echo "=$(LOOPTRACK_FAKE=lost $fake monitor --feature ports)="'
expect_sh "monitor: a decision that has no word" 0 '=2=' \
	'echo "=$($fake monitor --decision repicked,exhausted | wc -l)="'
expect "monitor: no filter of what can't be understood" 5 'its answer is not understood' \
	'owned narrow' monitor --feature clash

# Readers that go, and disks that are full.
for arguments in status "-j status" stats save help -V "stats --prometheus" "monitor -C 1" \
	monitor; do
	expect_sh "$arguments: full" 7 'cannot write: No space left' "\$fake $arguments >/dev/full"
	expect_sh "$arguments: closed" 7 'cannot write: Bad file' "\$fake $arguments >&-"
	expect_sh "$arguments: no reader" 0 '' "{ sleep 0.1; \$fake $arguments || echo \$?; } | :"
done
for arguments in "flow list" "-j flow list" "resolve $proxied" "-j resolve $proxied" \
	"flow get $proxied"; do
	for words in '' many; do
		name="$arguments${words:+, $words}"
		expect_sh "$name: full" 7 'cannot write: No space left' \
			"LOOPTRACK_FAKE=$words \$fake $arguments >/dev/full"
		expect_sh "$name: closed" 7 'cannot write: Bad file' \
			"LOOPTRACK_FAKE=$words \$fake $arguments >&-"
		expect_sh "$name: no reader" 0 '' "
			{
				sleep 0.1
				LOOPTRACK_FAKE=$words \$fake $arguments 2>'$work/err' || echo \$?
			} | :
			grep -v '^flow ' '$work/err' || :"
	done
done
expect_sh "resolve -: no reader" 0 '' \
	"{ sleep 0.1; yes '$proxied' | \$fake resolve - 2>/dev/null || echo \$?; } | :"
expect_sh "nothing to write, closed" 0 '' '$fake reset >&-'

# shellcheck source-path=SCRIPTDIR source=explain.sh
. test/explain.sh

# One vocabulary: each word of the tool has its place in man page and completion.
{
	LOOPTRACK_FAKE=marking "$fake" -j status
	LOOPTRACK_FAKE=owned "$fake" -j monitor
	"$fake" -j flow list
} | tr -c 'a-z_\n' '\n' | grep -E '^[a-z]+_[a-z_]+$' | sort -u >"$work/words"
for word in $(cat "$work/words"); do
	expect_sh "$word is documented" 0 "$word" 'cat looptrack.8'
done
for word in $("$fake" -j flow list | grep -o '"[a-z_]*":' | tr -d '":' | sort -u); do
	expect_sh "key $word of a flow is documented" 0 '' \
		"sed -n '/^.Sh JSON/,/^.Sh PROM/p' looptrack.8 | grep -qw $word"
done
for word in $(LOOPTRACK_FAKE=audited "$fake" -j audit | grep -o '"[a-z_]*":' | tr -d '":' |
	sort -u); do
	expect_sh "key $word of a finding is documented" 0 '' \
		"sed -n '/^.Sh JSON/,/^.Sh PROM/p' looptrack.8 | grep -qw $word"
done
for word in $(sed -n 's/^	\[FINDING_.*\] = "\(.*\)",/\1/p' finding.c); do
	expect_sh "kind $word of a finding is documented" 0 ".It Li $word" 'cat looptrack.8'
done
# filters FLOW|EVENT: their names.
filters() { sed -n 's/^	{ .*, "\([a-z-]*\)", [A-Z]*, [A-Z |]*'"$1"'.*/\1/p' filter.c; }
for word in $(filters FLOW); do
	expect_sh "--$word is documented" 0 '' \
		"sed -n '/^.Sh FLOWS/,/^.Sh EVENTS/p' looptrack.8 | grep -q '^.It.*Fl -$word\\>'"
done
for word in $(filters EVENT | grep -v orig-); do
	expect_sh "--$word is documented for events" 0 '' \
		"sed -n '/^.Sh EVENTS/,/^.Sh TRACE/p' looptrack.8 | grep -q -- '[FL].*-$word\\>'"
done
for word in $("$fake" -j status | tr '{' '\n' | sed -n 's/^"name":"\([a-z]*\)".*/\1/p'); do
	expect_sh "$word is documented" 0 ".It Cm $word" 'cat looptrack.8'
done
LOOPTRACK_FAKE=decisions "$fake" monitor | sed -n 's/.* clash \([a-z]*\) tcp$/\1/p' \
	>"$work/decisions"
expect_sh "each decision has a word" 0 "=$(wc -l <"$work/decisions")=" \
	'echo "=$(grep -c "^	NF_LOOPTRACK_DECISION_.*,$" ../uapi/linux/nf_looptrack.h)="'
for word in $(cat "$work/decisions"); do
	expect_sh "$word is documented" 0 ".It Cm $word" 'cat looptrack.8'
done
for word in $("$tool" help | sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
	expect_sh "command $word is documented" 0 ".It Cm $word" 'cat looptrack.8'
done
expect_sh "nf_looptrack(4): features and their defaults" 0 '==' "echo \"=\$(
	awk '/^\tNF_LOOPTRACK_FEATURE_[A-Z]*,/ { gsub(/.*_|,/, \"\"); names[++count] = \$0 }
		/^\t\[NF_LOOPTRACK_FEATURE_/ { gsub(/.*_|\].*/, \"\"); name = \$0 }
		/^\t\t\.mode = / { gsub(/.*_|,/, \"\"); mode[name] = \$0 }
		END {
			for (i = 1; i <= count; i++)
				print names[i], mode[names[i]] ? mode[names[i]] : \"OFF\"
		}' ../uapi/linux/nf_looptrack.h ../module/modes.c | tr A-Z a-z >'$work/defaults'
	sed -n 's/^.It Cm \([a-z]*\) Ta Cm \([a-z]*\)$/\1 \2/p' nf_looptrack.4 |
		diff '$work/defaults' -)=\""
expect_sh "nf_looptrack(4): tracepoints" 0 '==' "echo \"=\$(
	sed -n 's/^LT_TRACE_DECISION(\(.*\));/.Li looptrack:\1/p' ../module/report/trace.h \
		>'$work/trace'
	grep '^.Li looptrack:' nf_looptrack.4 | diff '$work/trace' -)=\""

# Completion. zsh wants its function in a file of another name.
mkdir "$work/zsh" && cp looptrack.zsh "$work/zsh/_looptrack"
# completes NAME LINE WORDS: these are offered and no others; zsh may say so twice.
completes() {
	expect_sh "bash: $1" 0 "=$3=" \
		"echo \"=\$(test/complete.sh '$2' | sort | paste -sd ' ')=\""
	expect_sh "zsh: $1" 0 "=$3=" \
		"echo \"=\$(test/complete.zsh '$work/zsh' '$2' | sort -u | paste -sd ' ')=\""
}
sorted() { sort | paste -sd ' '; }
commands=$("$tool" help | sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p' | sorted)
options=$("$tool" help | sed -n '/^Options/,$p' | grep -o -e '--[a-z]*' | sorted)
features=$("$fake" -j status | grep -o '"name":"[a-z]*"' | cut -d '"' -f 4 | sorted)
completes "commands" 'looptrack ' "$commands"
completes "commands, behind options" 'looptrack -j -n x ' "$commands"
completes "commands, behind options in a row" 'looptrack -jn x ' "$commands"
completes "features, behind options in a row" 'looptrack -j4n x set ' "$features"
completes "features, behind --netns=" 'looptrack --netns=x set ' "$features"
completes "a command begun" 'looptrack res' 'reset resolve restore'
completes "options" 'looptrack --' "$options"
completes "features" 'looptrack set ' "$features"
completes "modes" 'looptrack -n x set clash ' 'enforce observe off'
completes "a mark, and features that are left" \
	'looptrack set clash off stale off ports off linger off loopsnat off passmark off ' \
	'express heal listeners loopguard mark origin'
completes "a proxy, and features that are left" \
	'looptrack set clash off stale off ports off linger off passmark off loopguard off ' \
	'express heal listeners loopsnat origin proxy'
completes "what a proxy is known by" 'looptrack set loopguard off proxy ' 'cgroup none port uid'
completes "one more proxy" 'looptrack set loopguard off proxy uid 7 p' 'passmark ports proxy'
completes "no user" 'looptrack set loopguard off proxy uid ' ''
completes "the directory of a cgroup" 'looptrack set loopguard off proxy cgroup te' 'test'
completes "an exempt port, and features that are left" \
	'looptrack set clash off stale off ports off linger off passmark off listeners off ' \
	'exempt express heal loopguard loopsnat origin'
completes "what is exempt" 'looptrack set listeners off exempt n' 'none'
completes "one more exempt port" 'looptrack set listeners off exempt 500 ex' 'exempt express'
completes "behind proxies" 'looptrack set loopguard off proxy none express e' 'enforce'
completes "behind a mark" 'looptrack set passmark off mark 1/1 c' 'clash'
completes "the formats of stats" 'looptrack stats --' '--explain --prometheus'
completes "files" 'looptrack restore cmd_res' 'cmd_reset.c cmd_resolve.c cmd_restore.c'
completes "verbs of flow" 'looptrack -n x flow ' 'get list watch'
completes "filters" 'looptrack flow list --' "$(filters FLOW | sed s/^/--/ | sorted)"
completes "filters, behind one" 'looptrack flow watch --uid 0 --im' '--implicit-snat'
completes "protocols" 'looptrack flow list -p ' 'icmp icmpv6 sctp tcp udp'
completes "protocols of get" 'looptrack flow get ' 'icmp icmpv6 sctp tcp udp'
completes "states" 'looptrack flow list --loop --state s' 'syn-recv syn-sent syn-sent2'
completes "filters of events" 'looptrack monitor --' \
	"$({ filters EVENT; echo count; } | sed s/^/--/ | sorted)"
completes "features to look for" 'looptrack monitor -p tcp --feature ' "$features"
completes "decisions" 'looptrack monitor --decision rest' 'restored'
line='looptrack monitor --decision evicted,rest'
expect_sh "bash: one more decision" 0 '=evicted,restored=' \
	"echo \"=\$(test/complete.sh '$line')=\""
expect_sh "zsh: one more decision" 0 '=restored=' \
	"echo \"=\$(test/complete.zsh '$work/zsh' '$line' | sort -u)=\""
completes "decisions, each" 'looptrack monitor --decision ' "$(sorted <"$work/decisions")"
completes "what resolve takes" 'looptrack resolve ' '- tcp udp'
completes "options of resolve" 'looptrack resolve --' '--zone'
completes "what explain takes" 'looptrack explain ' 'tcp udp'
completes "options of explain" 'looptrack explain --' '--force --in --mark --rules --zone'
completes "options of audit" 'looptrack audit --' \
	"$({ filters FLOW; echo fix; echo kind; } | sed s/^/--/ | sorted)"
completes "kinds of findings" 'looptrack audit --fix --kind ' \
	"$(sed -n 's/^	\[FINDING_.*\] = "\(.*\)",/\1/p' finding.c | sorted)"
completes "states of audit" 'looptrack audit --fix --state s' 'syn-recv syn-sent syn-sent2'
completes "options of trace" 'looptrack trace --' '--all --count --force --rules'
completes "nothing for save" 'looptrack save ' ''

# What is installed: all of it, in its place, and gone again.
install() { make -s O="$O" DESTDIR="$work/root" PREFIX=/usr "$@" >"$work/out" 2>&1; }
install install
(cd "$work/root" && find . -type f | sort) >"$work/installed"
expect_sh "install" 0 '==' "echo \"=\$(diff - '$work/installed' <<-'END'
	./usr/include/linux/nf_looptrack.h
	./usr/include/linux/nf_looptrack_origin.h
	./usr/lib/systemd/system/looptrack.service
	./usr/sbin/looptrack
	./usr/share/bash-completion/completions/looptrack
	./usr/share/man/man4/nf_looptrack.4
	./usr/share/man/man8/looptrack.8
	./usr/share/zsh/vendor-completions/_looptrack
	END
	)=\""
for header in nf_looptrack nf_looptrack_origin; do
	expect_sh "$header.h stands alone" 0 '' \
		"echo '#include <linux/$header.h>' |
		cc -Wall -Wextra -Werror -fsyntax-only -I '$work/root/usr/include' -xc -"
done
# The example in Python has the struct as a format.
format=$(sed -n 's/^ORIGIN = struct.Struct("\(.*\)")/\1/p' examples/origin_proxy.py)
size=$(/usr/bin/python3 -c "import struct; print(struct.calcsize('$format'))")
cat >"$work/size.c" <<END
#include <linux/nf_looptrack_origin.h>
_Static_assert(sizeof(struct nf_looptrack_origin) == $size, "size");
END
expect_sh "origin_proxy.py: the struct" 0 '' \
	"cc -fsyntax-only -I '$work/root/usr/include' '$work/size.c'"
install uninstall
expect_sh "uninstall" 0 '==' "echo \"=\$(find '$work/root' -type f)=\""
# To be verified, the unit has to find the tool where it says.
install install DESTDIR= PREFIX="$work/local"
expect_sh "install: PREFIX" 0 "$work/local/sbin/looptrack restore /etc/looptrack.conf" \
	"grep ExecReload '$work/local/lib/systemd/system/looptrack.service'"
expect_sh "install: PREFIX, zsh" 0 '_looptrack' "ls '$work/local/share/zsh/site-functions'"
expect_sh "looptrack.service: systemd has nothing to say" 0 '' \
	"systemd-analyze verify --man=no '$work/local/lib/systemd/system/looptrack.service'"

expect_sh "command lines and files nobody would write" 0 '1000 command lines' \
	"python3 test/fuzz_lines.py '$O/test/sanitized' 1 1000"

# Each fuzzer, for a moment: it builds, and finds nothing at once.
for fuzzer in fuzz fuzz-orders fuzz-words; do
	if ! command -v clang >/dev/null; then
		report ok "$fuzzer # SKIP no clang"
		continue
	fi
	expect_sh "$fuzzer" 0 'Done 3000 runs' "make -s O='$O' '$O/test/$fuzzer' &&
		cd '$work' && '$O/test/$fuzzer' -seed=1 -runs=3000 -max_len=200"
done

echo "1..$count"
[ $failed = 0 ]
