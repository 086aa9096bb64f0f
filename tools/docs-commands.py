#!/usr/bin/env python3
"""Runs every command that the documents show, in order, on shortened scenarios.

    tools/docs-commands.py target/debug/rig README.md docs/tutorial.md

A command is a line of a block that begins with ```sh. It must exit with 0, or as its comment says (`# exit 1`). Each
document has its own directory, with a copy of scenarios/ whose loads are short, so the very command that a reader types runs
and takes seconds. `rig up` runs beside the commands that follow it, until the last one that talks to it. Commands that are
left out are printed, with the reason.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# In seconds. The longest command runs ten cells of a few seconds each.
PATIENCE = 240
# Commands that are not run here, and why.
LEFT_OUT = {
    r"make ": "make is what runs this",
    r"export PATH": "the PATH is set already",
    r"git clone|cd ": "this is the clone already",
    r"docker ": "no registry may be reachable",
}
NEEDS_AN_ENGINE = r"--runtime docker|rig (images|clean|doctor|up)"
# What makes a scenario short: the same experiment on a smaller scale.
SHORTER = {
    r"latency: \{ uniform: \[50ms, 400ms\], tail: \{ share: 2%, at: (\d+)ms \} \}": r"latency: { uniform: [20ms, 120ms], tail: { share: 2%, at: 200ms } }",
    r"rate: 400/s, for: 20s, warmup: 2s, timeout: 5s": "rate: 300/s, for: 6s, warmup: 500ms, timeout: 1s",
    r"rollout: \{ at: 4s,": "rollout: { at: 1s,",
    r"boot: 500ms": "boot: 100ms",
    r"health_check: \{ path: /health, every: 500ms, timeout: 250ms": "health_check: { path: /health, every: 100ms, timeout: 100ms",
    r"(?m)^  for: 7s$": "  for: 2500ms",
}


def commands(text):
    """The lines of all sh blocks, with what each must exit with. A backslash continues a line."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M):
        for line in block.replace("\\\n", " ").splitlines():
            command, _, comment = line.partition(" #")
            if command.strip() and not command.startswith("#"):
                exits = re.search(r"exit (\d+)", comment)
                yield command.strip(), int(exits[1]) if exits else 0


def prepare(directory):
    for name in ["scenarios", "docs", "proxy-configs", "docker", "tools"]:
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("bin", "venv"))
    for path in (directory / "scenarios").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        for long, short in SHORTER.items():
            text = re.sub(long, short, text)
        path.write_text(text, encoding="utf-8")


class Standing:
    """A `rig up` that runs beside the commands that follow it."""

    def __init__(self, command, directory, environment):
        self.command, self.log = command, directory / "up.log"
        self.process = subprocess.Popen(
            command.split(), cwd=directory, env=environment, stdin=subprocess.DEVNULL,
            stdout=self.log.open("w"), stderr=subprocess.STDOUT,
        )
        begun = time.monotonic()
        while "curl" not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() - begun > PATIENCE:
                sys.exit(f"FAILED: {command}\n{self.log.read_text()}")
            time.sleep(0.1)

    def end(self):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=PATIENCE)
        if code not in (0, 130):
            sys.exit(f"FAILED: {self.command} exits with {code}\n{self.log.read_text()}")
        print(f"  exit {code}: {self.command}", flush=True)


def end(standing):
    while standing:
        standing.pop().end()


def perform(command, wanted, directory, environment):
    begun = time.monotonic()
    if not re.search(NEEDS_AN_ENGINE, command):
        # Either runtime would do, and processes are faster.
        environment = {**environment, "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", command], cwd=directory, env=environment,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
    )
    if done.returncode != wanted:
        sys.exit(f"FAILED: {command}\nexit {done.returncode}, not {wanted}\n{done.stdout}{done.stderr}")
    print(f"  exit {done.returncode}, {time.monotonic() - begun:.1f} s: {command}", flush=True)


def run(document, environment):
    print(document, flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        directory = pathlib.Path(scratch)
        prepare(directory)
        number, standing = 0, []
        try:
            for command, wanted in commands((ROOT / document).read_text(encoding="utf-8")):
                why = next((why for form, why in LEFT_OUT.items() if re.match(form, command)), None)
                if why:
                    print(f"  left out, {why}: {command}", flush=True)
                    continue
                number += 1
                if "--deploy" not in command:
                    end(standing)
                if command.startswith("rig up") and "--deploy" not in command:
                    standing.append(Standing(command, directory, environment))
                else:
                    perform(command, wanted, directory, environment)
        finally:
            end(standing)
        if number == 0:
            sys.exit(f"{document} shows no command: the search is wrong")


def main():
    rig, *documents = sys.argv[1:]
    path = os.pathsep.join([str(pathlib.Path(rig).resolve().parent), str(ROOT / "tools/bin"), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1"}
    for document in documents:
        run(document, environment)


if __name__ == "__main__":
    main()
