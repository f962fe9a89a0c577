# Three libraries from one set of sources:
#   libedgeplan.la  plan checking and reading, which the compiler links too
#   libruntime.la   the whole runtime, for edgert and for tests (append to libruntime_la_SOURCES)
#   libedgert.la    what is installed: the same objects, only edgert_* visible
noinst_LTLIBRARIES += libedgeplan.la libruntime.la
lib_LTLIBRARIES += libedgert.la
bin_PROGRAMS += edgert

libedgeplan_la_SOURCES = %D%/include/edge/plan_format.h %D%/include/edge/plan_read.h \
	%D%/plan/check.c %D%/plan/check.h %D%/plan/check_records.c %D%/plan/check_generate.c %D%/plan/check_train.c %D%/plan/hash.c \
	%D%/plan/text.c
libedgeplan_la_CPPFLAGS = $(RUNTIME_CPPFLAGS)

libruntime_la_SOURCES = %D%/version.c \
	%D%/base/clock.c %D%/base/clock.h %D%/base/failure.c %D%/base/failure.h \
	%D%/base/json.c %D%/base/json.h %D%/base/memory.c %D%/base/memory.h \
	%D%/base/npy.c %D%/base/npy.h %D%/base/outfile.c %D%/base/outfile.h \
	%D%/device/device.c %D%/device/device.h %D%/device/opencl.c %D%/device/opencl.h \
	%D%/device/cl_loader.c %D%/device/cl_loader.h %D%/device/cl_cache.c %D%/device/cl_cache.h \
	%D%/device/native.c %D%/device/native.h %D%/device/pool.c %D%/device/pool.h \
	%D%/device/isa.c %D%/device/isa.h %D%/exec/code.c %D%/exec/lookup.c \
	%D%/stream/plan_file.c %D%/stream/plan_file.h %D%/stream/stream.c %D%/stream/stream.h \
	%D%/stream/uring.c %D%/stream/uring.h \
	%D%/exec/open.c %D%/exec/place.c %D%/exec/prepare.c %D%/exec/report.c %D%/exec/run.c %D%/exec/session.h \
	%D%/image/deflate.c %D%/image/deflate.h %D%/image/huffman.c %D%/image/huffman.h \
	%D%/image/metrics.c %D%/image/metrics.h %D%/image/png.c %D%/image/png.h \
	%D%/train/session.c %D%/train/set.c %D%/train/resize.c %D%/train/resize.h %D%/train/step.c %D%/train/draw.c %D%/train/order.c \
	%D%/train/event.c %D%/train/drift.c %D%/train/device.c %D%/train/frames.c %D%/train/frames.h %D%/train/internal.h %D%/train/train.h \
	%D%/train/checkpoint.c %D%/train/checkpoint.h %D%/train/curve.c %D%/train/curve.h \
	%D%/train/exchange.c %D%/train/exchange.h %D%/train/ply.h %D%/train/ply_header.c %D%/train/ply_header.h %D%/train/ply_read.c %D%/train/ply_write.c \
	%D%/text/language.c %D%/text/language.h %D%/text/merge.c %D%/text/sample.c %D%/text/sample.h \
	%D%/text/tokenizer.c %D%/text/tokenizer.h %D%/text/unicode.c %D%/text/unicode_ranges.h %D%/text/words.c \
	%D%/exec/tensors.c %D%/plan/dump.c %D%/plan/dump_train.c %D%/plan/dump_generate.c %D%/plan/dump.h
libruntime_la_CPPFLAGS = $(RUNTIME_CPPFLAGS)

libedgert_la_SOURCES =
libedgert_la_LIBADD = libruntime.la libedgeplan.la $(RUNTIME_LIBS)
libedgert_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -export-symbols-regex '^edgert_'

edgert_CPPFLAGS = $(RUNTIME_CPPFLAGS)
edgert_SOURCES = %D%/tools/edgert.c %D%/tools/tool.h %D%/tools/bound.c %D%/tools/weights_needed.c %D%/tools/cmd_bench.c \
	%D%/tools/cmd_generate.c %D%/tools/cmd_perplexity.c %D%/tools/cmd_tokenize.c %D%/tools/language_tool.c %D%/tools/language_tool.h \
	%D%/tools/cmd_info.c %D%/tools/cmd_probe.c %D%/tools/probe_native.c %D%/tools/probe_native.h %D%/tools/probe_cold.c %D%/tools/probe_cold.h %D%/tools/probe_disk.c %D%/tools/probe_disk.h %D%/tools/probe_carry.c %D%/tools/probe_carry.h %D%/tools/cmd_run.c %D%/tools/report_json.c %D%/tools/samples.c \
	%D%/tools/tensor_files.c %D%/tools/tool_options.c %D%/tools/trace.c \
	%D%/tools/cmd_execute.c %D%/tools/cmd_train.c %D%/tools/train_progress.c %D%/tools/train_progress.h %D%/tools/train_tool.h \
	%D%/tools/evaluate.c %D%/tools/picture.c %D%/tools/scene_open.c %D%/tools/train_report.c %D%/tools/train_svg.c \
	%D%/tools/train_html.c %D%/tools/cmd_render.c %D%/tools/cmd_eval.c %D%/tools/orbit.c %D%/tools/orbit.h \
	%D%/tools/scene_options.c %D%/tools/scene_options.h %D%/tools/train_options.c
edgert_LDADD = libruntime.la libedgeplan.la $(RUNTIME_LIBS)

edgeincludedir = $(includedir)/edge
edgeinclude_HEADERS = %D%/include/edge/edgert.h %D%/include/edge/plan_format.h %D%/include/edge/plan_read.h
EXTRA_DIST += %D%/edgert.pc.in %D%/README.md %D%/base/README.md %D%/device/README.md %D%/plan/README.md \
	%D%/exec/README.md %D%/image/README.md %D%/train/README.md %D%/stream/README.md %D%/tools/README.md %D%/text/README.md %D%/text/unicode.py
