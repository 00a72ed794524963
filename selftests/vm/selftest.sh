#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The harness tested: what a machine does must reach the caller, good or bad.
# KTAP on stdout. -k KERNEL picks another kernel than 6.12.
set -u
vm=$(dirname "$(readlink -f "$0")")/vm
[ "${1-}" != -k ] || { vm+=" -k $2" && shift 2; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0

# expect NAME STATUS [VM-ARGUMENT...]: output and complaints land in $dir, for
# also(), redefined before each call, to look at.
expect() {
	local name=$1 want=$2 got
	shift 2
	# shellcheck disable=SC2086 # options
	$vm "$@" >"$dir/out" 2>"$dir/err"
	got=$?
	n=$((n + 1))
	if ! { [ $got = "$want" ] && also; }; then
		echo "# exit status $got, wanted $want"
		tail -n 5 "$dir/out" "$dir/err" | sed 's/^/# /'
		printf 'not '
	fi
	echo "ok $n vm: $name"
}

echo "TAP version 13"
echo "1..9"

also() { [ "$(<"$dir/out")" = $'a b\n$HOME\nerr' ]; }
# shellcheck disable=SC2016 # not to be expanded, here or there
expect "arguments, output, exit status" 42 -- \
	bash -c 'printf "%s\n" "$@"; echo err >&2; exit 42' - "a b" '$HOME'

also() { [ "$(sha1sum <"$dir/out")" = "$(seq 1400000 | sha1sum)" ]; }
expect "10 MB of output" 0 seq 1400000

also() { [ "$(<"$dir/out")" = "done" ]; }
expect "a process left behind" 0 -t 60 bash -c 'sleep 1000 & echo done'

tree=$(readlink -f "$(dirname "${vm%% *}")/../..")
also() { [ "$(<"$tree/build/vm/out/harness")" = result ] && [ ! -e "$tree/harness" ]; }
# shellcheck disable=SC2016 # the guest's VM_OUT
expect "the shared directory, and nothing else, is written to" 0 \
	bash -c 'touch harness && echo result >$VM_OUT/harness'
rm -f "$tree/build/vm/out/harness"

also() { grep -q 'WARNING: test' "$dir/err" && [ "$(<"$dir/out")" = before ]; }
expect "a kernel report fails the run" 123 \
	bash -c 'echo before; echo "WARNING: test" >/dev/kmsg'

also() { grep -q 'Kernel panic' "$dir/err" && [ "$(<"$dir/out")" = before ]; }
expect "a panic" 123 bash -c 'echo before; sleep 1; echo c >/proc/sysrq-trigger; sleep 60'

also() { [ "$(<"$dir/out")" = before ]; }
expect "out of time" 124 -t 60 bash -c 'echo before; sleep 600'

also() { [ ! -s "$dir/out" ]; }
expect "no boot" 125 -c 999 true

# The first two machines do nothing but that.
mkdir "$dir/bin"
cat >"$dir/bin/qemu-system-x86_64" <<'EOT'
#!/bin/bash
for word; do
	[[ $word != file:*/log ]] || log=${word#file:}
done
echo >>"$0.count"
if [ "$(wc -l <"$0.count")" -lt 3 ]; then
	echo "[    2.1] Oops: int3: 0000 [#1] PREEMPT SMP" >"$log"
	exit
fi
PATH=${PATH#*:}
exec qemu-system-x86_64 "$@"
EOT
chmod +x "$dir/bin/qemu-system-x86_64"
also() { [ "$(<"$dir/out")" = alive ] && [ "$(grep -c 'boots again' "$dir/err")" = 2 ]; }
PATH=$dir/bin:$PATH VM_ACCEL=tcg expect "an emulated kernel that dies booting" 0 echo alive
