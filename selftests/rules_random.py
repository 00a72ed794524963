#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What the module says of random rule sets, and what a first packet gets.

    rules_random.py CLIENT BRIDGED SERVER COUNT SEED [FIRST]

To be run in the namespace of the router, which rules_random.sh has made; the other
namespaces are at its devices c0, docker0 and s. For each of COUNT rule sets, from
number FIRST on: loads it; asks by netlink what it would do with some flows; sends
their first packets; and compares with the entries that conntrack has then. Says how
many there were, or what is wrong: the same SEED and number are the same rule set.
"""

import collections
import random
import socket
import subprocess
import sys
import time

import rules_net
import rules_sets

FLOWS = 12
KINDS = ("nft", "iptables", "legacy")
PROTO = {"udp": 17, "tcp": 6, "sctp": 132}
# What rules_random.sh has set: by source port a mark, or a zone.
MARKS = ((30000, 7), (31000, 0x10), (32000, 0x4000))
ZONE, ZONE_PORTS = 5, 33000

Flow = collections.namedtuple("Flow", "dev proto src sport dst dport mark zone")


class Router:
    """The host whose rules are asked."""

    def __init__(self, namespaces):
        self.nft = rules_net.Nft()
        self.looptrack = rules_net.Looptrack()
        self.conntrack = rules_net.Conntrack()
        self.cables = {dev: rules_net.Cable(dev, ns)
                       for dev, ns in zip(("c0", "docker0", "s"), namespaces)}
        self.loaded = None
        self.sockets = []

    def restore(self, kind, six, text):
        """By a tool of iptables."""
        tool = f"{'ip6' if six else 'ip'}tables-{'legacy' if kind == 'legacy' else 'nft'}"
        subprocess.run([tool + "-restore", "-w"], input=text, text=True, check=True)

    def load(self, rules):
        """In place of what was there."""
        away = ""
        if self.loaded:
            old = self.loaded
            for table in old.tables:
                away += f"table {table} {{}}\ndelete table {table}\n"
            if old.kind == "iptables" and (old.kind, old.six) != (rules.kind, rules.six):
                table = "ip6 nat" if old.six else "ip nat"
                away += f"table {table} {{}}\ndelete table {table}\n"
            if old.kind == "legacy" and (old.kind, old.six) != (rules.kind, rules.six):
                self.restore(old.kind, old.six, "*nat\nCOMMIT\n")
        self.loaded = rules
        if rules.kind == "nft":
            self.nft.run(away + rules.text)
            return
        if away:
            self.nft.run(away)
        self.restore(rules.kind, rules.six, rules.text)

    def send(self, flow):
        """The first packet. A socket is there until the flow is over."""
        if flow.dev:
            self.cables[flow.dev].send(flow, PROTO[flow.proto])
            return
        for sock, owner in self.sockets:
            if owner != flow:
                continue
            try:
                if flow.proto == "udp":
                    sock.sendto(b"", (flow.dst, flow.dport))
                else:
                    sock.connect((flow.dst, flow.dport))
            except OSError:
                pass

    def open(self, flow):
        """A socket of this host for it."""
        kind = socket.SOCK_DGRAM if flow.proto == "udp" else socket.SOCK_STREAM
        sock = socket.socket(rules_net.family(flow.src), kind | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if flow.mark:
            sock.setsockopt(socket.SOL_SOCKET, rules_net.SO_MARK, flow.mark)
        sock.bind((flow.src, flow.sport))
        self.sockets.append((sock, flow))

    def close(self, protos):
        """Of the sockets those of some protocols."""
        for sock, flow in self.sockets:
            if flow.proto in protos:
                sock.close()
        self.sockets = [one for one in self.sockets if one[1].proto not in protos]

    def ask(self, flow):
        return self.looptrack.ask(flow, PROTO[flow.proto])

    def entry(self, flow):
        return self.conntrack.get(flow, PROTO[flow.proto])


def some_flows(rules):
    """To what the rules know, and to anything."""
    rng, net = rules.rng, rules.net
    sports = rng.sample(range(20000, 29999), FLOWS)
    flows = []
    for sport in sports:
        proto, dst, dport = rng.choice(("udp", "tcp", "sctp")), None, rng.choice(
            rules_sets.PORTS)
        if rules.targets and rng.random() < 0.6:
            proto, dst, dport = rng.choice(rules.targets)
        elif rng.random() < 0.1:
            dst = rng.choice((net.far(66), net.at(0, 9)))
        mark = zone = 0
        if rng.random() < 0.15:
            port, mark = rng.choice(MARKS)
            sport = port + sport % 1000
        elif rng.random() < 0.1:
            sport, zone = ZONE_PORTS + sport % 1000, ZONE
        elif rng.random() < 0.1:
            sport = 300 + sport % 700
        if any(flow.sport == sport for flow in flows):
            continue
        dev = rng.choice(("c0", "c0", "docker0", "s", None, None, None))
        if proto == "sctp" and not dev:
            dev = "c0"
        if dev:
            subnet = {"c0": 0, "docker0": 1, "s": 9}[dev]
            src = net.at(subnet, rng.randint(2, 9))
            if rng.random() < 0.1:
                src = net.far(40)
            dst = dst if dst and dst != net.loopback else rules.address()
        else:
            src = rng.choice(net.own() + [net.loopback])
            dst = dst or rng.choice((rules.address(), net.loopback))
        flows.append(Flow(dev, proto, src, sport, dst, dport, mark, zone))
    return flows


def in_ends(choice, end):
    at = rules_sets.number(end[0])
    return any(a <= at <= b and p <= end[1] <= q for a, b, p, q in choice)


def chosen(rules, one, other):
    """Does one rule choose either at random?"""
    return any(in_ends(choice, one) and in_ends(choice, other) for choice in rules.ends)


def agrees(rules, answer, entry):
    """Yes; no; or maybe, if the rules choose an address anew."""
    if not answer.to or not entry:
        return "yes" if not answer.to and not entry else "no"
    to, source = entry
    if answer.to != to and not chosen(rules, answer.to, to):
        return "no"
    if answer.to[0] != to[0]:
        return "maybe"
    if answer.source == source:
        return "yes"
    if answer.source[0] == source[0] and any(
            first <= answer.source[1] <= last and first <= source[1] <= last
            for first, last in rules.ports_from):
        return "yes"
    return "no"


def settled(router, flow, answer):
    """The entry of a flow whose packet is on its way, if it is expected to have one."""
    end = time.monotonic() + (2 if answer.to else 0.02)
    while True:
        entry = router.entry(flow)
        if entry or time.monotonic() > end:
            return entry
        time.sleep(0.002)


def again(router, rules, flow, entry):
    """Where the address is chosen at random: is there an answer like the entry?"""
    router.conntrack.flush()
    for _ in range(400):
        answer = router.ask(flow)
        told = agrees(rules, answer, entry)
        if told != "maybe":
            return told, answer
    return "no", answer


def play(router, seed, index, stats):
    """One rule set. Returns what is wrong."""
    rng = random.Random(f"{seed}/{index}")
    rules = rules_sets.make(rng, KINDS[index % 3], rng.random() < 0.5)
    rules_net.sysctl("net/ipv4/conf/all/rp_filter", rng.choice((0, 0, 0, 1)))
    rules_net.sysctl("net/ipv4/conf/all/route_localnet", rng.choice((0, 0, 1)))
    try:
        router.load(rules)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        return f"set {index}, {rules.kind}: cannot be loaded: {error}\n{rules.text}"
    flows = some_flows(rules)
    for flow in flows:
        if not flow.dev:
            router.open(flow)
    answers = [router.ask(flow) for flow in flows]
    for flow in flows:
        router.send(flow)
    entries = [settled(router, flow, answer) for flow, answer in zip(flows, answers)]
    # No SYN may be sent again while questions are asked. A rule for a user needs a socket.
    router.close(("tcp",))
    wrong = ""
    for flow, answer, entry in zip(flows, answers, entries):
        told = agrees(rules, answer, entry)
        if told == "maybe":
            stats["elsewhere"] += 1
            told, answer = again(router, rules, flow, entry)
        stats["flows"] += 1
        stats[f"{flow.proto}, {'from ' + flow.dev if flow.dev else 'local'}"] += 1
        stats["answer " + answer.why] += 1
        if entry:
            stats["destination changed"] += entry[0] != (flow.dst, flow.dport)
            stats["source changed"] += entry[1] != (flow.src, flow.sport)
        if told != "yes":
            wrong += f"{flow}\n  answer {answer}\n  entry {entry}\n"
    router.close(("udp",))
    router.conntrack.flush()
    stats[f"sets, {rules.kind}, IPv{6 if rules.six else 4}"] += 1
    return wrong and f"set {index}, {rules.kind}, IPv{6 if rules.six else 4}:\n" \
        f"{wrong}{rules.text}"


def main():
    namespaces, count, seed = sys.argv[1:4], int(sys.argv[4]), sys.argv[5]
    first = int(sys.argv[6]) if len(sys.argv) > 6 else 0
    router = Router(namespaces)
    stats = collections.Counter()
    begin, faults = time.monotonic(), 0
    for index in range(first, first + count):
        wrong = play(router, seed, index, stats)
        if wrong:
            faults += 1
            print(wrong, flush=True)
            if faults >= 8:
                break
    for name, value in sorted(stats.items()):
        print(f"{name}: {value}")
    print(f"seconds: {time.monotonic() - begin:.0f}")
    print(f"wrong: {faults}")
    sys.exit(1 if faults else 0)


main()
