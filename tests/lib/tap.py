# SPDX-License-Identifier: BSD-2-Clause
"""Reads prefixed TAP (`T> ...`) out of a serial log that other lines are mixed into.

    T> 1..N                      plan, first, once
    T> ok 3 name                 T> not ok 4 name # detail
    T> skip 5 name # reason      T> done           last, once
    T> # text                    a remark; belongs to the next result

A log is good only if it has a plan and a done line, exactly the planned results, none doubled, at least
one that is not a skip, and no sign of a crash.  Everything else is a problem: silence is never success.
"""
import re

LINE = re.compile(r"T> (.*)")
PLAN = re.compile(r"1\.\.(\d+)$")
RESULT = re.compile(r"(ok|not ok|skip) (\d+) ([^#]*?)\s*(?:# ?(.*))?$")
CRASH = re.compile(r"PANIC:|\[panic\]|Triple fault|KVM internal error")
BOOT = re.compile(r"\[boot\] (genesis|recovered)")


class Result:
    """One test: state is "ok", "not ok" or "skip"."""
    __slots__ = ("number", "name", "state", "detail")

    def __init__(self, number, name, state, detail):
        self.number, self.name, self.state, self.detail = number, name, state, detail


class Report:
    """What a log says.  problems: texts, empty when the log is well-formed and free of crashes."""

    def __init__(self):
        self.plan, self.done, self.results, self.problems, self.remarks = None, False, [], [], []


def parse(text, boots=1):
    """Parse the serial output `text` of a run in which the machine should have booted `boots` times
    (None: do not care)."""
    report, remarks, seen_boots = Report(), [], 0
    for line in text.replace("\r", "").split("\n"):
        if CRASH.search(line):
            report.problems.append("crash: " + line.strip())
        seen_boots += bool(BOOT.search(line))
        match = LINE.search(line)
        if match:
            _line(report, match.group(1).strip(), remarks)
    if boots is not None and seen_boots > boots:
        report.problems.append(f"unexpected reset: booted {seen_boots} times")
    _judge(report)
    return report


def _line(report, body, remarks):
    if report.done:
        report.problems.append(f"line after done: {body}")
    plan, result = PLAN.match(body), RESULT.match(body)
    if plan:
        if report.plan is not None:
            report.problems.append("second plan line")
        report.plan = int(plan.group(1))
    elif result:
        state, number, name, detail = result.groups()
        detail = "; ".join(filter(None, [detail or ""] + remarks))
        remarks.clear()
        report.results.append(Result(int(number), name, state, detail))
    elif body == "done":
        report.done = True
    elif body.startswith("#"):
        remarks.append(body[1:].strip())
        report.remarks.append(body[1:].strip())
    else:
        report.problems.append(f"line not understood: {body}")


def _judge(report):
    numbers = [r.number for r in report.results]
    if report.plan is None:
        report.problems.append("no plan line")
    elif sorted(numbers) != list(range(1, report.plan + 1)):
        missing = sorted(set(range(1, report.plan + 1)) - set(numbers))
        doubled = sorted({n for n in numbers if numbers.count(n) > 1})
        report.problems.append(f"planned {report.plan}, got {len(numbers)} results"
                               f" (missing {missing}, doubled {doubled})")
    if not report.done:
        report.problems.append("no done line")
    if report.plan == 0 or (report.results and all(r.state == "skip" for r in report.results)):
        report.problems.append("nothing was tested")
