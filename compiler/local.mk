# libedgec.la: all of the compiler but main, so that tests can link it.
noinst_LTLIBRARIES += libedgec.la
libedgec_la_SOURCES += kernels/embedded.h $(libedgec_ref_sources) \
	%D%/choose.c %D%/choose.h %D%/commands.c %D%/commands.h %D%/compilation.h %D%/compile.c %D%/compile_again.c %D%/compile_train.c %D%/compile_train.h \
	%D%/generate.c %D%/generate.h %D%/options.c %D%/options.h %D%/summary.c %D%/summary.h
libedgec_la_CPPFLAGS = $(COMPILER_CPPFLAGS) $(PROTOBUF_C_CFLAGS) $(CJSON_CFLAGS) $(CURL_CFLAGS) $(JPEG_CFLAGS) $(PNG_CFLAGS) \
	$(LIBCLANG_CFLAGS)
libedgec_la_LIBADD = libdsl.la

bin_PROGRAMS += edgec
edgec_CPPFLAGS = $(COMPILER_CPPFLAGS)
edgec_SOURCES = %D%/main.c
edgec_LDADD = libedgec.la libedgeplan.la $(COMPILER_LIBS)

include compiler/base/local.mk
include compiler/ir/local.mk
include compiler/import/local.mk
include compiler/pass/local.mk
include compiler/quant/local.mk
include compiler/target/local.mk
include compiler/sched/local.mk
include compiler/codegen/local.mk
include compiler/plan/local.mk
include compiler/timeline/local.mk
include compiler/scene/local.mk
include compiler/tune/local.mk
