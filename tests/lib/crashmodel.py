# SPDX-License-Identifier: BSD-2-Clause
"""Rebuilds the disk images that a power cut may leave, from the log of nbd.py.

Model.  At crash point p (a position in the log) a write is *durable* if it completed before a flush
was submitted that itself completed before p, or if it was FUA and completed before p.  Every other write
submitted before p is *volatile*, and each of its 512-byte sectors for itself may or may not be there.
Writes to the same sector keep their order of completion (those not completed: of submission, last).

Policies choose among the volatile sectors.  Flush boundaries alone miss a missing barrier; dropping or
keeping single writes and tearing sectors finds it; random subsets find the rest.

Invariant of ImageBuilder: between two images its file holds exactly base + writes durable at the point
reached; apply() puts volatile sectors on top and undo() takes them off again.
"""
import os
import random
import re

from nbd import CONSOLE, FLUSH, FLUSH_DONE, WRITE, WRITE_DONE

SECTOR = 512
COMMITTED = re.compile(r"\[ckpt\] gen=(\d+)")
RECOVERED = re.compile(r"\[boot\] recovered .*?\bgen=(\d+)")
POLICIES = ("boundary", "all", "drop-one", "keep-one", "subset", "torn")


class Plan:
    """One image to build: crash point (log position), policy, and its own random stream."""
    __slots__ = ("point", "policy", "seed", "number")

    def __init__(self, point, policy, seed, number):
        self.point, self.policy, self.seed, self.number = point, policy, seed, number

    def __str__(self):
        return f"image {self.number}: {self.policy} at log position {self.point}, seed {self.seed}"


class Log:
    """The log, with for every write the position at which it became durable (None: never)."""

    def __init__(self, events):
        self.events = events
        self.submitted, self.completed, self.durable = {}, {}, {}
        self.flush_points = []
        uncovered, flushing = [], {}
        for position, event in enumerate(events):
            if event.kind == WRITE:
                self.submitted[event.op] = position
            elif event.kind == WRITE_DONE and not event.error:
                self.completed[event.op] = position
                if events[self.submitted[event.op]].fua:
                    self.durable[event.op] = position
                else:
                    uncovered.append(event.op)
            elif event.kind == FLUSH:
                flushing[event.op] = list(uncovered)
            elif event.kind == FLUSH_DONE and not event.error:
                for op in flushing.pop(event.op):
                    self.durable.setdefault(op, position)
                uncovered = [op for op in uncovered if op not in self.durable]
                self.flush_points.append(position + 1)

    def order(self, op):
        """Sort key of a write among those to the same sector."""
        return (self.completed.get(op, len(self.events)), self.submitted[op])

    def becoming_durable(self, first, last):
        """Writes that become durable at log positions first <= p < last, in their order on the disk."""
        ops = [op for op, at in self.durable.items() if first <= at < last]
        return sorted(ops, key=self.order)

    def volatile(self, point):
        """Writes submitted before the point and not durable at it, in order."""
        ops = [op for op, at in self.submitted.items()
               if at < point and self.durable.get(op, len(self.events)) >= point]
        return sorted(ops, key=self.order)

    def committed_before(self, point):
        """The newest generation the guest's console had named as committed (or recovered) by then, or 0."""
        newest = 0
        for event in self.events[:point]:
            if event.kind == CONSOLE:
                match = COMMITTED.search(event.text) or RECOVERED.search(event.text)
                if match:
                    newest = max(newest, int(match.group(1)))
        return newest

    def write(self, op):
        return self.events[self.submitted[op]]


def plan_images(log, seed, limit=None, start=0):
    """All crash plans from log position `start` on: two images at every flush boundary, then the sampling policies at
    random points until `limit` is reached (None: twice as many again)."""
    rng = random.Random(seed)
    plans = []
    boundaries = [p for p in log.flush_points if p > start]

    def add(point, policy):
        plans.append(Plan(point, policy, rng.getrandbits(32), len(plans)))

    for point in boundaries:
        add(point, "boundary")
        add(point, "all")
    writes = [at + 1 for at in log.submitted.values() if at + 1 > start]
    done = [at + 1 for at in log.completed.values() if at + 1 > start]
    # The last events before a flush completes are where a missing barrier shows: as many points there as elsewhere.
    late = [p - back for p in boundaries for back in (1, 2, 3, 4) if p - back > start]
    points = writes + done
    if late:
        points = rng.sample(points, min(len(points), 2000)) + rng.choices(late, k=min(len(points), 2000))
    if limit is None:
        limit = 3 * len(plans)
    sampled = POLICIES[1:]
    if not points:
        return plans[:limit]
    if len(plans) > limit // 3:         # keep the boundaries to a third: the other policies need their share
        plans = sorted(rng.sample(plans, limit // 3), key=lambda plan: plan.number)
    while len(plans) < limit:
        add(rng.choice(points), sampled[len(plans) % len(sampled)])
    for number, plan in enumerate(plans):
        plan.number = number
    return plans


def choose_sectors(log, plan):
    """The volatile sectors this plan keeps: list of (disk offset, bytes), in the order they reach the disk."""
    rng = random.Random(plan.seed)
    ops = log.volatile(plan.point)
    if plan.policy == "boundary":
        return []
    if plan.policy == "drop-one" and ops:
        ops.remove(rng.choice(ops))
    elif plan.policy == "keep-one" and ops:
        # The youngest writes are the dangerous ones (a superblock before its data): favour them.
        ops = [ops[-1] if rng.random() < 0.5 else rng.choice(ops)]
    elif plan.policy == "subset":
        share = rng.choice((0.1, 0.5, 0.9))
        ops = [op for op in ops if rng.random() < share]
    pieces = []
    for op in ops:
        event = log.write(op)
        if plan.policy != "torn":
            pieces.append((event.offset, event.data))
            continue
        for at in range(0, len(event.data), SECTOR):
            if rng.random() < 0.5:
                pieces.append((event.offset + at, event.data[at:at + SECTOR]))
    return pieces


class ImageBuilder:
    """Builds the images of a list of plans one after the other in a single file; plans are visited in the
    order of their crash points, so that durable writes are applied once."""

    def __init__(self, log, base, path):
        self.log, self.path, self.reached = log, path, 0
        size = os.path.getsize(base) & ~(SECTOR - 1)
        with open(base, "rb") as source, open(path, "wb") as out:
            out.truncate(size)
            for at in range(0, size, 1 << 16):
                piece = source.read(1 << 16)
                if piece.count(0) != len(piece):
                    out.seek(at)
                    out.write(piece)
        self.file = open(path, "r+b", buffering=0)
        self.undone = []

    def images(self, plans):
        """Yield each plan while the file holds its image."""
        for plan in sorted(plans, key=lambda p: (p.point, p.number)):
            self._advance(plan.point)
            self._apply(choose_sectors(self.log, plan))
            yield plan
            self._undo()

    def close(self):
        self.file.close()
        os.unlink(self.path)

    def _advance(self, point):
        for op in self.log.becoming_durable(self.reached, point):
            event = self.log.write(op)
            os.pwrite(self.file.fileno(), event.data, event.offset)
        self.reached = point

    def _apply(self, pieces):
        for offset, data in pieces:
            self.undone.append((offset, os.pread(self.file.fileno(), len(data), offset)))
            os.pwrite(self.file.fileno(), data, offset)

    def _undo(self):
        for offset, data in reversed(self.undone):
            os.pwrite(self.file.fileno(), data, offset)
        self.undone = []
