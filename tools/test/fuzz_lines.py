#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Command lines and restore files nobody would write, given to the whole tool.

fuzz_lines.py TOOL SEED COUNT

TOOL is linked with the kernel of test/fake.c, and with sanitizers. Whatever it is told,
it ends by itself, with an exit code of its own; if the words are wrong it says so, in one
line, and nothing gets to the kernel, which would have answered on standard output.
"""

import os
import random
import subprocess
import sys

LINES = [line.split() for line in """status
set clash enforce stale observe
set passmark enforce mark 0x1000/0x1000
set loopguard enforce proxy port 15001 proxy uid 101
set listeners enforce exempt 500 exempt 27015-27020
reset
stats --explain
--prometheus stats
save
restore
restore -
-j flow list -s 10.1.0.2 -d 203.0.113.1 --proto tcp
flow list --orig-src 10.1.0.2 --mark 0x1/0x1 --state established --loop
flow get tcp 10.1.0.2:40000 203.0.113.1:80
flow watch --count 2 --uid 0 --stale
resolve tcp 127.0.0.1:7000 10.1.0.2:40000
resolve -
explain tcp 10.1.0.2:40000 203.0.113.1:80
-j explain -w 3 udp [2001:db8::2]:53 [::1]:53
audit
-6 audit --fix --kind stale,orphaned -s ::1
monitor -C 3 --feature clash --decision repicked
-4 -p monitor --uid 0 --dport 80
trace -a -C 2 tcp * 10.9.0.1:80
trace --force tcp * *:80
trace --rules -C 1 tcp * 10.9.0.1
-n /proc/self/ns/net -c never trace udp 10.1.0.2 *
help""".splitlines()]
WORDS = """clash stale ports linger loopsnat passmark loopguard express origin listeners
    off observe enforce mark proxy exempt 500 27015-27020 2-1 port cgroup uid any list get watch tcp udp sctp icmp 6 17 253 0 -1 256
    4294967296 0x1000/0x1000 0x1/0x2 0/0 * *:80 *:0 10.1.0.2 10.1.0.2:1024 10.9.0.1:80
    203.0.113.1:80 10.1.0.2:40000 ::1 [::1]:80 2001:db8::2 [2001:db8::2]:1024 ::ffff:10.1.0.2
    10.0.0.0/8 10.0.0.0/33 ::/0 root nobody / /system.slice - /dev/null /dev/full /nowhere
    stale,orphaned missing snat-range assured,!seen-reply time-wait established always never
    auto evicted 1 2 99999999999999999999""".split()
OPTIONS = """-4 -6 -j -p -n -c -V -h -C -a -s -d -z -w -m -u -P --json --pretty --prometheus
    --netns --color --version --help --count --all --force --fix --kind --zone --explain --src --dst
    --proto --sport --dport --orig-src --orig-dst --orig-sport --orig-dport --reply-src
    --reply-dst --reply-sport --reply-dport --mark --state --status --uid --pid --cgroup
    --loop --implicit-snat --stale --feature --decision --interval -- --=""".split()
# The fake kernel's moods that have it answer other things.
MOODS = ["", "traced", "traced decided", "owned", "lost", "unprivileged", "lame", "mute",
         "unloaded", "traced queued", "traced ruled", "traced veiled", "remembered", "unknown", "narrow", "cut"]
EXITS = range(9)


def spoil(rng, word):
    """The word, or nearly."""
    text = list(word)
    for _ in range(rng.choice([0, 0, 0, 1, 1, 3])):
        place = rng.randrange(len(text) + 1)
        kind = rng.randrange(4)
        if kind == 0 and text:
            del text[min(place, len(text) - 1)]
        elif kind == 1:
            text.insert(place, rng.choice("0189af:.,/*[]!=-% \t\n\x01\x7f\xe4\u2028"))
        elif kind == 2 and text:
            text.append(rng.choice(text) * rng.choice([1, 2, 300]))
        else:
            text.insert(place, rng.choice(WORDS))
    return "".join(text).replace("\0", "")[:5000]


def line(rng):
    """One that is right, with a few words too many, too few, or others."""
    words = list(rng.choice(LINES))
    for _ in range(rng.choice([0, 1, 1, 2, 5])):
        place = rng.randrange(len(words) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            words.insert(place, spoil(rng, rng.choice(rng.choice([WORDS, OPTIONS]))))
        elif kind == 1 and place < len(words):
            words[place] = rng.choice(rng.choice([WORDS, OPTIONS]))
        elif kind == 2 and place < len(words):
            words[place] = spoil(rng, words[place])
        else:
            del words[place:place + 1]
    return words


def orders(rng):
    """A file for restore."""
    lines = []
    for _ in range(rng.randrange(6)):
        words = [spoil(rng, rng.choice(WORDS[:24])) for _ in range(rng.randrange(5))]
        lines.append(" ".join(["set"] * rng.randrange(2) + words))
    return rng.choice(["\n", "\n", " # ", "\0", "\r\n"]).join(lines)


def complaint(args, text, done):
    """What is wrong with how it ended; nothing, mostly."""
    said = done.stderr.decode(errors="replace")
    if done.returncode not in EXITS:
        return "ended with %d" % done.returncode
    if "Sanitizer" in said or "runtime error" in said:
        return "a sanitizer reports"
    if done.returncode != 1:
        return None
    if said.startswith("looptrack: stdin:") and "resolve" in args:
        # Each line is asked for itself.
        return None if said.count("\n") <= 1 + text.count("\n") else "lines that nobody wrote"
    if done.stdout:
        return "wrong words, and the kernel was asked all the same"
    if said.startswith("Usage:"):
        return None
    if not said.startswith("looptrack: ") or not said.endswith("\n"):
        return "wrong words, and not a line that says which"
    # What is quoted may have line ends of its own.
    if said.count("\n") > 1 + 2 * sum(arg.count("\n") for arg in args):
        return "more than a line"
    return None


def main():
    tool, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(seed)
    endings = dict.fromkeys(EXITS, 0)
    for _ in range(count):
        args, mood, text = line(rng), rng.choice(MOODS), orders(rng)
        # "watched" ends flow watch after three lists.
        env = dict(os.environ, LOOPTRACK_FAKE=mood + " watched",
                   UBSAN_OPTIONS="halt_on_error=1",
                   ASAN_OPTIONS="exitcode=99:detect_leaks=0")
        try:
            done = subprocess.run([tool] + args, input=text.encode(), env=env, timeout=20,
                                  capture_output=True, check=False)
            wrong = complaint(args, text, done)
        except subprocess.TimeoutExpired as late:
            done, wrong = late, "did not end"
        if wrong:
            print("%s: LOOPTRACK_FAKE=%r %r <<< %r" % (wrong, mood, args, text))
            print((done.stderr or b"").decode(errors="replace"))
            print((done.stdout or b"").decode(errors="replace"))
            return 1
        endings[done.returncode] += 1
    print("%d command lines, by exit code:" % count,
          " ".join("%d:%d" % ending for ending in endings.items()))
    # Lines of which nearly all are right, or wrong, would not test much.
    return 0 if endings[0] > count / 10 and endings[1] > count / 10 else 1


if __name__ == "__main__":
    sys.exit(main())
