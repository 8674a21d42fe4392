#!/usr/bin/env python3
"""A real OpenTelemetry collector (tests/otel, built from Go modules) reads the traces that a fleet sends."""
# needs: build
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import script_test  # noqa: E402

ROOT = script_test.ROOT
COLLECTOR = ROOT / "build" / "otel" / "collector"
BUILD_SECONDS = 900
WAIT_SECONDS = 60

CONFIGURATION = """
receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:%d"}}}}
exporters: {debug: {verbosity: detailed}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [otlp], exporters: [debug]}}
"""


def build_collector():
    """Why there is none; None when there is."""
    if COLLECTOR.is_file():
        return None
    if shutil.which("go") is None:
        return "there is no Go to build tests/otel with"
    COLLECTOR.parent.mkdir(parents=True, exist_ok=True)
    try:
        result = subprocess.run(["go", "build", "-o", str(COLLECTOR), "."], cwd=ROOT / "tests" / "otel", check=False,
                                capture_output=True, text=True, timeout=BUILD_SECONDS)
    except subprocess.TimeoutExpired:
        return f"building tests/otel took longer than {BUILD_SECONDS} s"
    if result.returncode == 0:
        return None
    return "the Go modules of tests/otel can't be had: " + (result.stderr.strip().splitlines() or ["?"])[-1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition):
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def spans_of(text):
    """[{"name": ..., "attributes": {...}}] of what the debug exporter printed."""
    spans = []
    for part in re.split(r"^Span #\d+$", text, flags=re.MULTILINE)[1:]:
        name = re.search(r"^\s+Name\s*: (.*)$", part, re.MULTILINE)
        attributes = dict(re.findall(r"-> ([\w.]+): \w+\((.*)\)$", part, re.MULTILINE))
        trace = re.search(r"^\s+Trace ID\s*: ([0-9a-f]{32})$", part, re.MULTILINE)
        spans.append({"name": name.group(1) if name else "", "attributes": attributes,
                      "trace": trace.group(1) if trace else "", "text": part})
    return spans


def main():
    cases = script_test.Cases()
    reason = build_collector()
    if reason is not None:
        cases.skip("a collector reads our traces", reason)
        cases.passed += 1
        return cases.finish()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        port = free_port()
        (folder / "collector.yaml").write_text(CONFIGURATION % port, encoding="utf-8")
        environment = {**os.environ, "HOME": name, "XDG_RUNTIME_DIR": name, "NO_COLOR": "1"}
        with open(folder / "collector.log", "wb") as log:
            collector = subprocess.Popen([str(COLLECTOR), "--config", f"file:{folder / 'collector.yaml'}"],
                                         stdout=log, stderr=log, env=environment)
        try:
            check(cases, folder, port, environment)
        finally:
            collector.terminate()
            collector.wait()
    return cases.finish()


def check(cases, folder, port, environment):
    def received():
        return (folder / "collector.log").read_text(encoding="utf-8", errors="replace")

    if not wait_until(lambda: listens(port)):
        cases.check("the collector starts", received().splitlines()[-10:])
        return
    program = script_test.BUILD / "bin" / "switchyard"
    folder_of_fleet = folder / "fleet"
    folder_of_fleet.mkdir()
    up = subprocess.Popen([str(program), "up", "--http", "auto", "--set", "telemetry.sample=1.0",
                           "--set", f"telemetry.otlp_endpoint=http://127.0.0.1:{port}"], cwd=folder_of_fleet,
                          env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        arrived = wait_until(lambda: "SELECT main" in received())
    finally:
        up.terminate()
        output = up.communicate(timeout=WAIT_SECONDS)[0]
    cases.check("spans arrive", [] if arrived else output.splitlines()[-10:] + received().splitlines()[-10:])
    text = received()
    spans = [span for span in spans_of(text) if span["name"] == "SELECT main"]
    if not spans:
        return
    attributes = spans[0]["attributes"]
    wanted = {"db.system.name": "postgresql", "db.namespace": "main", "db.operation.name": "SELECT"}
    cases.check("a span says what ran where",
                [f"{key} is {attributes.get(key)!r}, not {value!r}" for key, value in wanted.items()
                 if attributes.get(key) != value] +
                [f"{key} is missing" for key in ("server.address", "switchyard.route", "db.query.text")
                 if key not in attributes])
    cases.check("ids and times are read as such",
                [] if spans[0]["trace"] and re.search(r"Start time\s*: 20\d\d-", spans[0]["text"]) else spans[0]["text"])
    cases.check("the sender is named", [] if "service.name: Str(" in text else "there is no service.name")
    cases.check("the collector has no complaint",
                [line for line in text.splitlines() if re.search(r"\berror\b", line)][:5])


if __name__ == "__main__":
    sys.exit(main())
