#!/usr/bin/env python3
"""What is said about metrics holds: documentation, alert rules and dashboard agree with the golden file, and promtool
reads what /metrics writes.
"""
# needs: build
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import script_test  # noqa: E402

ROOT = script_test.ROOT
GOLDEN = ROOT / "switchyard" / "http" / "golden" / "metrics.txt"
PAGE = ROOT / "docs" / "observability.md"
RULES = ROOT / "ops" / "prometheus" / "switchyard.rules.yml"
RULE_TESTS = ROOT / "ops" / "prometheus" / "switchyard.tests.yml"
DASHBOARD = ROOT / "ops" / "grafana" / "switchyard.json"

NAME = re.compile(r"\b(?:switchyard|db_client)_[a-z_]+\b")
HISTOGRAM_SUFFIXES = ("_bucket", "_sum", "_count")


def golden():
    """{name: (type, {labels})}"""
    metrics = {}
    for line in GOLDEN.read_text(encoding="utf-8").splitlines():
        kind, name, *labels = line.split()
        metrics[name] = (kind, set(labels))
    return metrics


def unknown_names(text, metrics):
    known = set(metrics)
    for name, (kind, _) in metrics.items():
        if kind == "histogram":
            known |= {name + suffix for suffix in HISTOGRAM_SUFFIXES}
    labels = set().union(*(labels for _, labels in metrics.values()))
    return sorted(set(NAME.findall(text)) - known - labels)


def check_documentation(cases, metrics):
    text = PAGE.read_text(encoding="utf-8")
    rows = {}
    for name, kind, labels in re.findall(r"^\| `([a-z_]+)` \| (\w+) \| ([^|]*) \|", text, re.MULTILINE):
        rows[name] = (kind, set(re.findall(r"`([a-z_]+)`", labels)))
    problems = [f"{name} is not explained" for name in sorted(set(metrics) - set(rows))]
    problems += [f"{name} does not exist" for name in sorted(set(rows) - set(metrics))]
    for name in sorted(set(rows) & set(metrics)):
        if rows[name] != metrics[name]:
            problems.append(f"{name}: is {metrics[name]}, the page says {rows[name]}")
    cases.check("docs/observability.md explains every metric as it is", problems)

    events = (ROOT / "switchyard/telemetry/event_log.hpp").read_text(encoding="utf-8")
    kinds = set(re.findall(r'inline constexpr EventKind \w+\{"(\w+)"', events))
    missing = sorted(kind for kind in kinds if f"| `{kind}` |" not in text)
    cases.check("docs/observability.md explains every event", [f"{kind} is not explained" for kind in missing])

    recorder = (ROOT / "switchyard/fleet/recorder.cpp").read_text(encoding="utf-8")
    attributes = set(re.findall(r'attributes\.emplace_back\(\s*"([a-z_.]+)"', recorder))
    missing = sorted(name for name in attributes if f"| `{name}` |" not in text)
    cases.check("docs/observability.md explains every attribute of a span",
                [f"{name} is not explained" for name in missing] if attributes else "no attribute was found")


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)


def output_of(result):
    return (result.stdout + result.stderr).splitlines()[:20]


def check_dashboard(cases, metrics, folder):
    try:
        document = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    except ValueError as error:
        cases.check("the dashboard is JSON", str(error))
        return
    expressions = [target["expr"] for panel in document["panels"] for target in panel["targets"]]
    cases.check("the dashboard asks for something", [] if len(expressions) > 10 else "there are hardly any panels")
    cases.check("the dashboard uses metrics that exist", unknown_names(" ".join(expressions), metrics))
    numbers = [panel["id"] for panel in document["panels"]]
    cases.check("each panel has a number of its own", [] if len(set(numbers)) == len(numbers) else "one comes twice")
    if shutil.which("promtool") is None:
        return
    rules = [{"record": f"panel:{i}", "expr": re.sub(r"\$__rate_interval", "5m", re.sub(r"\$(?!__)\w+", ".*", text))}
             for i, text in enumerate(expressions)]
    file = folder / "dashboard.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")  # JSON is YAML
    result = run("promtool", "check", "rules", "--lint=none", file)
    cases.check("promtool reads every expression of the dashboard", [] if result.returncode == 0 else output_of(result))


def check_with_promtool(cases, folder):
    if shutil.which("promtool") is None:
        cases.skip("promtool", "it is not installed (Debian package prometheus): rules and exposition are not checked")
        return
    result = run("promtool", "check", "rules", RULES)
    cases.check("promtool accepts the alert rules", [] if result.returncode == 0 else output_of(result))
    result = run("promtool", "test", "rules", RULE_TESTS.name, cwd=RULE_TESTS.parent)
    cases.check("the alerts fire when they should", [] if result.returncode == 0 else output_of(result))

    text = folder / "metrics.txt"
    program = script_test.BUILD / "bin" / "http_test"
    result = run(program, "--gtest_filter=Metrics.CanBeWrittenToAFile",
                 env={**os.environ, "SWITCHYARD_WRITE_METRICS": str(text)})
    if not text.is_file():
        cases.check("http_test writes an exposition", output_of(result) or "it wrote nothing")
        return
    result = run("promtool", "check", "metrics", input=text.read_text(encoding="utf-8"))
    # Exit status 3: it has advice. One piece is against a name that OpenTelemetry gave.
    advice = [line for line in result.stderr.splitlines() + result.stdout.splitlines()
              if not line.startswith("db_client_connection_count non-histogram")]
    cases.check("promtool reads /metrics", advice if result.returncode in (0, 3) else output_of(result))


def main():
    cases = script_test.Cases()
    metrics = golden()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check_documentation(cases, metrics)
        cases.check("the alert rules use metrics that exist",
                    unknown_names(re.sub(r"#.*", "", RULES.read_text(encoding="utf-8")), metrics))
        check_dashboard(cases, metrics, folder)
        check_with_promtool(cases, folder)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
