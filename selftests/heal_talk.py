#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Talks for heal.sh.

    serve ADDRESS NAME PORT...	answers with its name, UDP and TCP; no name: not at all
    send udp ADDRESS PORT SPORT	sends 5 times a second, writes who answers
    send icmp ADDRESS 0 ID	the same by echo requests
    send tcp ADDRESS PORT SPORT	connects, writes who answers
    retry ADDRESS PORT SPORT	connects for a second, anew from the same port, until one is
				answered
    refused ADDRESS PORT SPORT	sends by a connected socket, writes that it was refused
    give_up ADDRESS PORT COUNT	begins connections and closes them, 1.5 s later and on
    crowd ADDRESS PORT COUNT [PAUSE]
				so many sockets from port 20000 on send twice a second,
				or with another pause
    reload FILE SECONDS		loads the file's rules of nft at each full second, writes how
				often
"""

import selectors
import socket
import struct
import sys
import time

TICK = 0.2


def say(*words):
    print(*words, flush=True)


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def answer(sock, name, peer):
    """There may be no route to where it came from."""
    try:
        if name:
            sock.sendto(name.encode(), peer)
    except OSError:
        pass


def serve(address, name, *ports):
    """Answers until the end."""
    events = selectors.DefaultSelector()
    for port in map(int, ports):
        udp = socket.socket(family(address), socket.SOCK_DGRAM)
        udp.bind((address, port))
        events.register(udp, selectors.EVENT_READ)
        tcp = socket.create_server((address, port), family=family(address))
        events.register(tcp, selectors.EVENT_READ)
    say("ready")
    while True:
        for key, _ in events.select():
            sock = key.fileobj
            if sock.type == socket.SOCK_DGRAM:
                peer = sock.recvfrom(2000)[1]
                answer(sock, name, peer)
            else:
                conn = sock.accept()[0]
                conn.sendall(name.encode())
                conn.close()


def echo(address, ident, turn):
    """An echo request; the kernel sums IPv6's up."""
    kind = 128 if ":" in address else 8
    head = struct.pack("!BBHHH", kind, 0, 0, ident, turn)
    total = sum(struct.unpack("!4H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!BBHHH", kind, 0, ~total & 0xFFFF, ident, turn)


def send_icmp(address, ident):
    """Echo requests of one id."""
    six = ":" in address
    proto = socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP
    sock = socket.socket(family(address), socket.SOCK_RAW, proto)
    sock.settimeout(TICK)
    say("ready")
    turn = 0
    while True:
        turn = (turn + 1) & 0xFFFF
        sock.sendto(echo(address, ident, turn), (address, 0))
        end = time.monotonic() + TICK
        while time.monotonic() < end:
            try:
                data, peer = sock.recvfrom(2000)
            except OSError:
                continue
            data = data if six else data[20:]
            if data[0] in (0, 129) and struct.unpack("!H", data[4:6])[0] == ident:
                say("answer", "echo", peer[0])


def send_udp(address, port, sport):
    """Datagrams by an unconnected socket."""
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.bind(("", sport))
    sock.setblocking(False)
    say("ready")
    while True:
        sock.sendto(b"hello", (address, port))
        time.sleep(TICK)
        try:
            while True:
                say("answer", sock.recv(2000).decode())
        except OSError:
            pass


def send_tcp(address, port, sport):
    """One connection."""
    sock = socket.socket(family(address), socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", sport))
    say("ready")
    begin = time.monotonic()
    sock.connect((address, port))
    say("answer", sock.recv(2000).decode(), round(time.monotonic() - begin, 1))


def send(proto, address, port, sport):
    """One flow."""
    if proto == "icmp":
        send_icmp(address, int(sport))
    elif proto == "udp":
        send_udp(address, int(port), int(sport))
    else:
        send_tcp(address, int(port), int(sport))


def retry(address, port, sport):
    """As "nc -w 1 -p SPORT" in a loop."""
    say("ready")
    begin = time.monotonic()
    while True:
        sock = socket.socket(family(address), socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", int(sport)))
        sock.settimeout(1)
        try:
            sock.connect((address, int(port)))
            say("answer", sock.recv(2000).decode(), round(time.monotonic() - begin, 1))
            return
        except OSError:
            sock.close()


def refused(address, port, sport):
    """What a host says that rejects it."""
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    sock.bind(("", int(sport)))
    sock.connect((address, int(port)))
    say("ready")
    while True:
        try:
            sock.send(b"hello")
        except ConnectionRefusedError:
            say("answer", "refused")
        except OSError:
            pass
        time.sleep(TICK)


def give_up(address, port, count):
    """Sockets are closed at other times after their SYNs each."""
    socks = []
    for _ in range(int(count)):
        sock = socket.socket(family(address), socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.connect_ex((address, int(port)))
        socks.append(sock)
    say("ready")
    time.sleep(1.5)
    for sock in socks:
        sock.close()
        time.sleep(0.15)
    say("gone")


def crowd(address, port, count, pause=0.5):
    """Many flows."""
    socks = []
    for i in range(int(count)):
        sock = socket.socket(family(address), socket.SOCK_DGRAM)
        sock.bind(("", 20000 + i))
        sock.setblocking(False)
        socks.append(sock)
    say("ready")
    while True:
        for sock in socks:
            sock.sendto(b"hello", (address, int(port)))
        time.sleep(float(pause))


def reload(file, seconds):
    """In this process, which no other one has to be started for."""
    import rules_net

    with open(file, encoding="ascii") as rules:
        text = rules.read()
    nft = rules_net.Nft()
    times, end = 0, time.monotonic() + int(seconds)
    while time.monotonic() < end:
        time.sleep(1 - time.time() % 1)
        nft.run(text)
        times += 1
    say("replaced", times, "times")


globals()[sys.argv[1]](*sys.argv[2:])
