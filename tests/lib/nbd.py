#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A small NBD server that records what the guest does to its disk.

It sits below the emulator (file=nbd+unix:///?socket=...), so it sees what a real disk would see:
every write and flush when it is *submitted* and when it is *completed*, in one ordered log together
with the text of the guest's serial console.  The base image is mapped copy-on-write and never changed.
crashmodel.py rebuilds from this log the images that a power cut may leave.

Invariant: one thread (Recorder._loop) reads every source, so the order of the log is the order of the
world: a console line that follows from a completed flush stands behind that completion.

A write can be held back until a later write or two have been submitted (delay=), because a disk that
completes everything at once never shows a missing wait.  Held writes reach the image when they complete.

By hand:  tests/lib/nbd.py BASE SOCKET [--delay N] [--seed N] [--fail-write N] ...   (ends with SIGINT)
"""
import argparse
import errno
import mmap
import os
import random
import selectors
import socket
import struct
import sys
import threading
import time

NBDMAGIC = 0x4E42444D41474943
IHAVEOPT = 0x49484156454F5054
OPT_REPLY_MAGIC = 0x0003E889045565A9
REQUEST_MAGIC = 0x25609513
REPLY_MAGIC = 0x67446698

OPT_EXPORT_NAME, OPT_ABORT, OPT_LIST, OPT_INFO, OPT_GO = 1, 2, 3, 6, 7
REP_ACK, REP_SERVER, REP_INFO, REP_ERR_UNSUP = 1, 2, 3, 0x80000001
INFO_EXPORT, INFO_BLOCK_SIZE = 0, 3

CMD_READ, CMD_WRITE, CMD_DISC, CMD_FLUSH, CMD_TRIM, CMD_WRITE_ZEROES = 0, 1, 2, 3, 4, 6
FLAG_FUA = 1
# has-flags, send-flush, send-fua, send-trim, send-write-zeroes
EXPORT_FLAGS = 1 | 4 | 8 | 32 | 64

# Kinds of log entries.
WRITE, WRITE_DONE = "write", "write-done"
FLUSH, FLUSH_DONE = "flush", "flush-done"
CONSOLE = "console"

HOLD_LIMIT_S = 0.004        # a held write completes at the latest after this long


class Event:
    """One entry of the log.  `op` ties a completion to its submission; data is what was written."""
    __slots__ = ("kind", "op", "offset", "data", "fua", "error", "text", "time")

    def __init__(self, kind, op=0, offset=0, data=b"", fua=False, error=0, text="", when=0.0):
        self.kind, self.op, self.offset, self.data = kind, op, offset, data
        self.fua, self.error, self.text, self.time = fua, error, text, when

    def __repr__(self):
        if self.kind == CONSOLE:
            return f"<console {self.text!r}>"
        return f"<{self.kind} op={self.op} at={self.offset} len={len(self.data)} err={self.error}>"


class Faults:
    """Injected errors: the n-th operation (from 1) of a kind fails with EIO, `count` times in a row; or all of a kind do,
    while it is in `failing` (change it by Recorder.fail), if they touch `area` (first byte, one past the last)."""

    def __init__(self, rules=()):
        self.rules = list(rules)        # (kind, n, count); kind is "read", "write" or "flush"
        self.failing, self.area = frozenset(), None
        self.seen = {"read": 0, "write": 0, "flush": 0}
        self.given = {"read": 0, "write": 0, "flush": 0}        # errors

    def _fails(self, kind, offset, length):
        now = self.seen[kind]
        if any(rule_kind == kind and first <= now < first + count for rule_kind, first, count in self.rules):
            return True
        area = self.area
        return kind in self.failing and (kind == "flush" or area is None or
                                         (offset < area[1] and area[0] < offset + length))

    def check(self, kind, offset=0, length=0):
        self.seen[kind] += 1
        if self._fails(kind, offset, length):
            self.given[kind] += 1
            return errno.EIO
        return 0


class Held:
    """A write that was submitted and not yet completed."""
    __slots__ = ("conn", "handle", "event", "wait_for", "deadline")

    def __init__(self, conn, handle, event, wait_for, deadline):
        self.conn, self.handle, self.event = conn, handle, event
        self.wait_for, self.deadline = wait_for, deadline


def recv_exact(sock, count):
    """Read exactly count bytes; ConnectionError at the end of the stream."""
    chunks, left = [], count
    while left:
        chunk = sock.recv(min(left, 1 << 20))
        if not chunk:
            raise ConnectionError("peer closed")
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


class Recorder:
    """Serves one base image on a unix socket and keeps the log in self.events.

    delay: a write is held until up to that many further writes were submitted (random, from seed).
    console: path of a FIFO (made here) whose lines go into the same log.
    slow_s: seconds every operation takes longer (a slow disk).
    """

    def __init__(self, base, path, delay=0, seed=0, console=None, faults=(), slow_s=0.0, keep=True):
        self.path, self.delay, self.slow_s, self.keep = path, delay, slow_s, keep
        self.random = random.Random(seed)
        self.faults = Faults(faults)
        self.events, self.held, self.next_op = [], [], 1
        self.file = open(base, "rb")
        self.size = os.fstat(self.file.fileno()).st_size & ~511
        self.image = mmap.mmap(self.file.fileno(), self.size, access=mmap.ACCESS_COPY)
        self.console_path, self.console_fd, self.console_rest = console, None, b""
        self.console_text = bytearray()
        self.selector = selectors.DefaultSelector()
        self.wake_r, self.wake_w = os.pipe()
        self.thread = threading.Thread(target=self._loop, daemon=True)
        self.stopping, self.failure = False, None
        self.silent, self.gone, self.conns = False, False, set()

    # -- trouble, at any time from another thread -----------------------------------------------

    def fail(self, *kinds, area=None):
        """From now on operations of these kinds fail with EIO; none: no longer."""
        self.faults.area = area
        self.faults.failing = frozenset(kinds)

    def hang(self, silent):
        """From now on nothing is answered; or everything that waits is, and what comes."""
        self.silent = silent
        os.write(self.wake_w, b"x")

    def vanish(self, gone):
        """Every connection breaks, and none is taken; or again is."""
        self.gone = gone
        os.write(self.wake_w, b"x")

    # -- life ---------------------------------------------------------------------------------

    def start(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(4)
        self.selector.register(self.listener, selectors.EVENT_READ, self._accept)
        self.selector.register(self.wake_r, selectors.EVENT_READ, self._wake)
        if self.console_path:
            if os.path.exists(self.console_path):
                os.unlink(self.console_path)
            os.mkfifo(self.console_path)
            # Opened for both: never at end of file between two boots.
            self.console_fd = os.open(self.console_path, os.O_RDWR | os.O_NONBLOCK)
            self.selector.register(self.console_fd, selectors.EVENT_READ, self._console)
        self.thread.start()
        return self

    def stop(self):
        self.stopping = True
        os.write(self.wake_w, b"x")
        self.thread.join(timeout=10)
        self.listener.close()
        for fd in (self.wake_r, self.wake_w, self.console_fd):
            if fd is not None:
                os.close(fd)
        for path in (self.path, self.console_path):
            if path and os.path.exists(path):
                os.unlink(path)
        if self.failure:
            raise self.failure

    def uri(self):
        return f"nbd+unix:///?socket={self.path}"

    def save_image(self, path):
        """Write the image as the guest sees it (all completed writes) to a sparse file."""
        with open(path, "wb") as out:
            out.truncate(self.size)
            for at in range(0, self.size, 1 << 16):
                piece = self.image[at:at + (1 << 16)]
                if piece.count(0) != len(piece):
                    out.seek(at)
                    out.write(piece)

    # -- the loop -----------------------------------------------------------------------------

    def _loop(self):
        try:
            while not self.stopping:
                timeout = None
                if self.held and not self.silent:
                    timeout = max(0.0, min(h.deadline for h in self.held) - time.monotonic())
                for key, _ in self.selector.select(timeout):
                    try:
                        key.data(key.fileobj)
                    except ConnectionError:
                        self._drop(key.fileobj)
                self._trouble()
                if not self.silent:
                    self._release()
            if self.console_fd is not None:
                self._console(self.console_fd)
        except Exception as error:      # reported by stop(): a broken recorder must not pass for a good run
            self.failure = error

    def _trouble(self):
        """Listen to the connections that `silent` and `gone` leave."""
        for conn in list(self.conns):
            watched = conn.fileno() in self.selector.get_map()
            if self.gone:
                self._drop(conn)
            elif self.silent and watched:
                self.selector.unregister(conn)
            elif not self.silent and not watched:
                self.selector.register(conn, selectors.EVENT_READ, self._request)

    def _wake(self, fd):
        os.read(fd, 64)

    def _drop(self, conn):
        self.held = [h for h in self.held if h.conn is not conn]
        if conn.fileno() in self.selector.get_map():
            self.selector.unregister(conn)
        self.conns.discard(conn)
        conn.close()

    def _log(self, kind, **fields):
        event = Event(kind, when=time.monotonic(), **fields)
        if self.keep:
            self.events.append(event)
        return event

    def _console(self, fd):
        try:
            while True:
                chunk = os.read(fd, 65536)
                if not chunk:
                    return
                self.console_text += chunk
                *lines, self.console_rest = (self.console_rest + chunk).split(b"\n")
                for line in lines:
                    self._log(CONSOLE, text=line.decode("utf-8", "replace").rstrip("\r"))
        except BlockingIOError:
            return

    # -- negotiation --------------------------------------------------------------------------

    def _accept(self, listener):
        conn, _ = listener.accept()
        try:
            if not self.gone and self._negotiate(conn):
                self.conns.add(conn)
                self.selector.register(conn, selectors.EVENT_READ, self._request)
                return
        except ConnectionError:
            pass
        conn.close()

    def _negotiate(self, conn):
        conn.settimeout(10)
        conn.sendall(struct.pack(">QQH", NBDMAGIC, IHAVEOPT, 3))
        client_flags = struct.unpack(">I", recv_exact(conn, 4))[0]
        while True:
            magic, option, length = struct.unpack(">QII", recv_exact(conn, 16))
            data = recv_exact(conn, length)
            if magic != IHAVEOPT:
                return False
            if option == OPT_EXPORT_NAME:
                pad = b"" if client_flags & 2 else bytes(124)
                conn.sendall(struct.pack(">QH", self.size, EXPORT_FLAGS) + pad)
                conn.settimeout(None)
                return True
            if option == OPT_ABORT:
                self._option_reply(conn, option, REP_ACK)
                return False
            if option in (OPT_INFO, OPT_GO):
                self._option_reply(conn, option, REP_INFO,
                                   struct.pack(">HQH", INFO_EXPORT, self.size, EXPORT_FLAGS))
                self._option_reply(conn, option, REP_INFO,
                                   struct.pack(">HIII", INFO_BLOCK_SIZE, 512, 4096, 32 << 20))
                self._option_reply(conn, option, REP_ACK)
                if option == OPT_GO:
                    conn.settimeout(None)
                    return True
            elif option == OPT_LIST:
                self._option_reply(conn, option, REP_SERVER, struct.pack(">I", 0))
                self._option_reply(conn, option, REP_ACK)
            else:
                self._option_reply(conn, option, REP_ERR_UNSUP)

    @staticmethod
    def _option_reply(conn, option, kind, data=b""):
        conn.sendall(struct.pack(">QIII", OPT_REPLY_MAGIC, option, kind, len(data)) + data)

    # -- transmission -------------------------------------------------------------------------

    def _request(self, conn):
        header = recv_exact(conn, 28)
        magic, flags, kind, handle, offset, length = struct.unpack(">IHHQQI", header)
        if magic != REQUEST_MAGIC:
            raise ConnectionError("bad request magic")
        if self.slow_s:
            time.sleep(self.slow_s)
        if kind == CMD_DISC:
            raise ConnectionError("client is done")
        data = recv_exact(conn, length) if kind == CMD_WRITE else b""
        if kind != CMD_FLUSH and offset + length > self.size:
            self._reply(conn, handle, errno.EINVAL)
        elif kind == CMD_READ:
            error = self.faults.check("read", offset, length)
            self._reply(conn, handle, error, b"" if error else self.image[offset:offset + length])
        elif kind == CMD_WRITE:
            self._submit_write(conn, handle, offset, data, bool(flags & FLAG_FUA))
        elif kind == CMD_WRITE_ZEROES:
            self._submit_write(conn, handle, offset, bytes(length), bool(flags & FLAG_FUA))
        elif kind == CMD_FLUSH:
            self._flush(conn, handle)
        elif kind == CMD_TRIM:
            self._reply(conn, handle, 0)        # advice only: nothing changes, nothing to log
        else:
            self._reply(conn, handle, errno.EINVAL)

    def _submit_write(self, conn, handle, offset, data, fua):
        op, self.next_op = self.next_op, self.next_op + 1
        event = self._log(WRITE, op=op, offset=offset, data=data, fua=fua)
        for held in self.held:
            held.wait_for -= 1
        wait_for = self.random.randint(0, self.delay) if self.delay else 0
        self.held.append(Held(conn, handle, event, wait_for, time.monotonic() + HOLD_LIMIT_S))

    def _release(self):
        """Complete the writes whose time has come, oldest first."""
        now = time.monotonic()
        ready = [h for h in self.held if h.wait_for <= 0 or h.deadline <= now]
        self.held = [h for h in self.held if h not in ready]
        for held in ready:
            event = held.event
            error = self.faults.check("write", event.offset, len(event.data))
            if not error:
                self.image[event.offset:event.offset + len(event.data)] = event.data
            self._log(WRITE_DONE, op=event.op, error=error)
            self._reply(held.conn, held.handle, error)

    def _flush(self, conn, handle):
        op, self.next_op = self.next_op, self.next_op + 1
        self._log(FLUSH, op=op)
        error = self.faults.check("flush")
        self._log(FLUSH_DONE, op=op, error=error)
        self._reply(conn, handle, error)

    @staticmethod
    def _reply(conn, handle, error, data=b""):
        try:
            conn.sendall(struct.pack(">IIQ", REPLY_MAGIC, error, handle) + data)
        except OSError:
            pass        # the emulator was killed: its end of file is seen by the loop


def main():
    parser = argparse.ArgumentParser(description="serve an image copy-on-write over NBD and print the log")
    parser.add_argument("base")
    parser.add_argument("socket")
    parser.add_argument("--delay", type=int, default=0, help="hold writes back by up to N later writes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fail-write", type=int, action="append", default=[], metavar="N",
                        help="the N-th write fails with EIO")
    parser.add_argument("--fail-flush", type=int, action="append", default=[], metavar="N")
    parser.add_argument("--fail-read", type=int, action="append", default=[], metavar="N")
    parser.add_argument("--save", metavar="FILE", help="write the resulting image here at the end")
    args = parser.parse_args()
    rules = [("write", n, 1) for n in args.fail_write] + [("flush", n, 1) for n in args.fail_flush]
    rules += [("read", n, 1) for n in args.fail_read]
    recorder = Recorder(args.base, args.socket, args.delay, args.seed, faults=rules).start()
    print(recorder.uri(), flush=True)
    try:
        recorder.thread.join()
    except KeyboardInterrupt:
        recorder.stop()
    for event in recorder.events:
        print(event)
    if args.save:
        recorder.save_image(args.save)
    return 0


if __name__ == "__main__":
    sys.exit(main())
