/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vec.h - a growing array in an arena.
 *
 *	VEC(int) v = { 0 };
 *	vec_push(arena, &v, 7);       v.data[0] == 7, v.len == 1
 *
 * Elements move when the array grows: keep indices, not pointers.
 */
#ifndef EDGE_BASE_VEC_H
#define EDGE_BASE_VEC_H

#include "base/arena.h"

#define VEC(type)                                                                                  \
	struct {                                                                                   \
		type *data;                                                                        \
		uint32_t len, cap;                                                                 \
	}

#define vec_reserve(a, v, n)                                                                       \
	do {                                                                                       \
		if ((v)->cap < (n)) {                                                              \
			uint32_t cap_ = (v)->cap ? (v)->cap * 2 : 8;                               \
			if (cap_ < (n))                                                            \
				cap_ = (n);                                                        \
			(v)->data = arena_grow((a), (v)->data, (v)->len, cap_,                     \
					       sizeof *(v)->data);                                 \
			(v)->cap = cap_;                                                           \
		}                                                                                  \
	} while (0)

#define vec_push(a, v, ...)                                                                        \
	do {                                                                                       \
		vec_reserve((a), (v), (v)->len + 1);                                               \
		(v)->data[(v)->len++] = (__VA_ARGS__);                                             \
	} while (0)

#endif
