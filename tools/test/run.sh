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

echo KTAP version 1

# Words that are wrong: nothing is sent, whatever the kernel.
expect_sh "no command" 1 'Usage: looptrack' '$tool'
expect_sh "help" 0 'stats   [--explain' '$tool help'
expect_sh "-h" 0 'Usage: looptrack' '$tool -h'
expect_sh "-V" 0 "looptrack $(cat ../VERSION)" '$tool -V'
expect_sh "unknown command" 1 'unknown command "flow"' '$tool flow'
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
wrong_file "no newline at the end" '2: mode "of" is none of' 'stale off\nclash of'
wrong_file "capitals" '1: feature "Clash" is none of' 'Clash off\n'
wrong_file "an equals sign" '1: feature "clash=off" is none of' 'clash=off\n'
wrong_file "a newer one" '2: feature "teleport" is none of' 'clash off\nteleport enforce\n'
wrong_file "a NUL" '2: this is no text' 'clash off\nstale off\0\n'
wrong_file "a NUL at the end" '2: this is no text' 'clash off\n\0'
wrong_file "a NUL in a comment" '1: this is no text' '#\0\nclash off\n'
wrong_file "a byte order mark" '1: feature "' '\0357\0273\0277clash off\n'
wrong_file "many words" '1: too many words; say one feature a line' \
	"$(printf 'clash off %.0s' $(seq 33))\n"
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
for command in status set reset save restore monitor trace help; do
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
expect "status: older module" 0 'express    off      off       not supported' few status
expect "status: counters of a feature" 0 \
	'stale      enforce  enforce   seen 111  evicted 112  shared 113' '' status
expect "status: more than fit a line" 0 \
	"$(printf '%30s' '')moved 118  exhausted 119  demuxed 120" '' status
expect "status: counter of no feature" 0 'events_lost 110' '' status
expect_sh "status: no counter twice" 0 '=1=' 'echo "=$($fake status | grep -c "^[a-z]*_")="'
expect_sh "status: one screen" 0 '=yes=' '[ $($fake status | wc -l) -lt 24 ] && echo =yes='
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
expect "status: what express changes" 0 \
	"           PREROUTING and INPUT don't see packets of accepted loopback flows" \
	express status
expect_sh "status: what it does not change" 0 '=0=' 'echo "=$($fake status | grep -c INPUT)="'
expect "status: unknown feature" 0 'feature-9  off      mode-17' unknown status
expect "status: unknown counter" 0 'counter-32  132' unknown status
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
	'{"name":"express","mode":"off","default":"off","supported":false}],"counters":{"clash_' \
	few -j status
expect "status: pretty JSON" 0 '        "version": "0.9.9"' '' -jp status
expect "stats" 0 'clash_lost         108' '' stats
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
counters+='"express_seen":130,"express_spared":131}'
expect "stats: no padding" 0 "$counters" \
	'' -j stats
expect "stats: unknown counter" 0 '"express_spared":131,"counter-32":132}' unknown -j stats
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
expect_sh "stats: --prometheus, three modes of each feature" 0 '=27=9=' 'echo "=$(
	$fake stats --prometheus | grep -c "^looptrack_feature_mode{")=$(
	$fake stats --prometheus | grep -c "^looptrack_feature_mode{.*} 1$")="'
expect_sh "stats: --prometheus, nothing without a name" 0 '==' \
	'echo "=$(LOOPTRACK_FAKE=unknown $fake stats --prometheus | diff - "'"$work"'/metrics")="'
expect "stats: --prometheus, absent" 3 'modprobe nf_looptrack' absent stats --prometheus
expect_sh "stats: --prometheus, nothing of half an answer" 0 '==' \
	'echo "=$(LOOPTRACK_FAKE=short $fake stats --prometheus 2>/dev/null)="'
for words in '' huge few unknown marking; do
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
expect "set: mark 0" 0 'set f0m0 f7m2v0k1' '' set passmark enforce mark 0/1 clash off
expect "save" 0 'passmark   off mark 0x80001000/0xffffffff' marking save
expect_sh "save: each supported feature" 0 '=clash stale ports linger passmark =' \
	'echo "=$($fake save | sed -n "s/^\([a-z]*\)  *[a-z]*$/\1/p" | tr "\n" " ")="'
expect_sh "save: a comment says what it is" 0 '# Written by looptrack save' '$fake save | head -n 1'
expect_sh "save: no mark yet" 0 '=passmark   off=' 'echo "=$($fake save | grep passmark)="'
expect "save: a feature of the future" 5 '"feature-9 off" is of a module newer than this tool' \
	'unknown future' save
expect_sh "save: nothing of half a configuration" 0 '==' \
	'echo "=$(LOOPTRACK_FAKE="unknown future" $fake save 2>/dev/null)="'
expect "save: unsupported feature of the future" 0 'passmark   off' unknown save
expect "save: no features at all" 5 'its answer is not understood' bare save
expect "save: JSON's home without features" 5 'its answer is not understood' bare -j status

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
restores "as set has it" 'set f0m0 f1m1 f7m1v1k1' \
	'passmark observe mark 1/1 clash off\nstale observe\n'
restores "as long as it may be" 'set f0m0' "clash off\n$(printf '#%65524s' '')\n"
expect_sh "restore: what was saved" 0 '=set f0m2 f1m2 f2m2 f3m2 f7m0v2147487744k4294967295=' \
	'echo "=$(LOOPTRACK_FAKE=marking $fake save | $fake restore 2>&1)="'
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
expect "trace: ports" 0 'trace 132 5:1f90 6:0050' traced trace sctp '*:8080' '*:80'
expect "trace: first stage" 0 \
	'56 - output      start     10.1.0.2:1024 -> 10.9.0.1:80 syn,ack none out lo' \
	traced trace tcp '*' '*'
line='08:31:02.123456 1 output      dstnat    10.1.0.2:1024 -> 127.0.0.1:7000 syn,ack'
line+=' new committed answers 127.0.0.1:7000 -> 10.1.0.2:1024'
expect "trace: NAT" 0 "$line" traced trace tcp '*' '*'
expect "trace: second pass" 0 \
	'2 prerouting  start     10.1.0.2:1024 -> 127.0.0.1:7000 syn,ack new committed mark 0x' \
	traced trace tcp '*' '*'
expect "trace: of the future" 0 'hook-9      stage-17  10.1.0.2' traced trace tcp '*' '*'
expect_sh "trace: what is not new" 0 '=4=5=' \
	'echo "=$(LOOPTRACK_FAKE=traced $fake trace tcp "*" "*" 2>/dev/null | wc -l)=$(
	LOOPTRACK_FAKE=traced $fake trace -a tcp "*" "*" 2>/dev/null | wc -l)="'
expect_sh "trace: count of lines" 0 '=2=' \
	'echo "=$(LOOPTRACK_FAKE=traced $fake trace -C 2 tcp "*" "*" 2>/dev/null | wc -l)="'
expect "trace: loss" 0 '5 stages were lost' 'traced lost' trace tcp '*' '*'
expect "trace: JSON" 0 '"hook":"output","stage":"dstnat","pass":1,"packet":77,"length":60' \
	traced -j trace tcp '*' '*'
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

# Events. The fake kernel ends with SIGINT, or as it is told.
first='2026-11-22 08:31:02.123456 clash repicked tcp 10.1.0.2:1024 -> 10.9.0.1:80 '
first+='wanted 192.0.2.1:1024 got 192.0.2.1:23456 holder 10.2.0.2:1024 -> 10.9.0.1:80 picks 1'
second='clash exhausted udp [2001:db8::2]:1024 -> [2001:db8:9::1]:53 '
second+='wanted [2001:db8:5::1]:1024 zone 5 picks 8'
expect "monitor" 0 "$first" '' monitor
expect "monitor: v6, zone" 0 "$second" '' monitor
expect "monitor: of the future" 0 'clash decision-77 253 10.1.0.3 -> 10.9.0.1' '' monitor
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

# Readers that go, and disks that are full.
for arguments in status "-j status" stats save help -V "stats --prometheus" "monitor -C 1" \
	monitor; do
	expect_sh "$arguments: full" 7 'cannot write: No space left' "\$fake $arguments >/dev/full"
	expect_sh "$arguments: closed" 7 'cannot write: Bad file' "\$fake $arguments >&-"
	expect_sh "$arguments: no reader" 0 '' "{ sleep 0.1; \$fake $arguments || echo \$?; } | :"
done
expect_sh "nothing to write, closed" 0 '' '$fake reset >&-'

# One vocabulary: each word of the tool has its place in man page and completion.
{
	LOOPTRACK_FAKE=marking "$fake" -j status
	LOOPTRACK_FAKE=owned "$fake" -j monitor
} | tr -c 'a-z_\n' '\n' | grep -E '^[a-z]+_[a-z_]+$' | sort -u >"$work/words"
for word in $(cat "$work/words"); do
	expect_sh "$word is documented" 0 "$word" 'cat looptrack.8'
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
	sed -n 's/.*FEATURE_\([A-Z]*\)\] = { NF_LOOPTRACK_MODE_\([A-Z]*\), true.*/\1 \2/p' \
		../module/netns.c | tr A-Z a-z >'$work/defaults'
	sed -n 's/^.It Cm \([a-z]*\) Ta Cm \([a-z]*\)$/\1 \2/p' nf_looptrack.4 |
		diff '$work/defaults' -)=\""
expect_sh "nf_looptrack(4): tracepoints" 0 '==' "echo \"=\$(
	sed -n 's/^LT_TRACE_DECISION(\(.*\));/.Li looptrack:\1/p' ../module/trace.h >'$work/trace'
	grep '^.Li looptrack:' nf_looptrack.4 | diff '$work/trace' -)=\""

# Completion. zsh wants its function in a file of another name.
mkdir "$work/zsh" && cp looptrack.zsh "$work/zsh/_looptrack"
# completes NAME LINE WORDS: these are offered and no others.
completes() {
	expect_sh "bash: $1" 0 "=$3=" \
		"echo \"=\$(test/complete.sh '$2' | sort | paste -sd ' ')=\""
	expect_sh "zsh: $1" 0 "=$3=" \
		"echo \"=\$(test/complete.zsh '$work/zsh' '$2' | sort | paste -sd ' ')=\""
}
sorted() { sort | paste -sd ' '; }
commands=$("$tool" help | sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p' | sorted)
options=$("$tool" help | sed -n '/^Options/,$p' | grep -o -e '--[a-z]*' | sorted)
features=$("$fake" -j status | grep -o '"name":"[a-z]*"' | cut -d '"' -f 4 | sorted)
completes "commands" 'looptrack ' "$commands"
completes "commands, behind options" 'looptrack -j -n x ' "$commands"
completes "a command begun" 'looptrack re' 'reset restore'
completes "options" 'looptrack --' "$options"
completes "features" 'looptrack set ' "$features"
completes "modes" 'looptrack -n x set clash ' 'enforce observe off'
completes "a mark, and features that are left" \
	'looptrack set clash off stale off ports off linger off loopsnat off passmark off ' \
	'express loopguard mark origin'
completes "behind a mark" 'looptrack set passmark off mark 1/1 c' 'clash'
completes "the formats of stats" 'looptrack stats --' '--explain --prometheus'
completes "files" 'looptrack restore cmd_re' 'cmd_reset.c cmd_restore.c'
completes "nothing for save" 'looptrack save ' ''

# What is installed: all of it, in its place, and gone again.
install() { make -s O="$O" DESTDIR="$work/root" PREFIX=/usr "$@" >"$work/out" 2>&1; }
install install
(cd "$work/root" && find . -type f | sort) >"$work/installed"
expect_sh "install" 0 '==' "echo \"=\$(diff - '$work/installed' <<-'END'
	./usr/lib/systemd/system/looptrack.service
	./usr/sbin/looptrack
	./usr/share/bash-completion/completions/looptrack
	./usr/share/man/man4/nf_looptrack.4
	./usr/share/man/man8/looptrack.8
	./usr/share/zsh/vendor-completions/_looptrack
	END
	)=\""
install uninstall
expect_sh "uninstall" 0 '==' "echo \"=\$(find '$work/root' -type f)=\""
# To be verified, the unit has to find the tool where it says.
install install DESTDIR= PREFIX="$work/local"
expect_sh "install: PREFIX" 0 "$work/local/sbin/looptrack restore /etc/looptrack.conf" \
	"grep ExecReload '$work/local/lib/systemd/system/looptrack.service'"
expect_sh "install: PREFIX, zsh" 0 '_looptrack' "ls '$work/local/share/zsh/site-functions'"
expect_sh "looptrack.service: systemd has nothing to say" 0 '' \
	"systemd-analyze verify --man=no '$work/local/lib/systemd/system/looptrack.service'"

echo "1..$count"
[ $failed = 0 ]
