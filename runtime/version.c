/* SPDX-License-Identifier: Apache-2.0 */
/* version.c - the version of the library, for programs that load it. */
#include "config.h"

#include "edge/edgert.h"

const char *edgert_version(void)
{
	return PACKAGE_VERSION;
}
