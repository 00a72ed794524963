# SPDX-License-Identifier: GPL-2.0
"""Random rule sets for rules_random.py: NAT rules of one tool and family.

A rule set has the text to load, from what its rules choose at random, and the
destinations that its rules know. Addresses are those of topology() in lib.sh, with
the device c1 in a bridge docker0.
"""

import ipaddress

import rules_chains
import rules_known

PORTS = (53, 80, 443, 5060, 8080)
DEVICES = ("c0", "docker0", "s")
PROTOS = ("udp", "udp", "tcp", "tcp", "sctp")


class Net:
    """Addresses of a family."""

    def __init__(self, six):
        self.six = six
        self.loopback = "::1" if six else "127.0.0.1"

    def at(self, net, host):
        """In the router's own networks: 0 by c0, 1 by docker0, 9 by s."""
        return f"fd99:{net}::{host}" if self.six else f"10.99.{net}.{host}"

    def far(self, host):
        """By the default route; 5 is the router's own, 66 is unreachable."""
        return f"2001:db8::{host}" if self.six else f"203.0.113.{host}"

    def service(self, host):
        """Of a service, by the default route as well."""
        return f"fd96::{host}" if self.six else f"10.96.0.{host}"

    def subnet(self, net):
        return f"fd99:{net}::/64" if self.six else f"10.99.{net}.0/24"

    def own(self):
        """The router's."""
        return [self.at(0, 1), self.at(1, 1), self.at(9, 1), self.far(5)]


def number(address):
    return int(ipaddress.ip_address(address))


class Rule:
    """Of one chain: what it matches, by name, and what it does."""

    def __init__(self, match, action):
        self.match, self.action = match, action


class Maker:
    """Makes a rule set."""

    def __init__(self, rng, kind, six):
        self.rng, self.kind, self.six = rng, kind, six
        self.net = Net(six)
        # What rules choose from at random: ends, and source ports.
        self.ends = []
        self.ports_from = []
        self.targets = []
        self.subchains = {}
        self.inet = kind == "nft" and rng.random() < 0.4
        self.text = ""
        self.tables = []

    def maybe(self, share):
        return self.rng.random() < share

    def pick(self, *some):
        return self.rng.choice(some)

    def choose(self, ends):
        """Addresses and ports, as ranges: (first, last, first port, last port)"""
        self.ends.append([(number(a), number(b), p, q) for a, b, p, q in ends])

    def choose_any_port(self):
        """As NAT does where no range is given."""
        self.ports_from += [(1, 511), (600, 1023), (1024, 65535)]

    # ---- what a rule matches

    def address(self):
        """One that flows go to."""
        net = self.net
        return self.pick(
            net.far(self.rng.randint(10, 15)), net.far(self.rng.randint(10, 15)),
            net.service(self.rng.randint(10, 13)), net.far(5),
            net.at(9, self.rng.randint(16, 20)), net.at(1, self.rng.randint(16, 20)),
            net.at(self.pick(0, 1, 9), 1))

    def addresses(self, source):
        """(negated, how, what)"""
        net, rng = self.net, self.rng
        no = self.maybe(0.2)
        how = self.pick("one", "one", "subnet", "range", "set")
        if how == "set" and self.kind != "nft":
            how = "one"
        if source:
            subnet = rng.choice((0, 1, 9))
            first = net.at(subnet, rng.randint(2, 4))
            last = net.at(subnet, rng.randint(5, 9))
            one = first
        else:
            subnet = rng.choice((1, 9))
            first, last = net.far(rng.randint(10, 12)), net.far(rng.randint(13, 15))
            one = self.address()
        what = {"one": one, "subnet": net.subnet(subnet), "range": f"{first}-{last}",
                "set": sorted({one, first, last, self.address()})}[how]
        return no, how, what

    def ports(self):
        how = self.pick("one", "one", "range", "list")
        some = sorted(self.rng.sample(PORTS, 2))
        if how == "one":
            return how, str(some[0])
        return how, f"{some[0]}-{some[1]}" if how == "range" else some

    def match(self, hook, proto):
        """At random; a protocol if one is needed."""
        match = {}
        if proto or self.maybe(0.6):
            match["proto"] = proto or self.pick(*PROTOS)
            if self.maybe(0.6):
                match["dport"] = self.ports()
            if self.maybe(0.1):
                match["sport"] = ("range", self.pick("20000-24999", "25000-30499"))
        if self.maybe(0.5 if hook in ("prerouting", "output") else 0.25):
            match["daddr"] = self.addresses(False)
        if self.maybe(0.25):
            match["saddr"] = self.addresses(True)
        if hook in ("prerouting", "input") and self.maybe(0.3):
            match["iif"] = (self.maybe(0.3), self.pick(*DEVICES))
        if hook in ("output", "postrouting") and self.maybe(0.3):
            match["oif"] = (self.maybe(0.3), self.pick("lo", *DEVICES))
        if self.maybe(0.2):
            mask = self.pick(0x4000, 0x10, 7)
            match["mark"] = (self.maybe(0.4), mask, mask)
        if hook in ("prerouting", "output") and self.maybe(0.2):
            match["type"] = (self.maybe(0.3), "dst")
        elif self.maybe(0.1):
            match["type"] = (self.maybe(0.3), "src")
        if hook in ("output", "postrouting") and match.get("proto") == "udp" and \
                self.maybe(0.1):
            match["owner"] = (self.maybe(0.2), "0")
        if hook == "postrouting" and match.get("proto") and self.maybe(0.2):
            match["orig"] = (self.address(), self.pick(*PORTS))
        if self.kind == "nft" and self.maybe(0.05):
            match["zone"] = self.pick(0, 5)
        return match

    # ---- what a rule does

    def target_ports(self):
        """A range, of which a port is chosen."""
        first = self.rng.randrange(10000, 12000)
        return first, first + self.pick(0, 0, 63, 500)

    def dnat(self, match):
        """To an address or a range, with or without a port."""
        net, rng = self.net, self.rng
        subnet = self.pick(0, 1, 9, 9)
        host = rng.randint(16, 18)
        first = last = net.at(subnet, host)
        flags = ""
        if self.maybe(0.2):
            last = net.at(subnet, host + self.pick(1, 2))
            flags = "persistent" if self.maybe(0.3) else ""
        elif self.maybe(0.25):
            first = last = self.pick(net.at(0, 1), net.far(5), net.far(66), net.loopback)
        ports = None
        if match.get("proto") and self.maybe(0.6):
            ports = self.target_ports()
            if self.maybe(0.2) and not flags:
                flags = "random"
            self.choose([(first, last, *ports)])
        return "dnat", first, last, ports, flags

    def snat(self, match, hook):
        """Or masquerade."""
        net = self.net
        flags = self.pick("", "", "", "random", "fully-random", "persistent")
        ports = None
        if match.get("proto") and self.maybe(0.3):
            first = self.rng.randrange(40000, 50000)
            ports = (first, first + self.pick(127, 1000))
        if ports:
            self.ports_from.append(ports)
        elif "random" in flags:
            self.choose_any_port()
        if hook == "postrouting" and self.maybe(0.5):
            return "masquerade", None, None, ports, flags
        host = self.rng.randint(1, 9)
        first = last = net.at(8, host)
        if self.maybe(0.3):
            last = net.at(8, host + 3)
        return "snat", first, last, ports, flags

    def action(self, hook, match, depth):
        """At random."""
        if depth < 2 and self.maybe(0.2):
            name = f"x{len(self.subchains)}"
            self.subchains[name] = None
            self.subchains[name] = self.chain(hook, depth + 1)
            return "goto" if self.maybe(0.3) else "jump", name
        if self.maybe(0.15):
            return "mark", self.pick("or", "or", "and", "set"), self.pick(0x4000, 0x10, 7)
        if self.maybe(0.1):
            return (self.pick("accept", "return", "return"),)
        if self.kind == "nft" and self.maybe(0.04):
            return ("drop" if hook == "postrouting" else self.pick("drop", "reject"),)
        if hook in ("postrouting", "input"):
            return self.snat(match, hook)
        if match.get("proto") and self.maybe(0.25):
            ports = self.target_ports()
            flags = "random" if ports[0] != ports[1] and self.maybe(0.3) else ""
            if ports[0] != ports[1]:
                self.choose([(a, a, *ports) for a in
                             self.net.own() + [self.net.loopback]])
            return "redirect", None, None, ports, flags
        return self.dnat(match)

    def special(self, hook, match):
        """What one tool alone has: maps; a list of chances; a map of networks."""
        proto = match.get("proto") or self.pick(*PROTOS)
        match["proto"] = proto
        backends = [self.net.at(self.pick(1, 9), 16 + i) for i in range(self.pick(2, 3))]
        port = self.rng.randrange(10000, 12000)
        if self.maybe(0.25):
            return [Rule({**match, "daddr": (False, "subnet", self.far_subnet())},
                         ("netmap", self.far_subnet(), self.inner_subnet()))]
        if self.kind == "nft":
            how = self.pick("random", "inc", "hash", "port", "both", "vmap")
            if how == "vmap":
                names = []
                for _ in range(2):
                    names.append(f"x{len(self.subchains)}")
                    self.subchains[names[-1]] = None
                    self.subchains[names[-1]] = self.chain(hook, 2)
                match.pop("dport", None)
                return [Rule(match, ("vmap", *names))]
            if how in ("random", "inc"):
                self.choose([(b, b, 1, 65535) for b in backends])
            return [Rule(match, ("map", how, backends, port))]
        rules = []
        for left in range(len(backends), 0, -1):
            backend = backends[len(backends) - left]
            chance = {**match, "chance": left} if left > 1 else match
            rules.append(Rule(chance, ("dnat", backend, backend, (port, port), "")))
        self.choose([(b, b, port, port) for b in backends])
        return rules

    def far_subnet(self):
        return "2001:db8::10/124" if self.six else "203.0.113.0/28"

    def inner_subnet(self):
        return "fd99:9::10/124" if self.six else "10.99.9.16/28"

    def aim(self, match):
        """Flows that the rule may match."""
        _, how, what = match.get("daddr", (False, "", ""))
        dst = {"one": what, "set": what and what[0]}.get(how) or self.address()
        how, what = match.get("dport", ("one", "80"))
        port = int(what.split("-")[0] if isinstance(what, str) else what[0])
        self.targets.append((match.get("proto") or self.pick(*PROTOS), dst, port))

    def chain(self, hook, depth=0):
        """Some rules."""
        rules = []
        for _ in range(self.rng.randint(1, 5 if depth == 0 else 2)):
            match = self.match(hook, self.pick(None, *PROTOS))
            self.aim(match)
            if hook in ("prerouting", "output") and depth == 0 and self.maybe(0.15):
                rules += self.special(hook, match)
            else:
                rules.append(Rule(match, self.action(hook, match, depth)))
        return rules

    def make(self):
        """The text, for the tool."""
        made = rules_known.make(self)
        if made:
            return
        hooks = {}
        for hook in ("prerouting", "output", "postrouting", "input"):
            if self.maybe(0.3 if hook == "input" else 0.85):
                hooks[hook] = self.chain(hook)
        write = rules_chains.Nft if self.kind == "nft" else rules_chains.Iptables
        self.text = write(self).ruleset(hooks)


def make(rng, kind, six):
    """A rule set of nft, iptables or legacy."""
    maker = Maker(rng, kind, six)
    maker.make()
    return maker
