#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# generate.py - writes the files of this folder: models of zeros, each with a small vocabulary of its kind.
# tokens.txt says which tokens llama.cpp makes of which texts with them.
import os
import struct

U32, F32, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5
NORMAL, UNKNOWN, CONTROL, USER, BYTE = 1, 2, 3, 4, 6
WIDTH = 32


def text(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def value(kind, x):
    if kind == STRING:
        return text(x)
    if kind == ARRAY:
        element, items = x
        return struct.pack("<IQ", element, len(items)) + b"".join(value(element, i) for i in items)
    return struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}[kind], x)


def write(name, keys, vocabulary):
    def key(k, kind, x):
        return text(k) + struct.pack("<I", kind) + value(kind, x)

    keys = [("general.architecture", STRING, "llama"), ("llama.context_length", U32, 64),
            ("llama.embedding_length", U32, WIDTH), ("llama.block_count", U32, 1),
            ("llama.feed_forward_length", U32, WIDTH), ("llama.attention.head_count", U32, 1),
            ("llama.attention.layer_norm_rms_epsilon", F32, 1e-5)] + keys
    tensors = [("token_embd.weight", (WIDTH, vocabulary))]
    tensors += [("blk.0.%s.weight" % n, (WIDTH, WIDTH))
                for n in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")]
    tensors += [(n + ".weight", (WIDTH,)) for n in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm")]
    front = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(key(*k) for k in keys)
    data = b""
    for tensor, dims in tensors:
        matrix = len(dims) > 1
        front += text(tensor) + struct.pack("<I", len(dims)) + struct.pack("<%dQ" % len(dims), *dims)
        front += struct.pack("<IQ", 2 if matrix else 0, len(data))
        data += bytes(18 * dims[1] if matrix else 4 * WIDTH)  # Q4_0, F32
        data += bytes(-len(data) % 32)
    front += bytes(-len(front) % 32)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), "wb") as f:
        f.write(front + data)


def letters():
    """The letter of each byte in vocabularies of bytes."""
    plain = set(range(0x21, 0x7f)) | set(range(0xa1, 0xad)) | set(range(0xae, 0x100))
    out, n = [], 0
    for b in range(256):
        out.append(chr(b if b in plain else 256 + n))
        n += b not in plain
    return out


def bpe(name, pre):
    letter = letters()
    merges = []
    for pair in ("  ", "    ", "\n\n", "\r\n", " \n", " a", " b", " x", "ab", "he", "hel", "ll", "lo", " he", "'s", "'S", "'ll",
                 "12", "123", "34", "1234", " 1", "!!", "!\n", " !", "\t\t", "\u00e9", "e\u0301", "\u4e00", "\u4e00\u4e00",
                 "\U0001f600", "\u0661\u0662", "\u00bd", ":)", "\u00a0a"):
        b = "".join(letter[c] for c in pair.encode())
        for cut in range(len(b) - 1, 0, -1):  # the left part is a token before the whole is
            merges.append(b[:1] + " " + b[1:] if len(b) == 2 else b[:cut] + " " + b[cut:])
            if cut == 1 or any(m.replace(" ", "") == b[:cut] for m in merges[:-1]):
                break
    for m in list(merges):  # pieces that nothing makes yet, from the left
        left, right = m.split(" ")
        for part in (left, right):
            for n in range(2, len(part) + 1):
                step = part[:n - 1] + " " + part[n - 1:]
                if not any(x.replace(" ", "") == part[:n] for x in merges):
                    merges.append(step)
    tokens = [(x, NORMAL) for x in letter]
    for m in merges:
        if (m.replace(" ", ""), NORMAL) not in tokens:
            tokens.append((m.replace(" ", ""), NORMAL))
    tokens += [("<|endoftext|>", CONTROL), ("<|a|>", CONTROL), ("<|user|>", USER), ("<|user|>more", USER), ("<u>", UNKNOWN)]
    names = [t[0] for t in tokens]
    write(name, [("tokenizer.ggml.model", STRING, "gpt2")] + [("tokenizer.ggml.pre", STRING, pre)] * bool(pre) + [
                 ("tokenizer.ggml.tokens", ARRAY, (STRING, names)),
                 ("tokenizer.ggml.token_type", ARRAY, (I32, [t[1] for t in tokens])),
                 ("tokenizer.ggml.merges", ARRAY, (STRING, merges)),
                 ("tokenizer.ggml.bos_token_id", U32, names.index("<|endoftext|>")),
                 ("tokenizer.ggml.eos_token_id", U32, names.index("<|endoftext|>"))], len(tokens))


def spm(name, flags):
    tokens = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)] + [("<0x%02X>" % b, BYTE) for b in range(256)]
    tokens += [(t.replace(" ", "\u2581"), NORMAL) for t in
               ("he", "ll", " he", "lo", "hell", " hello", " a", "ab", "  ", "    ", " the", "th", "er", " 1", "12", "...", "\u00e9",
                "\u4e00", " ", "a", "b", "c", "e", "h", "l", "o", "r", "t", "1", "2", "3", ".", "'", "s", "'s")]
    tokens += [("<|user|>", USER), ("\u2581\u2581\u2581", USER)]
    write(name, [("tokenizer.ggml.model", STRING, "llama"),
                 ("tokenizer.ggml.tokens", ARRAY, (STRING, [t[0] for t in tokens])),
                 ("tokenizer.ggml.scores", ARRAY, (F32, [-float(i) for i in range(len(tokens))])),
                 ("tokenizer.ggml.token_type", ARRAY, (I32, [t[1] for t in tokens])),
                 ("tokenizer.ggml.bos_token_id", U32, 1), ("tokenizer.ggml.eos_token_id", U32, 2),
                 ("tokenizer.ggml.unknown_token_id", U32, 0)] + [(k, BOOL, v) for k, v in flags], len(tokens))


for kind in ("gpt-2", "llama-bpe", "qwen2", "smollm"):
    bpe("good-%s.gguf" % kind, kind)
bpe("good-unnamed.gguf", None)
spm("good-spm.gguf", [])
spm("good-spm-plain.gguf", [("tokenizer.ggml.add_bos_token", False), ("tokenizer.ggml.add_space_prefix", False)])
