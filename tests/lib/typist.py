# SPDX-License-Identifier: BSD-2-Clause
"""A machine with somebody at its keyboard, who reads the console. What is not as it should be goes to `problems`."""
import json
import re
import socket
import threading
import time

from machine import Deadline, Machine

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
NAMES = {" ": "spc", "\n": "ret", "-": "minus", "'": "apostrophe", ".": "dot", "/": "slash", "&": "shift+7", "=": "equal"}
PIECE = 6               # keys that surely fit the keyboard's queue, pressed and let go
LINE_TRIES = 3
BYTES = {"ret": b"\r", "ctrl+bracket_right": b"\x1d", "ctrl+u": b"\x15"}         # what a terminal sends for a key
problems = []


class Typist(Machine):
    def text(self):
        return ANSI.sub("", super().text())

    def press(self, *keys):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(20)
        sock.connect(self.qmp_path)
        with sock, sock.makefile("rw") as stream:
            stream.readline()
            self._command(stream, "qmp_capabilities", {})
            for key in keys:
                parts = [{"type": "qcode", "data": name} for name in key.split("+")]
                self._command(stream, "send-key", {"keys": parts, "hold-time": 20})
                time.sleep(0.05)

    @staticmethod
    def _command(stream, name, arguments):
        stream.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        stream.flush()
        while True:
            answer = json.loads(stream.readline())
            if "error" in answer:
                raise OSError(answer["error"]["desc"])
            if "return" in answer:
                return

    def type(self, text):
        self.press(*(NAMES.get(c, "shift+" + c.lower() if c.isupper() else c) for c in text))

    def expect(self, pattern, what, timeout=30):
        found = self.wait_for(pattern, timeout)
        if not found:
            problems.append(f"{what}: nothing like '{pattern}' was printed")
            print(f"PROBLEM {problems[-1]}\n--- the console:\n{self.text()[-3000:]}", flush=True)
            raise SystemExit(1)
        print(f"ok: {what}", flush=True)
        return found

    def type_line(self, line):
        """Type a line in pieces, each when the one before it is on the screen: a keyboard holds a few keys only, and on a
        busy machine nobody fetches them for a while."""
        begin = len(self.text())
        for _ in range(LINE_TRIES):
            for end in range(PIECE, len(line) + PIECE, PIECE):
                self.type(line[end - PIECE:end])
                if not self.wait_for_echo(line[:end], begin):
                    break
            else:
                self.press("ret")
                return
            self.press("ctrl+u")        # a key was lost

    def wait_for_echo(self, text, begin):
        deadline = Deadline(self, 5)
        while not deadline.over() and self.running():
            if text in self.text()[begin:]:
                return True
            time.sleep(0.02)
        return False

    def run(self, line, pattern, what=None):
        """Type a command and wait for an answer behind its echo."""
        begin = len(self.text())
        self.type_line(line)
        deadline = Deadline(self, 30)
        while not deadline.over() and self.running():
            found = re.search(pattern, self.text()[begin:], re.M)
            if found:
                print(f"ok: {what or line}", flush=True)
                return found
            time.sleep(0.02)
        self.expect(r"(?!)", what or line, 0)

    def commits(self):
        """Wait until what was on the screen before is surely committed."""
        before = len(re.findall(r"^\[ckpt\] gen=", self.text(), re.M))
        if not self.wait_for(r"^\[ckpt\] gen=", 30, before + 2):
            problems.append("no checkpoints")
            print("PROBLEM no checkpoints", flush=True)


class SerialTypist(Typist):
    """The same at the other end of the serial line (a socket): keys are bytes."""

    def __init__(self, root, build, serial, line, **more):
        super().__init__(root, build, serial, args=["--serial", "unix:" + line], **more)
        self.line_path, self.line = line, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def start(self):
        super().start()
        end = time.monotonic() + 20
        while True:
            try:
                self.line.connect(self.line_path)
                break
            except OSError:             # the emulator has not opened it yet
                if time.monotonic() > end or not self.running():
                    raise
                time.sleep(0.005)
        threading.Thread(target=self._log, daemon=True).start()
        return self

    def _log(self):
        with open(self.serial, "ab", buffering=0) as file:
            while data := self.line.recv(65536):
                file.write(data)

    def press(self, *keys):
        self.line.sendall(b"".join(BYTES[key] for key in keys))

    def type(self, text):
        self.line.sendall(text.replace("\n", "\r").encode())
