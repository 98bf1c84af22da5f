#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The recorder and the crash model judge everything else, so they are judged first.

Property: a toy journal (data block, flush, pointer block, flush) written correctly survives every image of
the model; written without its first flush, or without waiting for the data before it, it does not.
Runs qemu-io against the recorder as well, so that the NBD protocol is checked by another implementation.
Exit status 0 when all checks hold; one `ok`/`not ok` line each.
"""
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import crashmodel
import nbd

ROUNDS = 12
failures = 0


def check(name, holds, detail=""):
    global failures
    failures += not holds
    print(f"{'ok' if holds else 'not ok'} {name}{'' if holds else ': ' + str(detail)}")


class Client:
    """The least NBD client: pipelined writes, flush, wait for all answers."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(path)
        nbd.recv_exact(self.sock, 18)
        self.sock.sendall(struct.pack(">I", 3) + struct.pack(">QII", nbd.IHAVEOPT, nbd.OPT_EXPORT_NAME, 0))
        nbd.recv_exact(self.sock, 10)
        self.pending = 0

    def send(self, kind, offset=0, data=b""):
        self.sock.sendall(struct.pack(">IHHQQI", nbd.REQUEST_MAGIC, 0, kind, 1, offset, len(data)) + data)
        self.pending += 1

    def wait(self):
        while self.pending:
            nbd.recv_exact(self.sock, 16)
            self.pending -= 1


def write_journal(path, flush_first, wait_first):
    """Round n: 4 data blocks in slot n%2 all filled with n, then the pointer block naming the round."""
    client = Client(path)
    for n in range(1, ROUNDS + 1):
        base = 65536 * (1 + n % 2)
        for block in range(4):
            client.send(nbd.CMD_WRITE, base + 4096 * block, bytes([n]) * 4096)
        if wait_first:
            client.wait()
        if flush_first:
            client.send(nbd.CMD_FLUSH)
            client.wait()
        client.wait()
        client.send(nbd.CMD_WRITE, 4096 * (n % 2), struct.pack("<Q", n) * 64)
        client.wait()
        client.send(nbd.CMD_FLUSH)
        client.wait()
    client.sock.close()


def journal_ok(image):
    """The newest whole pointer must name whole data."""
    newest = 0
    for slot in (0, 1):
        sector = image[4096 * slot:4096 * slot + 512]
        n = struct.unpack("<Q", sector[:8])[0]
        if sector == struct.pack("<Q", n) * 64:
            newest = max(newest, n)
    if not newest:
        return True
    base = 65536 * (1 + newest % 2)
    return image[base:base + 16384] == bytes([newest]) * 16384


def run_journal(folder, name, flush_first, wait_first):
    base = os.path.join(folder, "base.img")
    with open(base, "wb") as file:
        file.truncate(1 << 20)
    recorder = nbd.Recorder(base, os.path.join(folder, name + ".sock"), delay=2, seed=7).start()
    write_journal(recorder.path, flush_first, wait_first)
    time.sleep(0.05)
    recorder.stop()
    log = crashmodel.Log(recorder.events)
    plans = crashmodel.plan_images(log, seed=11, limit=300)
    builder = crashmodel.ImageBuilder(log, base, os.path.join(folder, "crash.img"))
    bad = {}
    for plan in builder.images(plans):
        with open(builder.path, "rb") as file:
            if not journal_ok(file.read()):
                bad[plan.policy] = bad.get(plan.policy, 0) + 1
    builder.close()
    return len(plans), bad


def check_qemu_io(folder):
    base = os.path.join(folder, "io.img")
    with open(base, "wb") as file:
        file.write(b"\x11" * (1 << 20))
    recorder = nbd.Recorder(base, os.path.join(folder, "io.sock"), delay=2, seed=1,
                            faults=[("write", 4, 1)]).start()
    commands = ["read -P 0x11 0 1M", "write -P 0x5a 0 64k", "aio_write -P 1 64k 4k", "aio_write -P 2 128k 4k",
                "aio_flush", "flush", "read -P 0x5a 0 64k", "read -P 2 128k 4k", "read -P 0x11 512k 4k"]
    args = ["qemu-io", "-f", "raw", recorder.uri()]
    for command in commands:
        args += ["-c", command]
    good = subprocess.run(args, capture_output=True, text=True)
    bad = subprocess.run(args[:4] + ["-c", "write 0 4k"], capture_output=True, text=True)
    recorder.stop()
    check("qemu-io reads back what it wrote", good.returncode == 0, good.stdout + good.stderr)
    check("qemu-io sees the injected error", "Input/output error" in bad.stdout + bad.stderr, bad.stderr)
    with open(base, "rb") as file:
        check("the base image is untouched", file.read() == b"\x11" * (1 << 20))


def main():
    folder = tempfile.mkdtemp(prefix="crashmodel")
    try:
        if shutil.which("qemu-io"):
            check_qemu_io(folder)
        count, bad = run_journal(folder, "good", True, True)
        check(f"correct journal survives all {count} images", not bad, bad)
        count, bad = run_journal(folder, "noflush", False, True)
        check("journal without its first flush is caught", bad, f"0 of {count}")
        count, bad = run_journal(folder, "nowait", True, False)
        check("journal that does not wait before its flush is caught", bad, f"0 of {count}")
    finally:
        shutil.rmtree(folder)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
