#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Process 1 of the guest, after init.sh: run the command that vm left in the run
# directory, leave its exit status there, reset the machine.

# port NAME: the device of a virtio-serial port; there is no udev to name it.
port() {
	local f
	for f in /sys/class/virtio-ports/*/name; do
		[ "$(<"$f")" = "$1" ] || continue
		f=${f%/name}
		echo "/dev/${f##*/}"
	done
}

# The processors of an emulated machine, a thread each, may run into a breakpoint
# that the kernel has just removed from its code, and it dies ("Oops: int3").
# nf_looptrack has the kernel patch a tracepoint as it comes and goes, and another one
# as traces do, in code that runs all the time. Not so while each has two other users. And
# netfilter patches its calls when the first chain of a hook comes, of all namespaces,
# or the last one goes. Not so while the initial namespace has one for each.
steady() {
	local tracing=/sys/kernel/tracing event i
	[ -n "$VM_THREADS" ] || return
	nft -f - 2>/dev/null < <(
		for i in prerouting input forward output postrouting; do
			echo "add table inet steady"
			echo "add chain inet steady $i { type filter hook $i priority 0; }"
		done
	)
	[ -d $tracing/events ] || return
	# To know processes by name the scheduler would be patched.
	echo 0 >$tracing/options/record-cmd
	for i in 1 2; do
		mkdir $tracing/instances/steady$i
		echo 0 >$tracing/instances/steady$i/tracing_on
		for event in kfree_skb consume_skb; do
			[ ! -d $tracing/events/skb/$event ] ||
				echo 1 >$tracing/instances/steady$i/events/skb/$event/enable
		done
	done
}

finish() {
	# A module that cannot go, or memory nobody owns, fails the run.
	if [ -d /sys/module/nf_looptrack ]; then
		rmmod nf_looptrack || echo "<1>vm: BUG: nf_looptrack cannot be unloaded" >/dev/kmsg
	fi
	local leaks=/sys/kernel/debug/kmemleak
	if [ -e $leaks ]; then
		sleep 6 # younger objects are not looked at
		echo scan >$leaks
		echo scan >$leaks
		[ -s $leaks ] && sed 's/^/<1>kmemleak: /' $leaks >/dev/kmsg
	fi
	dmesg >/mnt/run/dmesg
	sync
	echo b >/proc/sysrq-trigger
}

set -a
# shellcheck disable=SC1091 # vm writes it
. /mnt/run/env
set +a
mount --make-rshared /
lib=/lib/modules/$(</proc/sys/kernel/osrelease)
[ -d "$lib" ] || mkdir -p "$lib"
mount --bind "$VM_MODULES" "$lib"
cd "$VM_TREE" || exit
export PATH=$VM_TREE/build/tools:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root VM_OUT=/mnt/out
steady
true >/mnt/run/booted

if [ -n "$VM_TTY" ]; then
	modprobe nf_looptrack 2>/dev/null
	setsid -c bash -c "stty $VM_TTY; exec bash" </dev/hvc0 >/dev/hvc0 2>&1
	status=$?
else
	# Through a pipe, so that the command may reopen /dev/stdout.
	out=$(port out)
	exec 3> >(exec cat >"$out")
	writer=$!
	bash /mnt/run/command </dev/null >&3 2>&1 3>&-
	status=$?
	exec 3>&-
	# A process left behind may keep the pipe open; give what it holds time.
	for ((i = 0; i < 30; i++)); do
		kill -0 $writer 2>/dev/null || break
		sleep 0.1
	done
fi
echo "$status" >/mnt/run/status
finish
