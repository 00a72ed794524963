#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# /init of the guest: the host's files, read only, under a tmpfs that takes the
# writes, and the usual file systems on top; then guest.sh of the project, whose
# path stands on the command line. All with busybox from memory: under emulation
# a program read from the host takes ten times as long to start.
bb=/bin/busybox
$bb mount -t proc none /proc
[ -e /lib/order ] && while read -r ko; do
	$bb insmod "$ko" 2>/dev/null
done </lib/order

p9=trans=virtio,version=9p2000.L,msize=512000
$bb mkdir -p /host /rw /new
$bb mount -t 9p -o "ro,$p9,cache=loose" root /host
$bb mount -t tmpfs -o mode=755 rw /rw
$bb mkdir /rw/upper /rw/work
$bb mount -t overlay -o lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work,xino=off root /new

on() { $bb mount -t "$2" -o "${3:-rw}" "${4:-none}" "/new$1"; }
on /proc proc
on /sys sysfs
on /sys/fs/cgroup cgroup2
on /sys/fs/bpf bpf
on /sys/kernel/debug debugfs
on /sys/kernel/tracing tracefs
on /dev devtmpfs mode=755
$bb mkdir -p /new/dev/pts /new/dev/shm /new/run /new/mnt
on /dev/pts devpts ptmxmode=666
on /dev/shm tmpfs
on /run tmpfs mode=755
on /mnt tmpfs
$bb mkdir -p /new/run/lock /new/mnt/run /new/mnt/out
on /mnt/run 9p "$p9,cache=none" run
on /mnt/out 9p "$p9,cache=none" out
# What udev would make. kselftest's runner writes to /dev/stdout.
$bb ln -sf /proc/self/fd /new/dev/fd
for f in stdin:0 stdout:1 stderr:2; do
	$bb ln -sf "/proc/self/fd/${f#*:}" "/new/dev/${f%:*}"
done
echo looptrack >/proc/sys/kernel/hostname
$bb ifconfig lo up

read -r cmdline </proc/cmdline
for arg in $cmdline; do
	case $arg in
	looptrack.guest=*) guest=${arg#*=} ;;
	esac
done
$bb umount /proc
exec $bb switch_root /new /bin/bash "$guest"
