#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure edgert beside other inference engines and write what came out.

    bench/peers.py --edgec build/edgec --edgert build/edgert --peers PEERS.py -o doc/benchmarks.md NET.onnx ...

PEERS.py times the other engines (onnxruntime, OpenVINO, ncnn, MNN): one process a measurement, files
evicted before a cold start, each engine's own conversion made once and not timed. Inputs of NET.onnx
are NET.inputs/NAME.npy, or NET.ref/input_0_NAME.npy.

Everything is measured in turn, round after round, so that a slow spell of the machine hits all alike;
medians over the rounds are reported. Ours is measured resident and within 50, 25 and 10 % of the
weights (plus the activations), large networks within a quarter of the best peer's memory as well, compiled for the machine as `edgert probe` finds it. Writes the table and,
beside it, SVG pictures. With --work everything measured is kept in WORK/NETWORK/measured.json, and rounds
add to those of earlier calls (--rounds 0: only write the report). Needs numpy and onnx.
"""
import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # the sources may be read-only
sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import ENGINES, gather_inputs, link_model, number, peer_row, safe, settle, tool, word  # noqa: E402

LARGE = 100e6  # bytes of weights from which on a plan with a quarter of the best peer's memory is measured
QUARTER = "1/4 of the best peer's memory"
SHARES = {"resident": None, "50 %": 0.5, "25 %": 0.25, "10 %": 0.1}
COLOURS = {"edgert": "#0b7285", "ort": "#adb5bd", "ort-opt": "#868e96", "openvino": "#ffd43b",
           "openvino-cache": "#fab005", "ncnn": "#b2f2bb", "mnn": "#eebefa"}
PALETTE = ["#0b7285", "#e8590c", "#2b8a3e", "#862e9c", "#c92a2a", "#364fc7", "#5c940d", "#a61e4d", "#087f5b", "#d9480f", "#495057", "#e64980"]


class Network:
    """One ONNX file: our plans at several budgets, the peers, and what was measured."""

    def __init__(self, args, model, work):
        self.args, self.model = args, model
        self.name = model.stem
        self.folder = work / self.name
        self.names = gather_inputs(model, self.folder / "inputs")
        self.link = link_model(model, self.folder)
        self.device = work / "device.edge"
        self.kept = self.folder / "measured.json"
        kept = json.loads(self.kept.read_text()) if self.kept.exists() else {}
        self.ours = kept.get("ours", {})      # share -> {"compile": {...}, "runs": [...]}
        self.theirs = kept.get("theirs", {})  # engine -> {"runs": [...]} or {"error": text}
        self.steps = kept.get("steps", [])    # (predicted ms, measured ms) of a resident run's steps

    def plan(self, share):
        return self.folder / ("quarter.plan" if share == QUARTER else f"{share.split()[0]}.plan")

    def save(self):
        self.kept.write_text(json.dumps({"ours": self.ours, "theirs": self.theirs, "steps": self.steps}))

    def compile(self):
        source = self.folder / "net.edge"
        source.write_text(f'include "{self.device}";\nmodel net {{ import onnx "{self.link}"; }}\n'
                          f'plan {word(self.name)} {{ on here; run net; }}\n')
        for share in SHARES:
            self.ours.setdefault(share, {"runs": []})["compile"] = self.write_plan(share)
            self.release(share)
        if QUARTER in self.ours:
            self.plan(QUARTER).unlink(missing_ok=True)
            self.quarter()
            self.release(QUARTER)

    def write_plan(self, share):
        """Writes the plan of a share of the memory; returns what edgec says of it."""
        budget = self.budget(share)
        limit = [] if budget is None else ["--budget", str(budget)]
        return tool([self.args.edgec, "compile", self.folder / "net.edge", "-o", self.plan(share), "--json", *limit], self.name)

    def release(self, share):
        if self.args.one_plan:
            self.plan(share).unlink(missing_ok=True)

    def budget(self, share):
        """Bytes, or None for no limit."""
        if share == "resident":
            return None
        whole = self.ours["resident"]["compile"]
        if share == QUARTER:
            beside = self.mine("resident", "peak_rss_bytes") - whole["planned_peak_bytes"]["device"]
            size = min(int(self.best("rss_mib")[0] * 2**20 / 4 - max(beside, 0) - 2 * 2**20), whole["planned_peak_bytes"]["device"])
        else:
            size = whole["activation_peak_bytes"] + int(SHARES[share] * whole["weights_bytes"])
        return max(size, whole["smallest_budget_bytes"])

    def quarter(self):
        """Compiles for a process that takes at most a quarter of the best peer's memory, once there is one."""
        large = self.ours["resident"]["compile"]["weights_bytes"] >= LARGE
        if large and self.best("rss_mib") and not (QUARTER in self.ours and self.plan(QUARTER).exists()):
            self.ours[QUARTER] = {"runs": [], "compile": self.write_plan(QUARTER)}

    def settle(self):
        """All start on memory that the machine has at hand, every engine alike: without, small ones take up to twice as long."""
        settle(min(max(2 * self.ours["resident"]["compile"]["weights_bytes"], 256 << 20), 6 << 30))

    def bench(self, share):
        if not self.plan(share).exists():
            self.write_plan(share)
        self.settle()
        row = tool([self.args.edgert, "bench", self.plan(share), "--cold", "-n", self.args.warm, "--json",
                     "--threads", self.args.threads, *self.inputs()], f"{self.name}, {share}")
        self.release(share)
        return row

    def inputs(self):
        return [a for n in self.names for a in ("--input", f"{n}={self.folder / 'inputs' / (safe(n) + '.npy')}")]

    def round(self):
        for share, o in self.ours.items():
            o["runs"].append(self.bench(share))
        for engine in self.args.engines:
            t = self.theirs.setdefault(engine, {"runs": []})
            if "error" in t:
                continue
            self.settle()
            row = peer_row(self.args.peers, self.link, self.folder / "inputs", engine, self.args.threads, self.args.warm)
            if "error" in row:
                t["error"] = row["error"]
            else:
                t["runs"].append(row)
        if QUARTER not in self.ours:
            self.quarter()
            if QUARTER in self.ours:
                self.ours[QUARTER]["runs"].append(self.bench(QUARTER))

    def trace(self):
        """The steps of a warm resident run beside what the plan predicted for them."""
        trace = self.folder / "trace.json"
        if not self.plan("resident").exists():
            self.write_plan("resident")
        command = [self.args.edgert, "run", self.plan("resident"), *self.inputs(), "--output-dir", self.folder / "out",
                   "--repeat", "5", "--trace", trace, "--threads", self.args.threads]
        subprocess.run([str(c) for c in command], check=True, capture_output=True)
        self.release("resident")
        times = {1: {}, 2: {}}
        for e in json.loads(trace.read_text())["traceEvents"]:
            if e["ph"] == "X" and "step" in e["args"]:
                times[e["pid"]][e["args"]["step"]] = e["dur"] / 1000
        self.steps = [(times[2][i], times[1][i]) for i in times[1] if times[1][i] > 0 and times[2].get(i, 0) > 0]

    def mine(self, share, key):
        values = [r[key] for r in self.ours[share]["runs"] if r.get(key) is not None]
        return statistics.median(values) if values else None

    def their(self, engine, key):
        t = self.theirs.get(engine, {"runs": []})
        values = [r[key] for r in t["runs"] if r.get(key) is not None]
        return statistics.median(values) if values and "error" not in t else None

    def best(self, key):
        """(value, engine) of the best peer, or None."""
        found = [(self.their(e, key), e) for e in self.args.engines if self.their(e, key) is not None]
        return min(found) if found else None


# ---- pictures -------------------------------------------------------------------------------

def svg(width, height, body):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
            f'font-size="12">\n<rect width="{width}" height="{height}" fill="white"/>\n{body}\n</svg>\n')


def amount(value):
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def bars(title, unit, groups, logarithmic=True):
    """groups: [(name, [(label, value, colour)])]"""
    row, gap, left, width = 14, 16, 150, 760
    top = max(v for _, g in groups for _, v, _ in g)
    low = min(v for _, g in groups for _, v, _ in g if v > 0) / 2
    y, out = 44, [f'<text x="12" y="24" font-size="16">{title}</text>']
    for name, group in groups:
        out.append(f'<text x="{left - 8}" y="{y + row * len(group) / 2 + 4}" text-anchor="end">{name}</text>')
        for label, value, colour in group:
            part = math.log(value / low) / math.log(top / low) if logarithmic else value / top
            w = max(1.0, part * (width - left - 170))
            out.append(f'<rect x="{left}" y="{y}" width="{w:.1f}" height="{row - 2}" fill="{colour}"/>')
            out.append(f'<text x="{left + w + 5:.1f}" y="{y + row - 4}" font-size="10">{label} {amount(value)} {unit}</text>')
            y += row
        y += gap
    return svg(width, y, "\n".join(out))


def pen(i):
    """A colour and, after all colours, a dash: line i looks like no other."""
    return PALETTE[i % len(PALETTE)], ("", "6 3", "2 3")[i // len(PALETTE) % 3]


def cold_over_memory(n):
    """Device memory and cold time of each share of the weights, relative to resident."""
    full = n.ours["resident"]["compile"]["planned_peak_bytes"]["device"]
    base = n.mine("resident", "cold_ms")
    return sorted((n.ours[s]["compile"]["planned_peak_bytes"]["device"] / full, n.mine(s, "cold_ms") / base)
                  for s in SHARES)


def curves(title, lines):
    """lines: [(name, [(memory, time)])], relative to resident"""
    width, height, left, bottom = 640, 380, 60, 50
    step = 0.25
    low = step * math.floor(min(0.75, *(b for _, p in lines for _, b in p)) / step)
    high = step * math.ceil(max(1.25, *(b for _, p in lines for _, b in p)) / step)
    x = lambda v: left + v * (width - left - 180)
    y = lambda v: height - bottom - (v - low) / (high - low) * (height - bottom - 40)
    out = [f'<text x="12" y="24" font-size="16">{title}</text>',
           f'<text x="{x(0.5)}" y="{height - 14}" text-anchor="middle">device memory / resident</text>',
           f'<text x="16" y="{height / 2}" transform="rotate(-90 16 {height / 2})" text-anchor="middle">cold run / resident</text>']
    for tick in (0.25, 0.5, 0.75, 1.0):
        out.append(f'<text x="{x(tick)}" y="{y(low) + 16}" text-anchor="middle">{tick:.2f}</text>')
    for i in range(round((high - low) / step) + 1):
        tick = low + i * step
        colour = "#333" if i == 0 else "#999" if tick == 1 else "#e5e5e5"
        out.append(f'<line x1="{left}" y1="{y(tick):.1f}" x2="{x(1)}" y2="{y(tick):.1f}" stroke="{colour}"/>')
        out.append(f'<text x="{left - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.2f}</text>')
    for i, (name, points) in enumerate(lines):
        colour, dash = pen(i)
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
        style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
        out.append(f'<polyline points="{path}" {style}/>')
        out += [f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3" fill="{colour}"/>' for a, b in points]
        at = 48 + 16 * i
        out.append(f'<polyline points="{x(1) + 12},{at - 4} {x(1) + 36},{at - 4}" {style}/>')
        out.append(f'<text x="{x(1) + 42}" y="{at}" fill="{colour}">{name}</text>')
    return svg(width, height, "\n".join(out))


SHORTEST_MS = 1e-4  # what is shorter is drawn as long: no clock tells it


def scatter(title, clouds):
    """clouds: [(name, [(predicted, measured)])] in ms, both drawn logarithmically"""
    size, left, bottom, width = 420, 60, 50, 660
    low = math.log10(SHORTEST_MS)
    high = math.ceil(math.log10(max(max(p) for _, cloud in clouds for p in cloud)))
    scale = lambda v: (math.log10(max(v, SHORTEST_MS)) - low) / (high - low)
    x = lambda v: left + scale(v) * (size - left)
    y = lambda v: size - bottom - scale(v) * (size - bottom - 40)
    out = [f'<text x="12" y="24" font-size="16">{title}</text>',
           f'<text x="{(left + size) / 2}" y="{size - 10}" text-anchor="middle">measured, ms</text>',
           f'<text x="16" y="{size / 2}" transform="rotate(-90 16 {size / 2})" text-anchor="middle">predicted, ms</text>']
    for power in range(round(low), high + 1):
        v = 10**power
        out.append(f'<line x1="{x(v):.1f}" y1="{y(10**low)}" x2="{x(v):.1f}" y2="{y(10**high)}" stroke="#eee"/>')
        out.append(f'<line x1="{left}" y1="{y(v):.1f}" x2="{size}" y2="{y(v):.1f}" stroke="#eee"/>')
        out.append(f'<text x="{x(v):.1f}" y="{size - bottom + 16}" text-anchor="middle" font-size="10">{v:g}</text>')
        out.append(f'<text x="{left - 4}" y="{y(v) + 4:.1f}" text-anchor="end" font-size="10">{v:g}</text>')
    out.append(f'<line x1="{x(10**low)}" y1="{y(10**low)}" x2="{x(10**high)}" y2="{y(10**high)}" stroke="#999"/>')
    out.append(f'<text x="{size + 16}" y="36" fill="#333">predicted / measured, all steps</text>')
    for i, (name, cloud) in enumerate(clouds):
        colour, dash = pen(i)
        fill = f'fill="{colour}" fill-opacity="0.6"' if not dash else f'fill="none" stroke="{colour}"'
        out += [f'<circle cx="{x(m):.1f}" cy="{y(p):.1f}" r="2" {fill}/>' for p, m in cloud]
        share = sum(p for p, _ in cloud) / sum(m for _, m in cloud)
        out.append(f'<circle cx="{size + 21}" cy="{54 + 16 * i - 4}" r="3" {fill}/>')
        out.append(f'<text x="{size + 30}" y="{54 + 16 * i}" fill="{colour}">{name} {share:.2f}</text>')
    return svg(width, size, "\n".join(out))


# ---- the report -----------------------------------------------------------------------------

def geometric_mean(values):
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if values else float("nan")


def peers_table(networks, engines):
    out = ["| network | | edgert | " + " | ".join(engines) + " | edgert / best peer |", "|---|---|" + "---:|" * (len(engines) + 2)]
    for n in networks:
        for key, mine, unit in (("cold_ms", n.mine("resident", "cold_ms"), "cold ms"),
                                ("warm_ms", n.mine("resident", "warm_ms"), "warm ms"),
                                ("rss_mib", n.mine("resident", "peak_rss_bytes") / 2**20, "peak MiB")):
            best = n.best(key)
            ratio = f"**{mine / best[0]:.2f}** ({best[1]})" if best else "–"
            out.append(f"| {n.name} | {unit} | {number(mine)} | " +
                       " | ".join(number(n.their(e, key)) for e in engines) + f" | {ratio} |")
    for key, ours in (("cold_ms", "cold_ms"), ("warm_ms", "warm_ms")):
        ratios = [n.mine("resident", ours) / n.best(key)[0] for n in networks if n.best(key)]
        out.append(f"\nGeometric mean of {key.split('_')[0]} over the best peer: {geometric_mean(ratios):.2f} ({len(ratios)} networks).")
    failed = [f"{n.name}: {e}: {t['error']}" for n in networks for e, t in n.theirs.items() if "error" in t]
    return "\n".join(out + ["", *(["Peers that could not run a network:", ""] + [f"- {f}" for f in failed] if failed else [])])


def budget_table(networks):
    out = ["| network | budget | device bytes | streamed a run | cold ms | warm ms | peak MiB | T/T* | in this memory | T/T* warm | predicted / cold | predicted / warm |",
           "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for n in networks:
        for share, o in n.ours.items():
            c = o["compile"]
            exact = all(r["planned_peak_bytes"] == r["actual_peak_bytes"] for r in o["runs"])
            cold = n.mine(share, "cold_ms")
            out.append(f"| {n.name} | {share} | {c['planned_peak_bytes']['device']:,}{'' if exact else ' (NOT ACTUAL)'} | "
                       f"{c['streamed_bytes']:,} | {number(cold)} | {number(n.mine(share, 'warm_ms'))} | "
                       f"{number(n.mine(share, 'peak_rss_bytes') / 2**20)} | {number(n.mine(share, 'lower_bound_ratio'))} | "
                       f"{number(n.mine(share, 'limited_bound_ratio'))} | "
                       f"{number(n.mine(share, 'warm_bound_ratio'))} | {number(c['predicted_ms'] / cold)} | "
                       f"{number(o['runs'][0]['predicted_warm_ms'] / n.mine(share, 'warm_ms'))} |")
    return "\n".join(out)


def quarter_table(networks):
    rows = [n for n in networks if QUARTER in n.ours and n.ours[QUARTER]["runs"] and n.best("rss_mib")]
    if not rows:
        return ""
    out = ["", "Networks of over 100 MB with a quarter of the memory of the best peer:", "",
           "| network | peak MiB | best peer | peak / peer | cold ms | resident | cold / resident |", "|---|---:|---:|---:|---:|---:|---:|"]
    for n in rows:
        peak, (best, engine) = n.mine(QUARTER, "peak_rss_bytes") / 2**20, n.best("rss_mib")
        cold, resident = n.mine(QUARTER, "cold_ms"), n.mine("resident", "cold_ms")
        out.append(f"| {n.name} | {number(peak)} | {number(best)} ({engine}) | **{peak / best:.2f}** | {number(cold)} | "
                   f"{number(resident)} | **{cold / resident:.2f}** |")
    return "\n".join(out) + "\n"


def write_report(args, networks):
    out = args.output
    pictures = out.with_suffix("")
    pictures.mkdir(exist_ok=True)
    for key, name, unit, ours in (("rss_mib", "memory", "MiB", lambda n: n.mine("resident", "peak_rss_bytes") / 2**20),
                                  ("cold_ms", "cold", "ms", lambda n: n.mine("resident", "cold_ms")),
                                  ("warm_ms", "warm", "ms", lambda n: n.mine("resident", "warm_ms"))):
        groups = [(n.name, [("edgert", ours(n), COLOURS["edgert"])] +
                   [(e, n.their(e, key), COLOURS.get(e, "#999")) for e in args.engines if n.their(e, key)]) for n in networks]
        title = {"memory": "Peak memory (logarithmic)", "cold": "Cold start (logarithmic)", "warm": "Warm run (logarithmic)"}[name]
        (pictures / f"{name}.svg").write_text(bars(title, unit, groups))
    (pictures / "budget.svg").write_text(curves("Cold run over memory", [(n.name, cold_over_memory(n)) for n in networks]))
    if any(n.steps for n in networks):
        (pictures / "steps.svg").write_text(scatter("Steps of a warm run", [(n.name, n.steps) for n in networks if n.steps]))
    probe = networks[0].device.read_text()
    rounds = sorted({len(o["runs"]) for n in networks for o in n.ours.values()})
    base = pictures.name
    out.write_text(f"""# Benchmarks

Made by `make bench-peers`; medians of {" to ".join(str(r) for r in sorted({rounds[0], rounds[-1]}))} round{"s" if rounds[-1] > 1 else ""} in which everything is
measured in turn, {args.threads} threads. Cold: from the start of the process (for the peers, from after their import) to the
first output, files evicted from the page cache; where weights are large, on memory that another process had just taken and let go
(a virtual machine's host takes back what is free). Memory: peak resident memory of the whole process (for the
peers, above the level after import).

The machine, as the plans were compiled for it:

```
{probe.strip()}
```

## Beside other engines

{peers_table(networks, args.engines)}

![cold]({base}/cold.svg)
![warm]({base}/warm.svg)
![memory]({base}/memory.svg)

## Within a budget

Budget: activations plus that share of the weights. T/T* is the time of a run over the lower bound from its
own step times and what its disk brings in which time, as if memory were no limit; beside it the same over the bound of all schedules
that have the plan's memory for weights (where the system reads ahead into the page cache there is no such limit). Both are of runs that begin with nothing in the page cache; "T/T* warm" is of runs one after the other, where
plans of less than 16 MiB find their weights there.

{budget_table(networks)}
{quarter_table(networks)}
![budget]({base}/budget.svg)
![steps]({base}/steps.svg)
""")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("models", nargs="+", type=Path)
    ap.add_argument("--edgec", default="./edgec")
    ap.add_argument("--edgert", default="./edgert")
    ap.add_argument("--peers", required=True, type=Path)
    ap.add_argument("--engines", default=ENGINES, type=lambda s: s.split(","))
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--warm", type=int, default=10)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("-o", "--output", type=Path, default=Path("benchmarks.md"))
    ap.add_argument("--work", type=Path, help="folder for plans, conversions and what was measured, kept; default: a temporary one")
    ap.add_argument("--one-plan", action="store_true",
                    help="have one plan on the disk at a time, compiled again before each measurement (networks of gigabytes)")
    args = ap.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = args.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        if not (work / "device.edge").exists():
            subprocess.run([args.edgert, "probe", "-o", work / "device.edge"], check=True, capture_output=True)
        networks = [Network(args, m.resolve(), work.resolve()) for m in args.models]
        for n in networks if args.rounds else ():
            if not all((n.plan(share).exists() or args.one_plan) and share in n.ours for share in n.ours.keys() | SHARES.keys()):
                print(f"compiling {n.name}", file=sys.stderr, flush=True)
                n.compile()
                n.save()
        for r in range(args.rounds):
            for n in networks:
                print(f"round {r + 1} of {args.rounds}: {n.name}", file=sys.stderr, flush=True)
                n.round()
                if r == 0:
                    n.trace()
                n.save()
        write_report(args, [n for n in networks if n.ours and n.ours["resident"]["runs"]])


if __name__ == "__main__":
    main()
