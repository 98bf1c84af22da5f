# SPDX-License-Identifier: BSD-2-Clause
"""One run of the emulator under test control.

Every boot goes through scripts/run, the only place that knows the emulator's flags.  The serial console is a
file that is polled, or the console FIFO of a recorder (nbd.py).  All waiting is by the monotonic clock.
The processes of a run are found by their session, so that a SIGKILL hits the emulator itself, whatever
wrappers scripts/run puts around it. Time in which the emulator wanted a processor of a busy host and got none does not count
in any time-out (Deadline).
"""
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import time

POLL_S = 0.005
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")        # what the console driver redraws its last line with


class Failure(Exception):
    """A test failed; the text says why."""


class Skip(Exception):
    """A test cannot run here; the text says why."""


def die_with_parent():
    """In the child, before exec: no emulator outlives a runner that was killed."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def session_members(session):
    """Process ids of a session."""
    members = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                fields = file.read().rsplit(b")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != b"Z":
            members.append(int(entry))
    return members


def wanted_processor(pid):
    """Seconds that the thread of this process which had to wait longest has waited for a processor, ready to run."""
    longest = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            longest = max(longest, int(file.read().split()[1]))
    return longest / 1e9


class Deadline:
    """When so many seconds will have passed for a machine: the host may be busy with other things, and the guest stands still
    then, while its clock goes on."""

    def __init__(self, machine, seconds):
        self.machine, self.end, self.starved = machine, time.monotonic() + seconds, machine.starved()

    def over(self):
        if time.monotonic() <= self.end:
            return False
        starved = self.machine.starved()
        self.end, self.starved = self.end + starved - self.starved, starved
        return time.monotonic() > self.end


class Machine:
    """A running emulator.  args: further arguments of scripts/run.

    build: "release" or "debug"; serial: path of the serial log of this boot; recorder: an nbd.Recorder with a console,
    used as disk; reboot: whether a reset of the guest starts it again (else it ends the emulator).
    """

    def __init__(self, root, build, serial, disk=None, append="", memory=None, recorder=None, boot="direct",
                 root_task=None, args=(), qmp=None, disk_size="128M", reboot=False):
        self.serial, self.recorder, self.qmp_path = serial, recorder, qmp
        self.start_mark = len(recorder.console_text) if recorder else 0
        command = [os.path.join(root, "scripts", "run"), "--build", os.path.join(root, "build", build),
                   "--headless", "--" + boot, "--serial", recorder.console_path if recorder else serial]
        if recorder:
            command += ["--nbd", recorder.path]
        elif disk:
            command += ["--disk", disk, "--disk-size", disk_size]
        if not reboot:
            command += ["--no-reboot"]
        if memory:
            command += ["--memory", memory]
        if root_task:
            command += ["--root-task", root_task]
        if append:
            command += ["--append", append]
        if qmp:
            command += ["--qmp", qmp]
        self.command = command + list(args)
        self.process, self.log, self.longest_starved = None, None, 0.0

    def start(self):
        if not self.recorder:
            open(self.serial, "wb").close()
        self.log = open(self.serial + ".run", "wb")
        self.log.write((" ".join(self.command) + "\n").encode())
        self.log.flush()
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=subprocess.STDOUT, start_new_session=True,
                                        preexec_fn=die_with_parent)
        return self

    def text(self):
        """The serial output of this boot so far."""
        if self.recorder:
            data = bytes(self.recorder.console_text[self.start_mark:])
        else:
            with open(self.serial, "rb") as file:
                data = file.read()
        return ESCAPES.sub("", data.decode("utf-8", "replace").replace("\r", ""))

    def running(self):
        return self.process.poll() is None

    def starved(self):
        """Seconds since its start in which the emulator was ready to run and had no processor."""
        for pid in session_members(self.process.pid):
            try:
                self.longest_starved = max(self.longest_starved, wanted_processor(pid))
            except OSError:
                pass                    # it has ended
        return self.longest_starved

    def wait_for(self, pattern, timeout, count=1, unless=()):
        """Wait until the pattern occurs `count` times in the output, matches whose text is in `unless` not counted;
        the last match.  None when the emulator ended or the time is up before."""
        pattern, deadline = re.compile(pattern, re.M), Deadline(self, timeout)
        while True:
            alive = self.running()
            found = [match for match in pattern.finditer(self.text()) if match.group(0) not in unless]
            if len(found) >= count:
                return found[-1]
            if not alive or deadline.over():
                return None
            time.sleep(POLL_S)

    def wait_exit(self, timeout):
        """Wait for the emulator to end by itself: its exit status, or None when the time is up."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        """SIGKILL, at once: nothing in the emulator gets to run again."""
        if self.process is None:
            return
        for _ in range(50):
            members = session_members(self.process.pid)
            for pid in members:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if not members:
                break
            time.sleep(0.01)
        self.process.wait()
        if self.recorder:
            time.sleep(0.05)            # what stands in the FIFO is read by the recorder's thread
            with open(self.serial, "ab") as file:
                file.write(self.text().encode())
        self.log.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def diagnose(self):
        """Where the processor is: a few looks at its registers through the control socket, for a machine that hangs."""
        looks = []
        try:
            for _ in range(5):
                self.qmp("stop")
                looks.append(self.qmp("human-monitor-command", **{"command-line": "info registers"})["return"])
                self.qmp("cont")
                time.sleep(0.05)
        except (OSError, ValueError, KeyError) as error:
            looks.append(f"no diagnosis: {error}")
        keep = ("RAX", "RSI", "R8", "R12", "RIP", "CR0")
        return "\n".join(line for look in looks for line in look.replace("\r", "").split("\n")
                         if line.startswith(keep) or line.startswith("no "))

    def qmp(self, *commands, **arguments):
        """Run commands of the emulator's control socket, the last one with the arguments; returns the last answer."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(10)
        sock.connect(self.qmp_path)
        with sock, sock.makefile("rw") as stream:
            stream.readline()
            answer = None
            for command in ("qmp_capabilities",) + commands:
                request = {"execute": command}
                if command == commands[-1] and arguments:
                    request["arguments"] = arguments
                stream.write(json.dumps(request) + "\n")
                stream.flush()
                while True:
                    answer = json.loads(stream.readline())
                    if "event" not in answer:
                        break
        return answer
