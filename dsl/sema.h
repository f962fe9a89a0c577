/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sema.h - what the files that resolve blocks share.
 *
 *	sema.c      names, statements, and the blocks that are read elsewhere
 *	blocks.c    which settings each kind of block has
 *	device.c    device, budget
 *	model.c     model
 *	plan.c      plan
 */
#ifndef EDGE_DSL_SEMA_H
#define EDGE_DSL_SEMA_H

#include "dsl.h"
#include "setting.h"

#define COUNT(x) ((uint32_t)(sizeof(x) / sizeof *(x)))

/* More is no project that a person wrote; some checks compare all with all. */
enum { MAX_BLOCK = 10000 };

enum block_kind { BLOCK_DEVICE, BLOCK_BUDGET, BLOCK_MODEL, BLOCK_PLAN, BLOCK_QUANTIZE, BLOCK_TUNE, BLOCK_SCENE, BLOCKS };

struct block_spec {
	const char *word;
	const struct setting_spec *settings;
	uint32_t count;
};

extern const struct block_spec blocks[BLOCKS];

struct sema {
	struct arena *arena;
	struct diag *diag;
	struct project *project;
	/* every block by kind, in the order of the file */
	VEC(const struct ast_decl *) decls[BLOCKS];
};

/* NULL: none. index may be NULL. */
const struct ast_decl *sema_find(const struct sema *s, enum block_kind kind, const char *name, uint32_t *index);
/* Which block of that kind has the name; false: said that none has. */
bool sema_lookup(struct sema *s, enum block_kind kind, const char *name, struct span at, uint32_t *index);
/* Matches statement i of the block; spec is NULL where it is wrong, which was said. */
struct setting sema_match(struct sema *s, enum block_kind kind, const struct ast_decl *decl, uint32_t i);
bool sema_is(const struct setting *m, const char *name);

/* Each adds to the project, or says what is wrong. */
void resolve_device(struct sema *s, const struct ast_decl *decl);
void resolve_budget(struct sema *s, const struct ast_decl *decl);
void resolve_model(struct sema *s, const struct ast_decl *decl);
void resolve_plan(struct sema *s, const struct ast_decl *decl);

#endif
