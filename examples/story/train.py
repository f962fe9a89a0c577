#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train a small language model on this project's own documentation and write it as story.gguf.

usage: train.py [--steps N] [--seconds S] [-o story.gguf]

A Llama decoder: root-mean-square norms, rotary embeddings on neighbouring pairs,
two heads of keys and values for four of queries, SwiGLU, tied embeddings. The
vocabulary is byte-level BPE, learned here as well. Gradients are written out in
NumPy; the file is written byte by byte. Needs NumPy alone.
"""
import argparse
import collections
import glob
import os
import re
import struct
import time

import numpy as np

WIDTH, LAYERS, HEADS, KV_HEADS, HIDDEN, VOCABULARY, CONTEXT = 96, 4, 4, 2, 256, 512, 256
HEAD, BASE, EPS = WIDTH // HEADS, 10000.0, 1e-5
END = "<|endoftext|>"

# ---- text and tokens

WORDS = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")


def corpus(top):
    """Paragraphs of all documents, one line each, in the order of their names."""
    out = []
    for path in sorted(glob.glob(os.path.join(top, "**", "*.md"), recursive=True)):
        for part in re.split(r"\n\s*\n", open(path, encoding="utf-8").read()):
            if part.lstrip().startswith(("|", "```", "    ", "<")):
                continue
            part = " ".join(part.split())
            if len(part) > 40:
                out.append(part)
    return out


def byte_letters():
    plain = [b for b in range(256) if 0x21 <= b <= 0x7E or 0xA1 <= b <= 0xAC or b >= 0xAE]
    letters, extra = {}, 0
    for b in range(256):
        letters[b] = chr(b) if b in plain else chr(256 + extra)
        extra += b not in plain
    return letters


def learn_merges(texts, count):
    words = collections.Counter(w.encode() for t in texts for w in WORDS.findall(t))
    pieces = {w: [bytes([b]) for b in w] for w in words}
    merges = []
    while len(merges) < count:
        pairs = collections.Counter()
        for w, n in words.items():
            for pair in zip(pieces[w], pieces[w][1:]):
                pairs[pair] += n
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(best)
        for w in words:
            pieces[w] = merge(pieces[w], best)
    return merges


def merge(p, pair):
    out, i = [], 0
    while i < len(p):
        if i + 1 < len(p) and (p[i], p[i + 1]) == pair:
            out.append(p[i] + p[i + 1])
            i += 2
        else:
            out.append(p[i])
            i += 1
    return out


class Tokenizer:
    def __init__(self, texts):
        self.merges = learn_merges(texts, VOCABULARY - 257)
        self.tokens = [END.encode()] + [bytes([b]) for b in range(256)] + [a + b for a, b in self.merges]
        self.number = {t: i for i, t in reversed(list(enumerate(self.tokens)))}
        self.rank = {m: i for i, m in enumerate(self.merges)}
        self.kept = {}

    def word(self, w):
        if w not in self.kept:
            p = [bytes([b]) for b in w.encode()]
            while len(p) > 1:
                best = min(zip(p, p[1:]), key=lambda x: self.rank.get(x, 1 << 30))
                if best not in self.rank:
                    break
                p = merge(p, best)
            self.kept[w] = [self.number[x] for x in p]
        return self.kept[w]

    def encode(self, text):
        return [i for w in WORDS.findall(text) for i in self.word(w)]


# ---- the network: forward keeps what backward wants


def rms(x, w):
    r = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + EPS)
    return x * r * w, (x, r, w)


def rms_back(g, kept):
    x, r, w = kept
    gw = (g * x * r).sum(tuple(range(g.ndim - 1)))
    gx = g * w
    return r * gx - x * r**3 * (gx * x).mean(-1, keepdims=True), gw


def angles(n):
    turn = np.arange(n)[:, None] * BASE ** (-np.arange(HEAD // 2) / (HEAD // 2))
    return np.cos(turn).astype(np.float32), np.sin(turn).astype(np.float32)


def rotate(x, cosine, sine):
    y = np.empty_like(x)
    a, b = x[..., 0::2], x[..., 1::2]
    y[..., 0::2] = a * cosine - b * sine
    y[..., 1::2] = a * sine + b * cosine
    return y


def heads(x, n):
    b, t, _ = x.shape
    return x.reshape(b, t, n, HEAD).transpose(0, 2, 1, 3)


def joined(x):
    b, n, t, d = x.shape
    return x.transpose(0, 2, 1, 3).reshape(b, t, n * d)


def attention(q, k, v):
    t = q.shape[2]
    cosine, sine = angles(t)
    q, k = rotate(q, cosine, sine), rotate(k, cosine, sine)
    group = HEADS // KV_HEADS
    wide_k, wide_v = np.repeat(k, group, 1), np.repeat(v, group, 1)
    s = q @ wide_k.swapaxes(-1, -2) * HEAD**-0.5
    s = np.where(np.tril(np.ones((t, t), bool)), s, -1e30)
    p = np.exp(s - s.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return p @ wide_v, (q, wide_k, wide_v, p, cosine, sine)


def attention_back(g, kept):
    q, k, v, p, cosine, sine = kept
    gv = p.swapaxes(-1, -2) @ g
    gp = g @ v.swapaxes(-1, -2)
    gs = p * (gp - (gp * p).sum(-1, keepdims=True)) * HEAD**-0.5
    gq, gk = gs @ k, gs.swapaxes(-1, -2) @ q
    b, _, t, d = gq.shape
    fold = lambda x: x.reshape(b, KV_HEADS, HEADS // KV_HEADS, t, d).sum(2)
    return rotate(gq, cosine, -sine), rotate(fold(gk), cosine, -sine), fold(gv)


def start(rng):
    normal = lambda *s: (rng.standard_normal(s) * s[-1] ** -0.5).astype(np.float32)
    p = {"embd": (rng.standard_normal((VOCABULARY, WIDTH)) * 0.05).astype(np.float32),
         "norm": np.ones(WIDTH, np.float32)}
    for i in range(LAYERS):
        p.update({f"{i}.an": np.ones(WIDTH, np.float32), f"{i}.fn": np.ones(WIDTH, np.float32),
                  f"{i}.q": normal(WIDTH, WIDTH), f"{i}.k": normal(KV_HEADS * HEAD, WIDTH),
                  f"{i}.v": normal(KV_HEADS * HEAD, WIDTH), f"{i}.o": normal(WIDTH, WIDTH) * 0.3,
                  f"{i}.gate": normal(HIDDEN, WIDTH), f"{i}.up": normal(HIDDEN, WIDTH),
                  f"{i}.down": normal(WIDTH, HIDDEN) * 0.3})
    return p


def matrix_grad(g, x):
    return g.reshape(-1, g.shape[-1]).T @ x.reshape(-1, x.shape[-1])


def loss_and_gradients(p, tokens, train=True):
    x, target = p["embd"][tokens[:, :-1]], tokens[:, 1:]
    kept = []
    for i in range(LAYERS):
        h, kn = rms(x, p[f"{i}.an"])
        q, k, v = (h @ p[f"{i}.{n}"].T for n in "qkv")
        a, ka = attention(heads(q, HEADS), heads(k, KV_HEADS), heads(v, KV_HEADS))
        a = joined(a)
        x = x + a @ p[f"{i}.o"].T
        f, kf = rms(x, p[f"{i}.fn"])
        gate, up = f @ p[f"{i}.gate"].T, f @ p[f"{i}.up"].T
        s = 1 / (1 + np.exp(-gate))
        m = gate * s * up
        x = x + m @ p[f"{i}.down"].T
        kept.append((h, kn, a, ka, f, kf, gate, up, s, m))
    y, ky = rms(x, p["norm"])
    z = y @ p["embd"].T
    z -= z.max(-1, keepdims=True)
    e = np.exp(z)
    e /= e.sum(-1, keepdims=True)
    at = np.take_along_axis(e, target[..., None], -1)
    loss = -np.log(at + 1e-20).mean()
    if not train:
        return loss, None
    g = {}
    np.put_along_axis(e, target[..., None], at - 1, -1)
    gz = e / target.size
    g["embd"] = matrix_grad(gz, y)
    gx, g["norm"] = rms_back(gz @ p["embd"], ky)
    for i in reversed(range(LAYERS)):
        h, kn, a, ka, f, kf, gate, up, s, m = kept[i]
        g[f"{i}.down"] = matrix_grad(gx, m)
        gm = gx @ p[f"{i}.down"]
        ggate, gup = gm * up * s * (1 + gate * (1 - s)), gm * gate * s
        g[f"{i}.gate"], g[f"{i}.up"] = matrix_grad(ggate, f), matrix_grad(gup, f)
        gf, g[f"{i}.fn"] = rms_back(ggate @ p[f"{i}.gate"] + gup @ p[f"{i}.up"], kf)
        gx = gx + gf
        g[f"{i}.o"] = matrix_grad(gx, a)
        back = attention_back(heads(gx @ p[f"{i}.o"], HEADS), ka)
        gh = 0
        for n, gn in zip("qkv", back):
            gn = joined(gn)
            g[f"{i}.{n}"] = matrix_grad(gn, h)
            gh = gh + gn @ p[f"{i}.{n}"]
        gh, g[f"{i}.an"] = rms_back(gh, kn)
        gx = gx + gh
    np.add.at(g["embd"], tokens[:, :-1], gx)
    return loss, g


def train(p, stream, steps, seconds, rng):
    first, second = ({k: np.zeros_like(v) for k, v in p.items()} for _ in range(2))
    begin = time.time()
    for step in range(1, steps + 1):
        part = max(step / steps, (time.time() - begin) / seconds)
        if part > 1:
            break
        rate = 3e-3 * min(1, step / 30) * (0.05 + 0.95 * 0.5 * (1 + np.cos(np.pi * min(1, part))))
        rows = rng.integers(0, len(stream) - 129, 12)
        loss, g = loss_and_gradients(p, np.stack([stream[r:r + 129] for r in rows]))
        size = np.sqrt(sum(float((v * v).sum()) for v in g.values()))
        for k, v in g.items():
            v = v * min(1, 1 / (size + 1e-9))
            first[k] += 0.1 * (v - first[k])
            second[k] += 0.02 * (v * v - second[k])
            step_of = first[k] / (1 - 0.9**step) / (np.sqrt(second[k] / (1 - 0.98**step)) + 1e-8)
            p[k] -= (rate * (step_of + (0.05 * p[k] if v.ndim > 1 else 0))).astype(np.float32)
        if step % 50 == 0 or step == 1:
            print(f"step {step}: loss {loss:.3f}, {time.time() - begin:.0f} s", flush=True)


# ---- the file


def string(s):
    s = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(s)) + s


def key(name, kind, value):
    u32, f32, text, array, boolean = 4, 6, 8, 9, 7
    head = string(name)
    if kind == "u32":
        return head + struct.pack("<II", u32, value)
    if kind == "f32":
        return head + struct.pack("<If", f32, value)
    if kind == "bool":
        return head + struct.pack("<IB", boolean, value)
    if kind == "text":
        return head + struct.pack("<I", text) + string(value)
    if kind == "texts":
        return head + struct.pack("<IIQ", array, text, len(value)) + b"".join(map(string, value))
    return head + struct.pack("<IIQ", array, 5, len(value)) + struct.pack(f"<{len(value)}i", *value)


def write(path, p, t):
    letters = byte_letters()
    spell = lambda b: "".join(letters[x] for x in b)
    keys = [key("general.architecture", "text", "llama"), key("general.name", "text", "story"),
            key("llama.context_length", "u32", CONTEXT), key("llama.embedding_length", "u32", WIDTH),
            key("llama.block_count", "u32", LAYERS), key("llama.feed_forward_length", "u32", HIDDEN),
            key("llama.attention.head_count", "u32", HEADS), key("llama.attention.head_count_kv", "u32", KV_HEADS),
            key("llama.attention.layer_norm_rms_epsilon", "f32", EPS), key("llama.rope.freq_base", "f32", BASE),
            key("llama.rope.dimension_count", "u32", HEAD), key("general.file_type", "u32", 1),
            key("tokenizer.ggml.model", "text", "gpt2"), key("tokenizer.ggml.pre", "text", "gpt-2"),
            key("tokenizer.ggml.tokens", "texts", [END] + [spell(x) for x in t.tokens[1:]]),
            key("tokenizer.ggml.token_type", "i32s", [3] + [1] * (VOCABULARY - 1)),
            key("tokenizer.ggml.merges", "texts", [spell(a) + " " + spell(b) for a, b in t.merges]),
            key("tokenizer.ggml.bos_token_id", "u32", 0), key("tokenizer.ggml.eos_token_id", "u32", 0),
            key("tokenizer.ggml.add_bos_token", "bool", 1)]
    names = {"an": "attn_norm", "q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output", "fn": "ffn_norm",
             "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down", "embd": "token_embd", "norm": "output_norm"}
    infos, data = b"", b""
    for k, v in p.items():
        layer, _, short = k.rpartition(".")
        name = (f"blk.{layer}." if layer else "") + names[short] + ".weight"
        half = v.ndim > 1
        infos += string(name) + struct.pack(f"<I{v.ndim}QIQ", v.ndim, *reversed(v.shape), int(half), len(data))
        data += v.astype(np.float16 if half else np.float32).tobytes()
        data += bytes(-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(p), len(keys)) + b"".join(keys) + infos
    with open(path, "wb") as out:
        out.write(head + bytes(-len(head) % 32) + data)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    a = argparse.ArgumentParser()
    a.add_argument("--steps", type=int, default=2000)
    a.add_argument("--seconds", type=float, default=1e9)
    a.add_argument("-o", default=os.path.join(here, "story.gguf"))
    o = a.parse_args()
    rng = np.random.default_rng(1)
    texts = corpus(os.path.join(here, "..", ".."))
    t = Tokenizer(texts)
    stream = np.array([i for k in rng.permutation(len(texts)) for i in [0] + t.encode(texts[k])])
    p = start(rng)
    print(f"{len(texts)} paragraphs, {len(stream)} tokens, {sum(v.size for v in p.values())} weights", flush=True)
    train(p, stream, o.steps, o.seconds, rng)
    write(o.o, p, t)
    print(f"{o.o}: {os.path.getsize(o.o)} bytes")


if __name__ == "__main__":
    main()
