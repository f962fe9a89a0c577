/* SPDX-License-Identifier: Apache-2.0 */
/* version.c - the version of the library, for programs that load it. */
#include "config.h"

const char *edgert_version(void);

const char *edgert_version(void)
{
	return PACKAGE_VERSION;
}
