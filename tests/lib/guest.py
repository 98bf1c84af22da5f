# SPDX-License-Identifier: BSD-2-Clause
"""Runs one in-guest TAP suite: a program that is started as the root task (root=NAME) and speaks tap.py.

A plain suite runs in one boot.  A persistence suite (NAME begins with persist_) has the shape: set up,
checkpoint, killed, booted again, verify.  It prints `[test] kill N` when its set-up N is committed; we
SIGKILL the emulator some random milliseconds later and boot again from the same disk.  With `crashes=K` the next K boots
are killed too, early; `[test] poweroff` announces that the machine will end by itself and is to be booted again.
"""
import os
import random
import time

import tap
from machine import Machine, Skip

REQUEST = r"^\[test\] (?:kill \d+(?: crashes=(?P<crashes>\d+))?|(?P<off>poweroff))$"
DONE_OR_CRASH = r"^T> done$|PANIC:|\[panic\]"
MAX_BOOTS = 12
EXIT_PASS, EXIT_FAIL = (0x10 << 1) | 1, (0x11 << 1) | 1     # tests/guest/lib/test.h: EXIT(0x10), EXIT(0x11)


class SuiteRun:
    """What came out: the TAP report, all problems (empty: good), the serial log's path."""

    def __init__(self, name):
        self.name, self.report, self.problems, self.log, self.seconds = name, None, [], None, 0.0


def is_persistent(suite):
    return suite.startswith("persist_")


def run_suite(root, build, suite, folder, append="", timeout=60, seed=0, memory=None, args=(), disk=True,
              boot="direct", resume_build=None):
    """Run tests/guest/SUITE as the root task.  folder: where its serial log and disk go (made here).  disk=False:
    on a machine without one; boot: the boot path; resume_build: the build that every boot after the first takes.
    Returns a SuiteRun."""
    os.makedirs(folder, exist_ok=True)
    run, rng, text, boots = SuiteRun(suite), random.Random(seed), "", 0
    run.log = os.path.join(folder, "serial.log")
    image = os.path.join(folder, "disk.img")
    for stale in (image, run.log):
        if os.path.exists(stale):
            os.unlink(stale)
    program = os.path.join(root, "build", build, "tests", suite)
    if not os.path.exists(program):
        raise Skip(f"{program} is not built")
    began = time.monotonic()
    crashes, again, served = 0, True, set()
    while again and boots < MAX_BOOTS:
        boots += 1
        serial = os.path.join(folder, f"serial.{boots}.log")
        machine = Machine(root, resume_build or build if boots > 1 else build, serial, disk=image if disk else None,
                          append=append, memory=memory, args=args, boot=boot, root_task=program)
        if crashes:
            crashes, again, status = crashes - 1, True, None
            with machine:
                time.sleep(rng.uniform(0.1, 0.8))
        else:
            again, status, crashes = one_boot(machine, timeout, rng, served)
        text += machine.text()
        os.unlink(serial)
    with open(run.log, "w") as file:
        file.write(text)
    run.seconds = time.monotonic() - began
    run.report = tap.parse(text, boots)
    judge(run, status, again)
    if not run.problems and not any(r.state == "not ok" for r in run.report.results):
        if disk:
            os.unlink(image)
    return run


def one_boot(machine, timeout, rng, served):
    """Boot once: (whether to boot again, exit status or None, boots to be killed early after this one).  served: requests
    that have been met: a machine that resumes right before its request prints it again, and goes on by itself."""
    with machine:
        found = machine.wait_for(REQUEST + "|" + DONE_OR_CRASH, timeout, unless=served)
        if found and found.group(0).startswith("[test]"):
            served.add(found.group(0))
        if found and found.group("off"):
            return machine.wait_exit(20) == 0, None, 0
        if found and found.group(0).startswith("[test]"):
            time.sleep(rng.uniform(0, 0.15))
            return True, None, int(found.group("crashes") or 0)
        if found and found.group(0) != "T> done":
            machine.wait_exit(1)            # let it print registers and the stack
            return False, None, 0
        return False, machine.wait_exit(10 if found else 0.1), 0


def judge(run, status, again):
    """Add to run.problems what the report cannot know: time-out, reset, exit status."""
    report = run.report
    run.problems += report.problems
    if again:
        run.problems.append(f"asked to be booted {MAX_BOOTS} times")
    elif not report.done and status is None:
        run.problems.append("timeout")
    elif not report.done:
        run.problems.append(f"the machine ended by itself, status {status}")
    elif status not in (EXIT_PASS, EXIT_FAIL):
        run.problems.append(f"did not end by EXIT after done (status {status})")
    failed = any(r.state == "not ok" for r in report.results)
    if status == EXIT_PASS and failed or status == EXIT_FAIL and not failed:
        run.problems.append(f"exit status {status} contradicts the results")
