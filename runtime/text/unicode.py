#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write unicode_ranges.h: which code points are letters, numbers, punctuation.

usage: unicode.py > unicode_ranges.h

The facts are Unicode's general categories, as Python's unicodedata has them.
"""

import unicodedata


def ranges(letter):
    out, start = [], None
    for c in range(0x110000 + 1):
        inside = c < 0x110000 and unicodedata.category(chr(c))[0] == letter
        if inside and start is None:
            start = c
        elif not inside and start is not None:
            out.append((start, c - 1))
            start = None
    return out


def table(name, letter):
    text = [f"static const struct range {name}[] = {{"]
    line = "\t"
    for first, last in ranges(letter):
        item = f"{{ {first:#x}, {last:#x} }}, "
        if len(line) + len(item) > 112:
            text.append(line.rstrip())
            line = "\t"
        line += item
    text += [line.rstrip(), "};"]
    return "\n".join(text)


print("/* SPDX-License-Identifier: Apache-2.0 */")
print(f"/* unicode_ranges.h - general categories L, N and P of Unicode {unicodedata.unidata_version}; made by unicode.py. */")
print("#ifndef EDGE_RT_UNICODE_RANGES_H\n#define EDGE_RT_UNICODE_RANGES_H\n\n#include <stdint.h>\n")
print("struct range {\n\tuint32_t first, last;\n};\n")
print(table("letters", "L"))
print()
print(table("numbers", "N"))
print()
print(table("punctuation", "P"))
print("\n#endif")
