# SPDX-License-Identifier: GPL-2.0
"""Writes rule sets of rules_sets.py in the words of each tool."""

DNAT_PRIORITY = {"prerouting": -100, "output": -100, "postrouting": 100, "input": 100}


def ends(action, six, bracket):
    """Addresses and ports of an action: [ADDRESS[-ADDRESS]][:PORT[-PORT]]"""
    _, first, last, ports, _ = action
    text = ""
    if first:
        text = first if first == last else f"{first}-{last}"
        if six and ports:
            text = bracket(first, last)
    if ports:
        text += f":{ports[0]}" + (f"-{ports[1]}" if ports[0] != ports[1] else "")
    return text


class Nft:
    """In one table."""

    def __init__(self, maker):
        self.maker = maker
        self.ip = "ip6" if maker.six else "ip"
        self.table = "inet" if maker.inet else self.ip
        self.sets = []

    def addresses(self, which, match):
        no, how, what = match
        if how == "set":
            if self.maker.maybe(0.5):
                name = f"set{len(self.sets)}"
                kind = "ipv6_addr" if self.maker.six else "ipv4_addr"
                self.sets.append(f"set {name} {{ type {kind}; elements = "
                                 f"{{ {', '.join(what)} }}\n}}")
                what = f"@{name}"
            else:
                what = f"{{ {', '.join(what)} }}"
        return f"{self.ip} {which} {'!= ' if no else ''}{what}"

    @staticmethod
    def ports(which, match):
        how, what = match
        if how == "list":
            what = "{ " + ", ".join(map(str, what)) + " }"
        return f"th {which} {what}"

    def match(self, match):
        """Words of a rule."""
        words = []
        for key in ("iif", "oif"):
            if key in match:
                no, dev = match[key]
                words.append(f"{key}name {'!= ' if no else ''}\"{dev}\"")
        for key in ("saddr", "daddr"):
            if key in match:
                words.append(self.addresses(key, match[key]))
        if "proto" in match:
            words.append(f"meta l4proto {match['proto']}")
        for key in ("sport", "dport"):
            if key in match:
                words.append(self.ports(key, match[key]))
        if "mark" in match:
            no, value, mask = match["mark"]
            words.append(f"meta mark & {mask:#x} {'!=' if no else '=='} {value:#x}")
        if "type" in match:
            no, which = match["type"]
            words.append(f"fib {which[0]}addr type {'!= ' if no else ''}local")
        if "owner" in match:
            no, uid = match["owner"]
            words.append(f"meta skuid {'!= ' if no else ''}{uid}")
        if "orig" in match:
            words.append(f"ct original {self.ip} daddr {match['orig'][0]} "
                         f"ct original proto-dst {match['orig'][1]}")
        if "zone" in match:
            words.append(f"ct zone {match['zone']}")
        return words

    def map(self, action):
        """Which backend."""
        _, how, backends, port = action
        family = f" {self.ip}" if self.maker.inet else ""
        if how == "port":
            pairs = ", ".join(f"{p} : {b}" for p, b in zip((53, 80, 443), backends))
            return f"dnat{family} to th dport map {{ {pairs} }}"
        if how == "both":
            pairs = ", ".join(f"{p} : {b} . {port}" for p, b in zip((53, 80, 443), backends))
            return f"dnat {self.ip} addr . port to th dport map {{ {pairs} }}"
        key = {"random": "numgen random", "inc": "numgen inc",
               "hash": f"jhash {self.ip} saddr"}[how]
        pairs = ", ".join(f"{i} : {b}" for i, b in enumerate(backends))
        return f"dnat{family} to {key} mod {len(backends)} map {{ {pairs} }}"

    def action(self, action):
        """Words of what it does."""
        name = action[0]
        if name in ("jump", "goto"):
            return f"{name} {action[1]}"
        if name == "vmap":
            return f"th dport vmap {{ 53 : jump {action[1]}, 80 : goto {action[2]} }}"
        if name == "map":
            return self.map(action)
        if name == "netmap":
            return f"dnat {self.ip} prefix to {self.ip} daddr map " \
                   f"{{ {action[1]} : {action[2]} }}"
        if name == "mark":
            how, value = action[1:]
            return f"meta mark set {'' if how == 'set' else f'meta mark {how} '}{value:#x}"
        if name in ("accept", "return", "drop", "reject"):
            return name
        to = ends(action, self.maker.six,
                  lambda a, b: f"[{a}]" if a == b else f"[{a}]-[{b}]")
        family = f" {self.ip}" if self.maker.inet and name in ("dnat", "snat") else ""
        return f"{name}{family}{f' to {to}' if to else ''} {action[4]}"

    def rules(self, rules):
        return "".join(f"{' '.join(self.match(rule.match))} {self.action(rule.action)}\n"
                       for rule in rules)

    def ruleset(self, hooks):
        """All of it."""
        maker = self.maker
        chains = [f"chain {name} {{\n{self.rules(rules)}}}"
                  for name, rules in maker.subchains.items()]
        for hook, rules in hooks.items():
            at = DNAT_PRIORITY[hook] + maker.pick(0, 0, 0, 1)
            chains.append(f"chain {hook} {{\ntype nat hook {hook} priority {at}\n"
                          f"{self.rules(rules)}}}")
        maker.tables.append(f"{self.table} t")
        return f"table {self.table} t {{\n" + "\n".join(self.sets + chains) + "\n}\n"


class Iptables:
    """The table nat of either iptables."""

    def __init__(self, maker):
        self.maker = maker

    @staticmethod
    def addresses(which, match):
        no, how, what = match
        no = "! " if no else ""
        if how == "range":
            return f"-m iprange {no}--{which}-range {what}"
        return f"{no}-{which[0]} {what}"

    @staticmethod
    def ports(which, proto, match):
        how, what = match
        if how == "list":
            return f"-m multiport --{which}s " + ",".join(map(str, what))
        return f"-m {proto} --{which} {what.replace('-', ':')}"

    def match(self, match):
        """Words of a rule."""
        words = []
        for key, option in (("iif", "i"), ("oif", "o")):
            if key in match:
                no, dev = match[key]
                words.append(f"{'! ' if no else ''}-{option} {dev}")
        for key, which in (("saddr", "src"), ("daddr", "dst")):
            if key in match:
                words.append(self.addresses(which, match[key]))
        if "proto" in match:
            words.append(f"-p {match['proto']}")
        for key in ("sport", "dport"):
            if key in match:
                words.append(self.ports(key, match["proto"], match[key]))
        if "mark" in match:
            no, value, mask = match["mark"]
            words.append(f"-m mark {'! ' if no else ''}--mark {value:#x}/{mask:#x}")
        if "type" in match:
            no, which = match["type"]
            words.append(f"-m addrtype {'! ' if no else ''}--{which}-type LOCAL")
        if "owner" in match:
            no, uid = match["owner"]
            words.append(f"-m owner {'! ' if no else ''}--uid-owner {uid}")
        if "orig" in match:
            words.append(f"-m conntrack --ctorigdst {match['orig'][0]} "
                         f"--ctorigdstport {match['orig'][1]}")
        if "chance" in match:
            words.append("-m statistic --mode random --probability "
                         f"{1 / match['chance']:.11f}")
        return words

    def action(self, action):
        """Words of what it does."""
        name = action[0]
        if name in ("jump", "goto"):
            return f"-{name[0]} {action[1]}"
        if name == "mark":
            how, value = action[1:]
            return f"-j MARK --{how}-{'x' if how == 'set' else ''}mark {value:#x}"
        if name in ("accept", "return"):
            return f"-j {name.upper()}"
        if name == "netmap":
            return f"-j NETMAP --to {action[2]}"
        to = ends(action, self.maker.six,
                  lambda a, b: f"[{a}]" if a == b else f"[{a}-{b}]")
        flags = {"": "", "persistent": " --persistent", "random": " --random",
                 "fully-random": " --random-fully"}[action[4]]
        if name in ("masquerade", "redirect"):
            if "persistent" in flags:
                flags = ""
            to = f" --to-ports {to[1:]}" if to else ""
            return f"-j {name.upper()}{to}{flags}"
        option = "destination" if name == "dnat" else "source"
        return f"-j {name.upper()} --to-{option} {to}{flags}"

    def rules(self, chain, rules):
        return "".join(f"-A {chain} {' '.join(self.match(rule.match))} "
                       f"{self.action(rule.action)}\n" for rule in rules)

    def ruleset(self, hooks):
        """All of it."""
        text = "*nat\n"
        for name in self.maker.subchains:
            text += f":{name} - [0:0]\n"
        for name, rules in self.maker.subchains.items():
            text += self.rules(name, rules)
        for hook, rules in hooks.items():
            text += self.rules(hook.upper(), rules)
        return text + "COMMIT\n"
