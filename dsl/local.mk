# The .edge language. Generated code is allowed what our own is not.
noinst_LTLIBRARIES += libdsl.la
libdsl_la_CPPFLAGS = $(COMPILER_CPPFLAGS)
libdsl_la_SOURCES = %D%/dsl.h %D%/ast.h %D%/ast.c %D%/syntax.h %D%/scan.l %D%/parse.y \
	%D%/setting.h %D%/setting.c %D%/sema.h %D%/sema.c %D%/blocks.c \
	%D%/device.c %D%/model.c %D%/plan.c %D%/train.h %D%/train.c %D%/tune.h %D%/tune.c %D%/quantize.h %D%/quantize.c %D%/format.c %D%/print.c
libdsl_la_CFLAGS = $(AM_CFLAGS) -Wno-unused-function -Wno-unused-but-set-variable -Wno-sign-compare
BUILT_SOURCES += %D%/parse.h
EXTRA_DIST += %D%/README.md
