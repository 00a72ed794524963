#!/usr/bin/python3 -IS
# SPDX-License-Identifier: GPL-2.0
#
# loopguard_proxy.py [-m MARK] [-w] [-p] [-u UID] [-q NUMBER] tcp|udp PORT [ADDRESS PORT]:
# a transparent proxy. TCP connections go on to where they were addressed, datagrams
# to ADDRESS PORT. With -m its own are exempted, by a mark; with -w a forked worker
# serves; with -p each TCP connection is passed to a process that does not have the
# listener; with -u all are that user's; with -q a child that has the listener, too,
# accepts what is queued to it. Prints "ready", then a line for each that it accepts
# or gets.
import argparse
import os
import resource
import socket
import struct
import subprocess
import sys
import threading

SO_ORIGINAL_DST = 80


def say(text):
    print(text, flush=True)


def addressed(conn):
    """Where its client wanted to go."""
    if conn.family == socket.AF_INET6 and not conn.getsockname()[0].startswith("::ffff:"):
        data = conn.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
        return socket.AF_INET6, socket.inet_ntop(socket.AF_INET6, data[8:24]), \
            struct.unpack("!H", data[2:4])[0]
    data = conn.getsockopt(socket.IPPROTO_IP, SO_ORIGINAL_DST, 16)
    return socket.AF_INET, socket.inet_ntoa(data[4:8]), struct.unpack("!H", data[2:4])[0]


def outgoing(family, kind):
    sock = socket.socket(family, kind)
    if args.mark:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, args.mark)
    sock.settimeout(20)
    return sock


def relay(source, sink):
    try:
        while data := source.recv(4096):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def session(conn):
    try:
        family, host, port = addressed(conn)
        say(f"accepted for {host} {port}")
        with conn, outgoing(family, socket.SOCK_STREAM) as server:
            server.connect((host, port))
            back = threading.Thread(target=relay, args=(server, conn))
            back.start()
            relay(conn, server)
            back.join()
    except OSError as error:
        say(f"failed: {error}")


def accepted(listener):
    return listener.accept()[0]


def passed(channel):
    return socket.socket(fileno=socket.recv_fds(channel, 1, 1)[1][0])


def handle(conn):
    threading.Thread(target=session, args=(conn,), daemon=True).start()


def hand_over(conn):
    with conn:
        socket.send_fds(channel, [b"c"], [conn.fileno()])


def serve_tcp(source, get=accepted, use=handle):
    while True:
        try:
            use(get(source))
        except (OSError, IndexError) as error:
            say(f"failed: {error}")
            os._exit(1)


def question(sock, data, client):
    family = socket.AF_INET6 if ":" in args.address else socket.AF_INET
    try:
        with outgoing(family, socket.SOCK_DGRAM) as server:
            server.sendto(data, (args.address, args.to))
            sock.sendto(server.recv(4096), client)
    except OSError as error:
        say(f"failed: {error}")


def serve_udp(sock):
    while True:
        data, client = sock.recvfrom(4096)
        say("got a datagram")
        threading.Thread(target=question, args=(sock, data, client), daemon=True).start()


parser = argparse.ArgumentParser()
parser.add_argument("-m", "--mark", type=int)
parser.add_argument("-w", "--worker", action="store_true")
parser.add_argument("-p", "--pass", action="store_true", dest="passes")
parser.add_argument("-u", "--uid", type=int)
parser.add_argument("-q", "--queue")
parser.add_argument("kind", choices=["tcp", "udp"])
parser.add_argument("port", type=int)
parser.add_argument("address", nargs="?")
parser.add_argument("to", nargs="?", type=int)
args = parser.parse_args()

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
if args.uid:
    os.setgroups([])
    os.setresuid(args.uid, args.uid, args.uid)
if args.passes:
    channel, end = socket.socketpair()
    if not os.fork():
        channel.close()
        serve_tcp(end, passed)
    end.close()
sock = socket.socket(socket.AF_INET6,
                     socket.SOCK_STREAM if args.kind == "tcp" else socket.SOCK_DGRAM)
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
# A datagram has to be answered from the address that the redirect gave it.
local = "::"
if args.kind == "udp":
    local = "::1" if ":" in args.address else "::ffff:127.0.0.1"
sock.bind((local, args.port))
if args.kind == "tcp":
    sock.listen(64)
if args.queue:
    sock.set_inheritable(True)
    child = subprocess.Popen(["exclusions_queue", args.queue, "1"], close_fds=False,
                             stdout=subprocess.PIPE)
    child.stdout.readline()
if args.worker and os.fork():
    os.wait()
    sys.exit()
say("ready")
if args.kind == "udp":
    serve_udp(sock)
else:
    serve_tcp(sock, use=hand_over if args.passes else handle)
