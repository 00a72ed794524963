#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Asks netfilter's socket options all the time, until SIGTERM.

sockopt_asks.py PORT ADDRESS SERVICE [ADDRESS SERVICE]: listens on PORT, to which rules
send what is connected to ADDRESS and SERVICE, and asks SO_ORIGINAL_DST of each accepted
connection. Where iptables-legacy has a table nat, it asks for that, too.

Prints "ready"; at the end one line of key=value words:
	asked	questions
	failed	those that ended with an error
	wrong	those with another answer than the first one
"""
import collections
import ctypes
import os
import signal
import socket
import sys

SO_ORIGINAL_DST = 80  # IP6T_SO_ORIGINAL_DST has the same number
IPT_SO_GET_INFO = 64
IPT_GETINFO_SIZE = 84
count = collections.Counter(asked=0, failed=0, wrong=0)
libc = ctypes.CDLL(None, use_errno=True)


def end(*_):
    print(" ".join(f"{key}={value}" for key, value in count.items()), flush=True)
    sys.exit(0)


def accepted(port, address, service):
    """Returns the accepted end of a connection, and the other one."""
    six = ":" in address
    listener = socket.create_server(("::" if six else "0.0.0.0", port),
                                    family=socket.AF_INET6 if six else socket.AF_INET)
    client = socket.create_connection((address, int(service)))
    return listener.accept()[0], client


def original(sock):
    """Returns a function that asks for a socket's original destination."""
    if sock.family == socket.AF_INET6:
        return lambda: sock.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
    # The kernel fills a sockaddr_in, and leaves the rest of a larger buffer alone.
    return lambda: sock.getsockopt(socket.IPPROTO_IP, SO_ORIGINAL_DST, 16)


def table_info(sock):
    """Asks for the table nat of iptables-legacy."""
    info = ctypes.create_string_buffer(b"nat", IPT_GETINFO_SIZE)
    size = ctypes.c_int(IPT_GETINFO_SIZE)
    if libc.getsockopt(sock.fileno(), socket.IPPROTO_IP, IPT_SO_GET_INFO, info,
                       ctypes.byref(size)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return info.raw


def main():
    kept = [accepted(int(sys.argv[1]), address, service)
            for address, service in zip(sys.argv[2::2], sys.argv[3::2])]
    questions = [original(ends[0]) for ends in kept]
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    try:
        table_info(raw)
        questions.append(lambda: table_info(raw))
    except OSError:
        pass
    questions = [(ask, ask()) for ask in questions]
    signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)
    while True:
        for ask, first in questions:
            count["asked"] += 1
            try:
                if ask() != first:
                    count["wrong"] += 1
            except OSError:
                count["failed"] += 1


main()
