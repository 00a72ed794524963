#!/usr/bin/python3 -IS
# SPDX-License-Identifier: GPL-2.0
#
# linger_crowd.py LISTENER ADDRESS PORT NUMBER: listens on the port LISTENER, accepts
# nothing, and makes NUMBER connections to ADDRESS PORT, each from a port of its own and
# reset at once. Prints "ready", and stays until standard input ends.
import os
import socket
import struct
import sys

listener, address, port, number = sys.argv[1:]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
# All are closed on one CPU.
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

server = socket.socket(family, socket.SOCK_STREAM)
server.bind(("", int(listener)))
server.listen(int(number) + 100)
for i in range(int(number)):
    client = socket.socket(family, socket.SOCK_STREAM)
    # Ports that the kernel chooses may come again, and their entries with them.
    client.bind(("", 20000 + i))
    client.connect((address, int(port)))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
print("ready", flush=True)
sys.stdin.read()
