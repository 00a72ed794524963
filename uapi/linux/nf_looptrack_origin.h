/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
#ifndef _UAPI_LINUX_NF_LOOPTRACK_ORIGIN_H
#define _UAPI_LINUX_NF_LOOPTRACK_ORIGIN_H

#include <linux/types.h>

/*
 * getsockopt(fd, SOL_IP or SOL_IPV6, NF_LOOPTRACK_SO_ORIGIN, &origin, &len)
 *
 * Of a TCP socket, one that accept() gave for example: whom the connection comes
 * from, as its client's socket had it. Needs no privilege.
 *
 * ENOPROTOOPT: the module is not loaded, or it is no TCP socket
 * ENOTCONN:    the socket is not connected
 * ENOENT:      conntrack doesn't know the connection
 * EINVAL:      no room for size and known
 */
#define NF_LOOPTRACK_SO_ORIGIN		0x4c54

/* Bits of known. Addresses and ports always are. */
#define NF_LOOPTRACK_ORIGIN_SOCKET	0x1 /* cookie, cgroup, time, uid */
#define NF_LOOPTRACK_ORIGIN_PROCESS	0x2 /* gid, pid, comm */

/**
 * struct nf_looptrack_origin - whom a connection comes from
 * @size: how much of this the module knows, in bytes. A module that knows more
 *	than the caller fills what there is room for, one that knows less leaves
 *	the end alone; len says how much was filled.
 * @known: NF_LOOPTRACK_ORIGIN_*: which of the rest is; what isn't is 0. Nothing
 *	of a client that is on another host.
 * @family: AF_INET or AF_INET6
 * @protocol: IPPROTO_TCP
 * @sport: the client's port, in network byte order
 * @dport: the port that it connected to, likewise
 * @saddr: the client's address; of AF_INET, the first four bytes
 * @daddr: the address it connected to, likewise
 * @cookie: of the client's socket, see SO_COOKIE
 * @cgroup: id of its cgroup (v2), as name_to_handle_at() tells it
 * @time: when it connected, in nanoseconds since 1970
 * @zone: of conntrack
 * @uid: owner of the client's socket, in the caller's user namespace
 * @gid: effective group of the process that connected, likewise
 * @pid: that process, in the caller's PID namespace; 0 if it can't be seen there
 * @comm: its name, as it was then, with a zero at the end
 */
struct nf_looptrack_origin {
	__u32	size;
	__u32	known;
	__u16	family;
	__u16	protocol;
	__be16	sport;
	__be16	dport;
	__u8	saddr[16];
	__u8	daddr[16];
	__aligned_u64 cookie;
	__aligned_u64 cgroup;
	__aligned_u64 time;
	__u32	zone;
	__u32	uid;
	__u32	gid;
	__s32	pid;
	char	comm[16];
};

#endif /* _UAPI_LINUX_NF_LOOPTRACK_ORIGIN_H */
