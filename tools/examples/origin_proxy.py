#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""origin_proxy.py PORT: a transparent proxy that says who calls whom.

It needs no privilege, and a rule that brings connections, but not its own:

    nft add table ip proxy
    nft add chain ip proxy output '{ type nat hook output priority -100; }'
    nft add rule ip proxy output meta skuid != nobody tcp dport 80 redirect to :7000
    setpriv --reuid nobody --regid nogroup --clear-groups ./origin_proxy.py 7000
"""
import socket
import struct
import sys
import threading

NF_LOOPTRACK_SO_ORIGIN = 0x4c54
# size, known, family, protocol, ports, addresses, cookie, cgroup, time, zone, ids, comm
ORIGIN = struct.Struct("=IIHH2s2s16s16sQQQIIIi16s")


def end(family, address, port):
    """Address and port as socket has them."""
    size = 4 if family == socket.AF_INET else 16
    return socket.inet_ntop(family, address[:size]), int.from_bytes(port, "big")


def text(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def relay(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def session(conn):
    try:
        with conn:
            data = conn.getsockopt(socket.SOL_IP, NF_LOOPTRACK_SO_ORIGIN, ORIGIN.size)
            (_, known, family, _, sport, dport, saddr, daddr, _, cgroup, _, _, uid, _, pid,
             comm) = ORIGIN.unpack(data)
            source, destination = end(family, saddr, sport), end(family, daddr, dport)
            name = "".join(c if c.isprintable() else "?"
                           for c in comm.split(b"\0")[0].decode("ascii", "replace"))
            owner = f"uid {uid} pid {pid} comm {name} cgroup {cgroup}" if known else "unknown"
            print(text(*source), "->", text(*destination), owner, flush=True)
            if destination[1] == conn.getsockname()[1]:
                raise OSError("addressed to the proxy itself")
            with socket.create_connection(destination) as server:
                back = threading.Thread(target=relay, args=(server, conn))
                back.start()
                relay(conn, server)
                back.join()
    except OSError as error:
        print("origin_proxy:", error, file=sys.stderr)


listener = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6,
                                backlog=128, dualstack_ipv6=True)
while True:
    threading.Thread(target=session, args=(listener.accept()[0],), daemon=True).start()
