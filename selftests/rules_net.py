# SPDX-License-Identifier: GPL-2.0
"""What rules_random.py says to the kernel: netlink, rules of nft, frames. Without a
process for each, for on an emulated machine a process is dear."""

import collections
import ctypes
import os
import socket
import struct

SO_MARK = 36
CLONE_NEWNET = 0x40000000
GENL_ID_CTRL = 0x10
NLM_F_REQUEST, NLM_F_ACK = 1, 4
NLMSG_ERROR = 2
CT_GET, CT_DELETE = 0x101, 0x102
RULES_GET = 11
WHY = ("asked", "no-nat", "refused", "busy", "no-route", "no-source", "no-forwarding")

Answer = collections.namedtuple("Answer", "to source why")


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def packed(address):
    return socket.inet_pton(family(address), address)


def sysctl(name, value):
    with open(f"/proc/sys/{name}", "w", encoding="ascii") as file:
        file.write(str(value))


def attr(kind, payload):
    """One, padded."""
    return struct.pack("=HH", len(payload) + 4, kind) + payload + b"\0" * (-len(payload) % 4)


def nest(kind, *attrs):
    return attr(kind | 0x8000, b"".join(attrs))


def attrs(data):
    """(kind, payload) of each."""
    at = 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        yield kind & 0x3FFF, data[at + 4:at + size]
        at += (size + 3) & ~3


class Netlink:
    """One message out, one in."""

    def __init__(self, proto):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, proto)
        self.sock.bind((0, 0))

    def talk(self, kind, payload, flags=0):
        """The answer's payload, or None if there is no such thing."""
        size = 16 + len(payload)
        self.sock.send(struct.pack("=IHHII", size, kind, NLM_F_REQUEST | flags, 1, 0) +
                       payload)
        data = self.sock.recv(16384)
        size, kind = struct.unpack_from("=IH", data)
        if kind != NLMSG_ERROR:
            return data[16:size]
        error = -struct.unpack_from("=i", data, 16)[0]
        if error not in (0, 2):
            raise OSError(error, os.strerror(error))
        return None


class Looptrack(Netlink):
    """The command rules-get."""

    def __init__(self):
        super().__init__(16)
        name = attr(2, b"looptrack\0")
        answer = self.talk(GENL_ID_CTRL, struct.pack("=BBH", 3, 1, 0) + name)
        self.kind = struct.unpack("=H", dict(attrs(answer[4:]))[1])[0]

    @staticmethod
    def ends(data):
        """Destination and source of a tuple."""
        got = dict(attrs(data))
        six = socket.AF_INET6 if 3 in got else socket.AF_INET
        src, dst = got[3] if 3 in got else got[1], got[4] if 4 in got else got[2]
        sport, dport = (struct.unpack("!H", got[i])[0] for i in (5, 6))
        return (socket.inet_ntop(six, dst), dport), (socket.inet_ntop(six, src), sport)

    def ask(self, flow, proto):
        """Where the flow would go."""
        two = 2 * (":" in flow.src)
        request = struct.pack("=BBH", RULES_GET, 1, 0) + attr(2, bytes([proto])) + \
            nest(4, attr(1 + two, packed(flow.src)), attr(2 + two, packed(flow.dst)),
                 attr(5, struct.pack("!H", flow.sport)),
                 attr(6, struct.pack("!H", flow.dport))) + \
            attr(5, struct.pack("=I", flow.mark)) + attr(3, struct.pack("=H", flow.zone))
        if flow.dev:
            request += attr(6, struct.pack("=I", socket.if_nametoindex(flow.dev)))
        to = source = why = None
        arrives = False
        for kind, payload in attrs(self.talk(self.kind, request)[4:]):
            if kind == 7:
                step = dict(attrs(payload))
                why = WHY[struct.unpack("=I", step[2])[0]]
                to, source = self.ends(step[3])
            arrives |= kind in (8, 10)
        return Answer(to, source, why) if arrives else Answer(None, None, why)


class Conntrack(Netlink):
    """Entries."""

    def __init__(self):
        super().__init__(12)

    def get(self, flow, proto):
        """What the flow is translated to: destination and source. None: no entry."""
        six = family(flow.src)
        two = 2 * (six == socket.AF_INET6)
        answer = self.talk(CT_GET, struct.pack("=BBH", six, 0, 0) + nest(
            1, nest(1, attr(1 + two, packed(flow.src)), attr(2 + two, packed(flow.dst))),
            nest(2, attr(1, bytes([proto])), attr(2, struct.pack("!H", flow.sport)),
                 attr(3, struct.pack("!H", flow.dport)))) +
            attr(18, struct.pack("!H", flow.zone)))
        if not answer:
            return None
        reply = {kind: dict(attrs(data)) for kind, data in
                 attrs(dict(attrs(answer[4:]))[2])}
        ports = [struct.unpack("!H", reply[2][i])[0] for i in (2, 3)]
        return tuple((socket.inet_ntop(six, reply[1][i + two]), ports[i - 1])
                     for i in (1, 2))

    def flush(self):
        self.talk(CT_DELETE, struct.pack("=BBH", 0, 0, 0), NLM_F_ACK)


class Nft:
    """libnftables."""

    def __init__(self):
        lib = self.lib = ctypes.CDLL("libnftables.so.1")
        lib.nft_ctx_new.restype = ctypes.c_void_p
        lib.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
        for name in ("nft_ctx_buffer_error", "nft_ctx_get_error_buffer"):
            getattr(lib, name).argtypes = [ctypes.c_void_p]
        lib.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        self.ctx = lib.nft_ctx_new(0)
        lib.nft_ctx_buffer_error(self.ctx)

    def run(self, text):
        """At once."""
        if self.lib.nft_run_cmd_from_buffer(self.ctx, text.encode()):
            raise RuntimeError(self.lib.nft_ctx_get_error_buffer(self.ctx).decode())


def checksum(data):
    """Of the internet."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def segment(flow, proto):
    """What begins a flow. SCTP's checksum is left out: the router does not look."""
    if proto == 132:
        return struct.pack("!HHII", flow.sport, flow.dport, 0, 0) + \
            struct.pack("!BBHIIHHI", 1, 0, 20, 77, 65535, 1, 1, 1)
    if proto == 6:
        data, at = struct.pack("!HHIIBBHHH", flow.sport, flow.dport, 1, 0, 0x50, 2, 65535,
                               0, 0), 16
    else:
        data, at = struct.pack("!HHHH", flow.sport, flow.dport, 8, 0), 6
    pseudo = packed(flow.src) + packed(flow.dst) + struct.pack("!II", len(data), proto)
    return data[:at] + struct.pack("!H", checksum(pseudo + data) or 0xFFFF) + data[at + 2:]


class Cable:
    """The far end of a device of the router."""

    def __init__(self, dev, namespace):
        with open(f"/sys/class/net/{dev}/address", encoding="ascii") as file:
            router = bytes.fromhex(file.read().strip().replace(":", ""))
        libc = ctypes.CDLL(None, use_errno=True)
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.bind(("eth", 0))
        mine = self.sock.getsockname()[4]
        if libc.setns(here, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(here)
        os.close(there)
        self.head = router + mine

    def send(self, flow, proto):
        """Its first packet."""
        data = segment(flow, proto)
        if ":" in flow.src:
            self.sock.send(self.head + struct.pack("!HIHBB", 0x86DD, 6 << 28, len(data),
                                                   proto, 64) +
                           packed(flow.src) + packed(flow.dst) + data)
            return
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 0, 0x4000, 64, proto, 0)
        ends = packed(flow.src) + packed(flow.dst)
        head = head[:10] + struct.pack("!H", checksum(head + ends)) + ends
        self.sock.send(self.head + struct.pack("!H", 0x800) + head + data)
