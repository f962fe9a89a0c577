/* SPDX-License-Identifier: Apache-2.0 */
/* constraint.h - conditions between knobs, as text. */
#ifndef EDGE_TUNE_CONSTRAINT_H
#define EDGE_TUNE_CONSTRAINT_H

#include "tune/space.h"

/*
 * "tile_m % 4 == 0 && tile_m * tile_n <= 256": knobs by name, with the number
 * that their text is (its index where it is none). Text that means nothing
 * does not hold.
 */
bool constraint_holds(const struct space *s, const double *x, const char *text);

#endif
