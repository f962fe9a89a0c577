/* SPDX-License-Identifier: Apache-2.0 */
/* page.h - page.html and train_page.html as text, made by the build: what stands before and after the plan's data. */
#ifndef EDGE_PLAN_PAGE_H
#define EDGE_PLAN_PAGE_H

extern const char *const page_before[], *const page_after[]; /* lines; NULL ends */
extern const char *const train_page_before[], *const train_page_after[];

#endif
