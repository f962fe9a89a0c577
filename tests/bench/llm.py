#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Language models beside llama.cpp: prefill, decode, first token from a cold start, memory.

llm.py --edgec EDGEC --edgert EDGERT --peer LLAMA_COLD -o doc/benchmarks-llm.md MODEL.gguf ...

The peer is a program that prints a JSON object with ttft_ms, pp_tps, tg_tps and hwm_kb for the options
-m -t -c -p -r --pp --tg, and counts from T0_NS. What was measured is kept beside the plans, so that each
model may be measured by itself; the table has all of them.
"""
import argparse
import json
import mmap
import os
import pathlib
import platform
import random
import statistics
import subprocess
import sys
import threading
import time

from common import evict, number, settle, tool

PROMPT, DECODED, SHORT, CONTEXT = 128, 64, 8, 256
QUARTER_FROM = 1 << 30  # bytes of a model that is also run in a quarter of them


def tokens(path, count):
    """The prompt that the peer makes for itself: the first token, then chance."""
    seed, out = 12345, [1]
    for _ in range(count - 1):
        seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(300 + (seed >> 8) % (32000 - 300))
    header = f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({count},), }}".ljust(117) + "\n"
    data = b"".join(t.to_bytes(4, "little") for t in out)
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data)
    return path


def compile_plan(a, model, name, extra=()):
    source, plan = a.work / f"{name}.edge", a.work / f"{name}.plan"
    source.write_text(f"device here {{ backend native; threads {a.threads}; }}\n"
                      f"model m {{ import gguf \"{model.resolve()}\"; context {CONTEXT}; }}\n"
                      "plan p { on here; generate m; }\n")
    return plan, tool([a.edgec, "compile", source, "-o", plan, "--json", *extra], f"edgec compile {source}")


def disk_rate(path, fresh, readers=6, piece=1 << 20):
    """Bytes a second of a file past the page cache, read as a run reads it: six pieces at a time.

    Into a few MiB that are used again and stay in the processor's caches, or into new memory of the file's size, which
    is what a run has whose weights stay.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    except OSError:
        return None
    end = os.fstat(fd).st_size // piece * piece
    places, lock = iter(range(0, end, piece)), threading.Lock()
    memory = mmap.mmap(-1, end if fresh else readers * piece, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    view = memoryview(memory)

    def read(i):
        while True:
            with lock:
                at = next(places, None)
            if at is None:
                return
            to = at if fresh else i * piece
            os.preadv(fd, [view[to:to + piece]], at)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(readers)]
    start = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    seconds = time.monotonic() - start
    os.close(fd)
    view.release()
    memory.close()
    return end / seconds


def peer(a, model, *options):
    env = dict(os.environ, T0_NS=str(time.monotonic_ns()))
    out = subprocess.run([a.peer, "-m", model, "-t", str(a.threads), "-c", str(CONTEXT), *options],
                         capture_output=True, text=True, env=env)
    if out.returncode:
        sys.exit(f"{a.peer} {model}: {out.stderr.strip()[-200:]}")
    return json.loads(out.stdout.strip().splitlines()[-1])


def ours(a, plan, prompt, count, repeat=1):
    return tool([a.edgert, "generate", plan, "--tokens", prompt, "-n", str(count), "--repeat", str(repeat), "--temperature", "0",
                 "--ignore-end", "--threads", str(a.threads), "--json"], f"edgert generate {plan}")


def keep(r, key, value):
    r.setdefault(key, []).append(value)


def cold_round(a, model, plan, prompt, r):
    """A disk that others share is slow now and then: these rounds are cheap, so there are more of them.

    In another order each time: a virtual machine gives free memory back to its host every second or two after much of it
    became free, and in one order it is always the same start that meets this.
    """
    for what in random.sample(("peer", "ours", "disk", "disk_fresh"), 4):
        settle(model.stat().st_size * 5 // 4 + (64 << 20), model, plan)
        if what == "peer":
            keep(r, "peer_first", peer(a, model, "-p", str(SHORT))["ttft_ms"])
        elif what == "ours":
            o = ours(a, plan, prompt[SHORT], 1)
            keep(r, "first", o["first_token_ms"])
            keep(r, "rss", o["peak_rss_bytes"])
        else:
            keep(r, what, disk_rate(plan, what == "disk_fresh"))


def warm_round(a, model, plan, prompt, r):
    p = peer(a, model, "-r", str(a.repeat), "--pp", str(PROMPT), "--tg", str(DECODED))
    keep(r, "peer_prefill", p["pp_tps"])
    keep(r, "peer_decode", p["tg_tps"])
    keep(r, "peer_rss", p["hwm_kb"] * 1024)
    o = ours(a, plan, prompt[PROMPT], 1, a.repeat + 1)
    keep(r, "prefill", o["prefill_tokens_per_s"])
    r["peak"] = max(r.get("peak", 0), o["actual_peak_bytes"]["device"])
    keep(r, "rss", o["peak_rss_bytes"])
    keep(r, "decode", ours(a, plan, prompt[1], DECODED + 1, a.repeat + 1)["decode_tokens_per_s"])


def quarter(a, model, name, prompt, r):
    budget = model.stat().st_size // 4
    plan, c = compile_plan(a, model, f"{name}.quarter", ("--budget", str(budget)))
    evict(plan)
    o = ours(a, plan, prompt[SHORT], 4)
    r["quarter"] = {"budget": budget, "peak": o["actual_peak_bytes"]["device"], "planned": c["planned_peak_bytes"]["device"],
                    "rss": o["peak_rss_bytes"], "first": o["first_token_ms"], "decode": o.get("decode_tokens_per_s")}
    plan.unlink()


def measure(a, model, prompt, kept):
    name = model.stem
    r = kept.setdefault(name, {})
    plan = a.work / f"{name}.plan"
    if not plan.exists() or plan.stat().st_mtime < model.stat().st_mtime or a.recompile:
        plan, c = compile_plan(a, model, name)
        r.update(file=model.stat().st_size, plan=c["bytes"], resident=c["resident_bytes"])
    for _ in range(a.cold):
        cold_round(a, model, plan, prompt, r)
    for _ in range(a.rounds):
        warm_round(a, model, plan, prompt, r)
    if model.stat().st_size >= QUARTER_FROM and not a.no_quarter:
        quarter(a, model, name, prompt, r)


def mid(r, key):
    values = [v for v in r.get(key, []) if v]
    return statistics.median(values) if values else None


def pair(r, key, digits=3):
    a, b = mid(r, key), mid(r, f"peer_{key}")
    return f"{number(a, digits)} / {number(b, digits)} | {a / b:.2f}" if a and b else "– | –"


def table(a, kept):
    mb, lines = 1e6, []
    put = lines.append
    put("# Language models beside llama.cpp\n")
    put(f"Written by `make bench-llm`. {platform.machine()}, {a.threads} threads; both in turn, medians of the rounds; ours / llama.cpp, and their ratio.")
    put(f"Prefill: {PROMPT} tokens; decode: {DECODED} tokens, one at a time; both warm. First token: after {SHORT} tokens, from the start of a process whose")
    put("model is not in the page cache, after a process that took as much memory and let it go (a virtual machine's host takes back what is")
    put("free, and gives it again at a rate of its own). T* is the time that the disk, read past the page cache in the same minute, six requests at a")
    put("time, takes for the plan's resident weights: into memory of their size that is new, as the run's is, and (in brackets) into a few MiB again")
    put("and again, which no run whose weights stay can do.")
    put("The models have random weights. `F` is the process' peak over its planned memory and 16 MB.\n")
    put("| model | prefill tokens/s | ratio | decode tokens/s | ratio | first token ms | ratio | over T* | process MB | ratio | F |")
    put("|---|---|---|---|---|---|---|---|---|---|---|")
    for name, r in kept.items():
        if "first" not in r or "peer_rss" not in r:
            continue
        rss = max(r["rss"])
        over = [number(mid(r, "first") * rate / (1e3 * r["resident"])) if rate else "–" for rate in (mid(r, "disk_fresh"), mid(r, "disk"))]
        put(f"| {name} | {pair(r, 'prefill')} | {pair(r, 'decode')} | {pair(r, 'first')} | "
            f"{over[0]} ({over[1]}) | {rss / mb:,.0f} / {max(r['peer_rss']) / mb:,.0f} | "
            f"{rss / max(r['peer_rss']):.2f} | {rss / (r['peak'] + 16e6):.2f} |")
    put("\n| model | file MB | plan MB | memory planned and taken MB |\n|---|---|---|---|")
    for name, r in kept.items():
        if "peak" in r:
            put(f"| {name} | {r['file'] / mb:,.0f} | {r['plan'] / mb:,.0f} | {r['peak'] / mb:,.0f} |")
    quarters = [(n, r["quarter"]) for n, r in kept.items() if "quarter" in r]
    if quarters:
        put("\nIn a quarter of the file's bytes, weights stream through memory once a token:\n")
        put("| model | budget bytes | taken bytes | process MB | first token ms | decode tokens/s |\n|---|---|---|---|---|---|")
    for n, q in quarters:
        put(f"| {n} | {q['budget']:,} | {q['peak']:,} | {q['rss'] / mb:,.0f} | {number(q['first'])} | {number(q['decode'])} |")
    return "\n".join(lines) + "\n"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", nargs="*", type=pathlib.Path)
    p.add_argument("--edgec", default="./edgec")
    p.add_argument("--edgert", default="./edgert")
    p.add_argument("--peer", default="")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--cold", type=int, default=7, help="cold starts of each")
    p.add_argument("--repeat", type=int, default=3, help="measurements of a process")
    p.add_argument("--work", type=pathlib.Path, default=pathlib.Path("bench-llm.work"))
    p.add_argument("--recompile", action="store_true")
    p.add_argument("--no-quarter", action="store_true")
    p.add_argument("-o", "--output", type=pathlib.Path)
    a = p.parse_args()
    if not a.peer or not os.access(a.peer, os.X_OK) or not a.models:
        print("skipped: --peer names no program to compare with (LLAMA_COLD), or there are no models (LLM_MODELS)")
        return
    a.work.mkdir(parents=True, exist_ok=True)
    state = a.work / "results.json"
    kept = json.loads(state.read_text()) if state.exists() else {}
    prompt = {n: tokens(a.work / f"tokens{n}.npy", n) for n in (1, SHORT, PROMPT)}
    for model in a.models:
        measure(a, model, prompt, kept)
        state.write_text(json.dumps(kept, indent=1))
    text = table(a, kept)
    if a.output:
        a.output.write_text(text)
    print(text)


main()
