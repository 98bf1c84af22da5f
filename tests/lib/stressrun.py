# SPDX-License-Identifier: BSD-2-Clause
"""The stress programs as a workload, and what their console output must satisfy across kills.

Oracle (class History), over any number of boots of one disk:
 - the first boot is genesis; a later one recovers a generation that is at least the newest named by a
   `[ckpt] gen=` line before, with a higher boot number and a clock that has not gone back;
 - generations grow;
 - the counter never goes back: a line stamped at or before the recovered clock stays true for ever;
 - no `[stress] FAIL`, no panic, no checkpoint error.
"""
import os
import re
import subprocess

GENESIS = re.compile(r"^\[boot\] genesis", re.M)
RECOVERED = re.compile(r"^\[boot\] recovered (.*)$", re.M)
BOOTED = r"^\[boot\] (?:genesis|recovered)"
COMMIT = re.compile(r"^\[ckpt\] gen=(\d+) ", re.M)
COUNTER = re.compile(r"\[counter\] n=(\d+) clock_us=(\d+)$", re.M)
ALIVE = re.compile(r"\[stress\] ok name=(\w+) rounds=(\d+)", re.M)
BAD = re.compile(r"^.*(?:\[stress\] FAIL|PANIC:|\[panic\]|\[ckpt\] error|could not be started|not understood).*$", re.M)
PROGRAMS = ("counter", "mem", "ipc", "sleep", "fpu", "thread", "pagers", "bank", "ring", "queue", "holes")


def make_archive(root, build, out, programs="all", config=None):
    """An archive whose boot.cfg starts the terminal and the stress programs."""
    source = os.path.join(root, "build", build, "bin")
    files = [os.path.join(source, name) for name in sorted(os.listdir(source))
             if "." not in name]
    folder = out + ".files"
    os.makedirs(folder, exist_ok=True)
    boot_cfg = os.path.join(folder, "boot.cfg")
    with open(boot_cfg, "w") as file:
        file.write(config or "".join(["start term\n"] + [f"start stress {name}\n" for name in programs.split(",")]))
    subprocess.run([os.path.join(root, "scripts", "mkarchive"), out] + files + [boot_cfg], check=True)
    return out


class History:
    """Feed it the console text of each boot, in order; self.problems collects what is wrong."""

    def __init__(self):
        self.boots, self.committed, self.boot_number, self.clock = 0, 0, 0, 0
        self.counters, self.alive, self.commits, self.recoveries, self.problems = [], {}, 0, 0, []

    def problem(self, text):
        self.problems.append(f"boot {self.boots}: {text}")

    def add(self, text):
        """The output of one boot, possibly cut off anywhere."""
        self.boots += 1
        text = text[:text.rfind("\n") + 1]      # the last line may be half a line
        for line in BAD.findall(text):
            self.problem(line.strip())
        recovered = RECOVERED.findall(text)
        if len(recovered) + len(GENESIS.findall(text)) > 1:
            self.problem("booted more than once: unexpected reset")
        if recovered:
            self._recovery(dict(word.split("=", 1) for word in recovered[0].split() if "=" in word))
        elif GENESIS.search(text) and self.committed:
            self.problem(f"genesis, although generation {self.committed} was committed")
        for generation in map(int, COMMIT.findall(text)):
            if generation <= self.committed:
                self.problem(f"generation {generation} committed after {self.committed}")
            self.committed = generation
            self.commits += 1
        self._counter(text)
        for name, rounds in ALIVE.findall(text):
            self.alive[name] = int(rounds)

    def _recovery(self, words):
        self.recoveries += 1
        generation, boot, clock = int(words["gen"]), int(words["boot"]), int(words["clock_us"])
        if generation < self.committed:
            self.problem(f"recovered generation {generation}, but {self.committed} was committed")
        if boot <= self.boot_number:
            self.problem(f"boot number {boot} after {self.boot_number}")
        if clock < self.clock:
            self.problem(f"clock went back from {self.clock} to {clock}")
        self.committed, self.boot_number, self.clock = generation, boot, clock
        # What was printed after the snapshot never happened.
        self.counters = [(n, at) for n, at in self.counters if at <= clock]

    def _counter(self, text):
        for n, at in ((int(n), int(at)) for n, at in COUNTER.findall(text)):
            if self.counters and (n <= self.counters[-1][0] or at <= self.counters[-1][1]):
                last = self.counters[-1]
                # A line that stood in a buffer at the snapshot may be printed again, the same.
                if (n, at) != last:
                    self.problem(f"counter n={n} clock_us={at} after n={last[0]} clock_us={last[1]}")
                continue
            self.counters.append((n, at))
