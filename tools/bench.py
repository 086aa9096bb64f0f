#!/usr/bin/env python3
"""Measures rig's generator and toy backend beside wrk, h2load and oha, and writes results/bench/peers.json and peers.md.

Each round asks every tool in turn, generator on one processor and server on another, so that what else the machine does
falls on all of them alike. A figure is the median of the rounds. A tool that is missing is named as a gap.

    tools/bench.py [ROUNDS]
"""

import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RIG = ROOT / "target/release/rig"
JOB = ROOT / "target/debug/examples/agent_job"
OUT = ROOT / "results/bench"
CONNECTIONS = 64
SECONDS = 3
RATES = [2_000, 10_000]
STEPS = [60_000, 80_000, 100_000, 120_000, 140_000, 160_000]
GENERATOR, SERVER = "0", "1"
TICK = os.sysconf("SC_CLK_TCK")


class Gone(Exception):
    """A tool that did not do what was asked."""


def port():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def pinned(processor, command):
    return ["taskset", "-c", processor, *map(str, command)]


def measured(command, given=None, stops=()):
    """Runs a generator; returns its output, CPU seconds and largest resident set in KiB, looked at five times a second: the kernel's
    own maximum of a child begins with what this script had."""
    child = subprocess.Popen(
        pinned(GENERATOR, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if given is not None:
        child.stdin.write(given.encode() + b"\n")
        child.stdin.flush()
    for pid, at, length in stops:
        time.sleep(at)
        os.kill(pid or child.pid, signal.SIGSTOP)
        time.sleep(length)
        os.kill(pid or child.pid, signal.SIGCONT)
    peak = 0
    ended = threading.Event()

    def watch():
        nonlocal peak
        while not ended.wait(0.2):
            try:
                status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
            except OSError:
                return
            found = re.search(r"VmHWM:\s*(\d+)", status)
            peak = max(peak, int(found.group(1)) if found else 0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    text = child.stdout.read().decode(errors="replace")
    ended.set()
    watcher.join()
    child.stdin.close()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = status
    if status != 0:
        raise Gone(f"{command[0]}: exit {status}: {text[-400:]}")
    return text, used.ru_utime + used.ru_stime, peak


def nanoseconds(text):
    """`1.5ms` and the like."""
    number, unit = re.fullmatch(r"([\d.]+)\s*(ns|us|µs|ms|s|secs)", text.strip()).groups()
    return float(number) * {"ns": 1, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9, "secs": 1e9}[unit]


# Each returns requests that were answered, CPU seconds, resident KiB, and for open loops latencies in ms.


def wrk(address, rate=None, seconds=SECONDS, stops=()):
    text, cpu, kib = measured(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", f"http://{address}/"])
    return {"requests": int(re.search(r"(\d+) requests in", text).group(1)), "cpu": cpu, "kib": kib}


def h2load(address, rate=None, seconds=SECONDS, stops=()):
    command = ["h2load", "--h1", "-t1", f"-c{CONNECTIONS}", f"-D{seconds}"]
    if rate:
        command += [f"--rps={rate / CONNECTIONS}"]
    text, cpu, kib = measured([*command, f"http://{address}/"])
    done = re.search(r"(\d+) succeeded", text)
    return {"requests": int(done.group(1)), "cpu": cpu, "kib": kib}


def oha(address, rate=None, seconds=SECONDS, stops=()):
    # With an id a request takes the toy backend's service time.
    command = [OHA, "--no-tui", "--output-format", "json", f"-c{CONNECTIONS}", f"-z{seconds}s", "-H", "x-rig-seq: 1"]
    if rate:
        command += [f"-q{rate}", "--latency-correction"]
    text, cpu, kib = measured([*command, f"http://{address}/"], stops=stops)
    said = json.loads(text[text.index("{") :])
    requests = sum(said["statusCodeDistribution"].values())
    percentiles = said["latencyPercentiles"]
    return {
        "requests": requests,
        "cpu": cpu,
        "kib": kib,
        "p50": percentiles["p50"] * 1e3,
        "p99": percentiles["p99"] * 1e3,
    }


def rig(address, rate, seconds=SECONDS, stops=()):
    with tempfile.TemporaryDirectory() as directory:
        records = pathlib.Path(directory) / "requests.ndjson"
        command = [JOB, "load", address, str(rate), str(seconds), str(CONNECTIONS), records]
        job = json.loads(subprocess.check_output(command))
        # The clock of rig's processes is the monotonic one.
        job["load"]["origin"] = time.monotonic_ns() + 500_000_000
        text, cpu, kib = measured([RIG, "agent", "load"], given=json.dumps(job), stops=stops)
        answered, late, latency = 0, [], []
        with records.open() as lines:
            for line in lines:
                record = json.loads(line)
                if "answered" in record["outcome"]:
                    answered += 1
                    latency.append((record["end"] - record["due"]) / 1e6)
                if record["sent"] is not None:
                    late.append((record["sent"] - record["due"]) / 1e3)
    late.sort()
    latency.sort()
    return {
        "requests": answered,
        "cpu": cpu,
        "kib": kib,
        "lag_p50": late[len(late) // 2],
        "lag_p99": late[len(late) * 99 // 100],
        "p50": latency[len(latency) // 2],
        "p99": latency[len(latency) * 99 // 100],
        "scheduled": int(rate * seconds),
    }


def ready(address):
    import socket

    host, at = address.split(":")
    for _ in range(200):
        try:
            socket.create_connection((host, int(at)), timeout=0.2).close()
            return
        except OSError:
            time.sleep(0.01)
    raise Gone(f"nothing listens on {address}")


class Nginx:
    """nginx with one worker that answers `return 200`."""

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory()
        self.address = f"127.0.0.1:{port()}"
        config = pathlib.Path(self.directory.name) / "nginx.conf"
        config.write_text(
            f"daemon off; master_process off; worker_processes 1; pid {self.directory.name}/pid;\n"
            f"error_log {self.directory.name}/error.log crit;\n"
            "events { worker_connections 4096; }\n"
            "http { access_log off; keepalive_requests 1000000000; "
            f"client_body_temp_path {self.directory.name}/b; proxy_temp_path {self.directory.name}/p; "
            f"fastcgi_temp_path {self.directory.name}/f; uwsgi_temp_path {self.directory.name}/u; "
            f"scgi_temp_path {self.directory.name}/s; "
            f"server {{ listen {self.address}; location / {{ return 200 'ok'; }} }} }}\n"
        )
        self.child = subprocess.Popen(pinned(SERVER, ["nginx", "-c", config]))
        ready(self.address)
        return self

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait()
        self.directory.cleanup()


class Backend(Nginx):
    """rig's toy backend with a fixed service time."""

    def __init__(self, milliseconds):
        self.milliseconds = milliseconds

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory()
        self.address = f"127.0.0.1:{port()}"
        ledger = pathlib.Path(self.directory.name) / "ledger.ndjson"
        job = subprocess.check_output([JOB, "backend", self.address, str(self.milliseconds), ledger], text=True)
        self.child = subprocess.Popen(
            pinned(SERVER, [RIG, "agent", "backend"]), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        self.child.stdin.write(job.encode())
        self.child.stdin.flush()
        ready(self.address)
        return self

    def __exit__(self, *_):
        # The end of its standard input ends it.
        self.child.stdin.close()
        self.child.wait()
        self.directory.cleanup()


class Figures:
    """Every figure of every round, by its name and tool."""

    def __init__(self):
        self.rounds = {}

    def add(self, figure, tool, value):
        self.rounds.setdefault(figure, {}).setdefault(tool, []).append(value)

    def per_million(self, figure, tool, of):
        self.add(figure, tool, of["cpu"] * 1e6 / of["requests"])

    def median(self, figure, tool):
        values = self.rounds.get(figure, {}).get(tool)
        return statistics.median(values) if values else None


def one_round(figures, tools):
    with Nginx() as nginx:
        best = None
        for step in STEPS:
            tried = rig(nginx.address, step)
            # Sent on time: nothing is lost, and 99 of 100 left within 10 ms of their time.
            if tried["requests"] < tried["scheduled"] or tried["lag_p99"] > 10_000:
                break
            best = (step, tried)
        if best:
            figures.add("most sent on time, requests/s", "rig", best[0])
            figures.per_million("CPU s per million, as many as it can", "rig", best[1])
        for name, tool in tools.items():
            said = tool(nginx.address)
            figures.add("most sent on time, requests/s", name, said["requests"] / SECONDS)
            figures.per_million("CPU s per million, as many as it can", name, said)
        for rate in RATES:
            said = rig(nginx.address, rate)
            figures.per_million(f"CPU s per million at {rate}/s", "rig", said)
            figures.add(f"sent after its time at {rate}/s, p50 µs", "rig", said["lag_p50"])
            figures.add(f"sent after its time at {rate}/s, p99 µs", "rig", said["lag_p99"])
            for name in [name for name in ("h2load", "oha") if name in tools]:
                figures.per_million(f"CPU s per million at {rate}/s", name, tools[name](nginx.address, rate))
        said = rig(nginx.address, 50_000, seconds=4)
        figures.add("resident memory after 200,000 requests, MiB", "rig", said["kib"] / 1024)
        if "oha" in tools:
            said = tools["oha"](nginx.address, 50_000, seconds=4)
            figures.add("resident memory after 200,000 requests, MiB", "oha", said["kib"] / 1024)
    with Backend(5) as server:
        both = {"rig": rig} | ({"oha": tools["oha"]} if "oha" in tools else {})
        for name, tool in both.items():
            figures.add("p50 above the 5 ms of an exact server, ms", name, tool(server.address, 200)["p50"] - 5)
            # The load lasts ten seconds: of what is due within half a second of standstill, 99 of 100 wait less than this.
            said = tool(server.address, 200, seconds=10, stops=[(None, 3, 0.5)])
            figures.add("p99 when the generator stands still for 0.5 s, ms", name, said["p99"])
            said = tool(server.address, 200, seconds=10, stops=[(server.child.pid, 3, 1)])
            figures.add("p99 when the server stands still for 1 s, ms", name, said["p99"])
    if "wrk" in tools:
        for name, server in (("rig", Backend(0)), ("nginx", Nginx())):
            with server:
                before = server.cpu()
                said = wrk(server.address)
                figures.add("server: CPU s per million", name, (server.cpu() - before) * 1e6 / said["requests"])


# Under a load of ten seconds in which nothing is answered for S seconds, waits fall evenly from S to 0: one in a hundred of all
# requests waits longer than S less a hundredth of ten seconds.
THEORY = {
    "p99 when the generator stands still for 0.5 s, ms": 5 + 500 - 100,
    "p99 when the server stands still for 1 s, ms": 5 + 1000 - 100,
}


def shown(value):
    return "–" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    tools = {name: tool for name, tool in (("wrk", wrk), ("h2load", h2load), ("oha", oha)) if find(name)}
    gaps = [name for name in ("wrk", "h2load", "oha") if name not in tools]
    figures = Figures()
    for n in range(rounds):
        print(f"bench: round {n + 1} of {rounds}", file=sys.stderr)
        one_round(figures, tools)
    machine = {
        "date": datetime.date.today().isoformat(),
        "processors": f"{os.cpu_count()} × {processor()}",
        "kernel": platform.release(),
        "load average": os.getloadavg()[0],
        "versions": {name: version(name) for name in tools},
        "rounds": rounds,
    }
    OUT.mkdir(parents=True, exist_ok=True)
    kept = {"machine": machine, "missing": gaps, "theory": THEORY, "rounds": figures.rounds}
    (OUT / "peers.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    (OUT / "peers.md").write_text(page(machine, gaps, figures))
    print(page(machine, gaps, figures))


def find(name):
    global OHA
    if name == "oha":
        built = ROOT / "target/bench-tools/bin/oha"
        OHA = str(built) if built.is_file() else shutil.which("oha")
        return OHA
    return shutil.which(name)


OHA = None


def version(name):
    command = [OHA if name == "oha" else name, "-v" if name == "wrk" else "--version"]
    text = subprocess.run(command, capture_output=True, text=True, check=False)
    return (text.stdout + text.stderr).splitlines()[0].split(" Copyright")[0].strip()


def processor():
    found = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return found.group(1) if found else platform.machine()


def page(machine, gaps, figures):
    columns = ["rig", "wrk", "h2load", "oha", "nginx", "theory"]
    lines = [
        "# rig beside other tools",
        "",
        f"Measured on {machine['date']} by `make bench`: {machine['processors']}, kernel {machine['kernel']}, load average "
        f"{machine['load average']:.2f} at the end. Medians of {machine['rounds']} interleaved rounds; generator and server each on "
        f"a processor of its own, {CONNECTIONS} connections, nginx with one worker as the server unless another is named. "
        f"Versions: {', '.join(f'{name} ({said})' for name, said in machine['versions'].items())}.",
        "",
        "| figure | " + " | ".join(columns) + " |",
        "|---|" + "---:|" * len(columns),
    ]
    for figure in figures.rounds:
        values = [figures.median(figure, tool) for tool in columns[:-1]] + [THEORY.get(figure)]
        lines.append(f"| {figure} | " + " | ".join(map(shown, values)) + " |")
    lines += [
        "",
        "rig keeps a record of each request and computes when each is due; wrk and h2load keep neither, and h2load paces in "
        "batches. *As many as it can*: the others ask again as soon as they are answered; rig, which has no such mode, is "
        f"asked for {STEPS[0]:,} requests/s and more in steps of {STEPS[1] - STEPS[0]:,}, until a request is lost or one of a hundred leaves "
        "more than 10 ms late.",
    ]
    if gaps:
        lines += ["", f"Not measured, because they are not installed: {', '.join(gaps)}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
