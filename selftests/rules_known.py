# SPDX-License-Identifier: GPL-2.0
"""Rule sets for rules_sets.py as other programs make them: those of kube-proxy, as
iptables-save and nft write them, and those of Docker."""


class Service:
    """Of a cluster: an address, a port of each node, and backends."""

    def __init__(self, maker, index):
        net, rng = maker.net, maker.rng
        self.name = f"{index:02d}XJ4BLQ7UZVE3TWOP"
        self.proto = maker.pick("udp", "tcp", "sctp")
        self.address = net.service(10 + index)
        self.port = maker.pick(53, 80, 443)
        self.node_port = 30080 + index if maker.maybe(0.7) else None
        self.target = rng.randrange(10000, 12000)
        self.sticky = maker.maybe(0.2)
        self.local = maker.maybe(0.2)
        hosts = rng.sample(range(2, 9), maker.pick(0, 1, 2, 3, 5))
        self.backends = [(f"{index}{i}QGSA5N2KDHRWXM", net.at(maker.pick(0, 1, 9), host))
                         for i, host in enumerate(hosts)]
        maker.targets += [(self.proto, self.address, self.port)] * 3
        if self.node_port:
            maker.targets += [(self.proto, own, self.node_port)
                              for own in (net.at(0, 1), net.at(9, 1))]
        maker.choose([(b, b, self.target, self.target) for _, b in self.backends])

    def end(self, backend, six):
        return f"[{backend}]:{self.target}" if six else f"{backend}:{self.target}"


def services(maker):
    """Some, and what random ports the last chain has."""
    maker.choose_any_port()
    return [Service(maker, i) for i in range(maker.pick(1, 2, 4))]


def kube_iptables(maker):
    """As iptables-save writes them."""
    six = maker.six
    plen = 128 if six else 32
    pods = maker.net.subnet(0)
    mask = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" if six else "255.255.255.255"
    chains = ["KUBE-KUBELET-CANARY", "KUBE-MARK-MASQ", "KUBE-NODEPORTS",
              "KUBE-POSTROUTING", "KUBE-PROXY-CANARY", "KUBE-SERVICES"]
    ports, heads, bodies = [], [], []
    for svc in services(maker):
        text = f'-m comment --comment "test/{svc.name.lower()}'
        proto = f"-p {svc.proto}"
        to = f"-d {svc.address}/{plen} {proto} {text} cluster IP\" -m {svc.proto} " \
             f"--dport {svc.port}"
        if not svc.backends:
            continue
        chains += [f"KUBE-SVC-{svc.name}", f"KUBE-EXT-{svc.name}"]
        heads.append(f"-A KUBE-SERVICES {to} -j KUBE-SVC-{svc.name}")
        if svc.node_port:
            ports.append(f"-A KUBE-NODEPORTS {proto} {text}\" -m {svc.proto} --dport "
                         f"{svc.node_port} -j KUBE-EXT-{svc.name}")
        if not svc.local:
            bodies.append(f"-A KUBE-EXT-{svc.name} {text} external destinations\" "
                          "-j KUBE-MARK-MASQ")
        bodies += [f"-A KUBE-EXT-{svc.name} -j KUBE-SVC-{svc.name}",
                   f"-A KUBE-SVC-{svc.name} ! -s {pods} {to} -j KUBE-MARK-MASQ"]
        if svc.sticky:
            bodies += [f"-A KUBE-SVC-{svc.name} {text} -> {at}\" -m recent --rcheck "
                       f"--seconds 10800 --reap --name KUBE-SEP-{sep} --mask {mask} "
                       f"--rsource -j KUBE-SEP-{sep}" for sep, at in svc.backends]
        left = len(svc.backends)
        for sep, backend in svc.backends:
            chains.append(f"KUBE-SEP-{sep}")
            end = svc.end(backend, six)
            chance = "" if left == 1 else \
                f"-m statistic --mode random --probability {1 / left:.11f} "
            bodies.append(f"-A KUBE-SVC-{svc.name} {text} -> {end}\" {chance}"
                          f"-j KUBE-SEP-{sep}")
            left -= 1
            recent = f"-m recent --set --name KUBE-SEP-{sep} --mask {mask} --rsource " \
                if svc.sticky else ""
            bodies += [f"-A KUBE-SEP-{sep} -s {backend}/{plen} {text}\" -j KUBE-MARK-MASQ",
                       f"-A KUBE-SEP-{sep} {proto} {text}\" {recent}-m {svc.proto} "
                       f"-j DNAT --to-destination {end}"]
    lines = ["*nat", ":PREROUTING ACCEPT [0:0]", ":INPUT ACCEPT [0:0]",
             ":OUTPUT ACCEPT [0:0]", ":POSTROUTING ACCEPT [0:0]"]
    lines += [f":{chain} - [0:0]" for chain in chains]
    for chain in ("PREROUTING", "OUTPUT"):
        lines.append(f'-A {chain} -m comment --comment "kubernetes service portals" '
                     "-j KUBE-SERVICES")
    lines += [
        '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" '
        "-j KUBE-POSTROUTING",
        "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000",
        *ports,
        "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
        "-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0",
        '-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring '
        'SNAT" -j MASQUERADE --random-fully',
        *heads,
        '-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this '
        'must be the last rule in this chain" -m addrtype --dst-type LOCAL '
        "-j KUBE-NODEPORTS",
        *bodies, "COMMIT", ""]
    maker.text = "\n".join(lines)


def docker(maker):
    """Ports of containers behind docker0 that are published."""
    net, six = maker.net, maker.six
    plen = 128 if six else 32
    bridge = net.subnet(1)
    own = "::1/128" if six else "127.0.0.0/8"
    lines = ["*nat", ":PREROUTING ACCEPT [0:0]", ":INPUT ACCEPT [0:0]",
             ":OUTPUT ACCEPT [0:0]", ":POSTROUTING ACCEPT [0:0]", ":DOCKER - [0:0]",
             "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
             f"-A OUTPUT ! -d {own} -m addrtype --dst-type LOCAL -j DOCKER",
             f"-A POSTROUTING -s {bridge} ! -o docker0 -j MASQUERADE"]
    tail = ["-A DOCKER -i docker0 -j RETURN"] if maker.maybe(0.7) else []
    for i in range(maker.pick(1, 2, 4)):
        proto = maker.pick("udp", "tcp", "sctp")
        host, port, target = net.at(1, 2 + i), 8080 + i, maker.pick(53, 80, 443)
        at = maker.pick("", "", f"-d {net.at(9, 1)}/{plen} ", f"-d {net.far(5)}/{plen} ")
        end = f"[{host}]:{target}" if six else f"{host}:{target}"
        lines.append(f"-A POSTROUTING -s {host}/{plen} -d {host}/{plen} -p {proto} "
                     f"-m {proto} --dport {target} -j MASQUERADE")
        tail.append(f"-A DOCKER {at}! -i docker0 -p {proto} -m {proto} --dport {port} "
                    f"-j DNAT --to-destination {end}")
        maker.targets += [(proto, a, port) for a in net.own() + [net.loopback]]
    maker.text = "\n".join(lines + tail + ["COMMIT", ""])


def kube_nft(maker):
    """As nft writes them."""
    ip = "ip6" if maker.six else "ip"
    kind = "ipv6_addr" if maker.six else "ipv4_addr"
    pods = maker.net.subnet(0)
    addresses, ports, chains, sets = [], [], [], []
    for svc in services(maker):
        match = f"{ip} daddr {svc.address} {svc.proto} dport {svc.port}"
        if not svc.backends:
            continue
        addresses.append(f"{svc.address} . {svc.proto} . {svc.port} : "
                         f"goto service-{svc.name}")
        if svc.node_port:
            ports.append(f"{svc.proto} . {svc.node_port} : goto external-{svc.name}")
        ways, affinity = [], []
        for i, (sep, backend) in enumerate(svc.backends):
            ways.append(f"{i} : goto endpoint-{sep}")
            if svc.sticky:
                sets.append(f"set affinity-{sep} {{ type {kind}\nflags dynamic,timeout\n"
                            "timeout 3h\n}")
                affinity.append(f"{ip} saddr @affinity-{sep} goto endpoint-{sep}")
            chains.append(f"chain endpoint-{sep} {{\n"
                          f"{ip} saddr {backend} jump mark-for-masquerade\n" +
                          (f"update @affinity-{sep} {{ {ip} saddr }}\n"
                           if svc.sticky else "") +
                          f"meta l4proto {svc.proto} dnat to "
                          f"{svc.end(backend, maker.six)}\n}}")
        chains.append(f"chain service-{svc.name} {{\n"
                      f"{match} {ip} saddr != {pods} jump mark-for-masquerade\n" +
                      "\n".join(affinity) +
                      f"\nnumgen random mod {len(ways)} vmap {{ {', '.join(ways)} }}\n}}")
        chains.append(f"chain external-{svc.name} {{\n" +
                      ("" if svc.local else "jump mark-for-masquerade\n") +
                      f"goto service-{svc.name}\n}}")
    elements = "elements = {{ {} }}\n"
    vmaps = f"map service-ips {{ type {kind} . inet_proto . inet_service : verdict\n" + \
        (elements.format(", ".join(addresses)) if addresses else "") + "}\n" \
        "map service-nodeports { type inet_proto . inet_service : verdict\n" + \
        (elements.format(", ".join(ports)) if ports else "") + "}\n"
    maker.tables.append(f"{ip} kube-proxy")
    maker.text = f"table {ip} kube-proxy {{\n" + "\n".join(sets) + "\n" + vmaps + """
chain mark-for-masquerade {
	meta mark set meta mark or 0x4000
}
chain masquerading {
	meta mark and 0x4000 == 0 return
	meta mark set meta mark xor 0x4000
	masquerade fully-random
}
""" + "\n".join(chains) + f"""
chain services {{
	{ip} daddr . meta l4proto . th dport vmap @service-ips
	fib daddr type local {ip} daddr != {maker.net.loopback} meta l4proto . th dport vmap \
@service-nodeports
}}
chain nat-prerouting {{
	type nat hook prerouting priority dstnat
	jump services
}}
chain nat-output {{
	type nat hook output priority -100
	jump services
}}
chain nat-postrouting {{
	type nat hook postrouting priority srcnat
	jump masquerading
}}
}}
"""


def make(maker):
    """Once in four times. False: none."""
    if not maker.maybe(0.25):
        return False
    if maker.kind == "nft":
        kube_nft(maker)
    elif maker.maybe(0.6):
        kube_iptables(maker)
    else:
        docker(maker)
    return True
