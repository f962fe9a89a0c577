# Three libraries from one set of sources:
#   libedgeplan.la  plan checking and reading, which the compiler links too
#   libruntime.la   the whole runtime, for edgert and for tests (append to libruntime_la_SOURCES)
#   libedgert.la    what is installed: the same objects, only edgert_* visible
noinst_LTLIBRARIES += libedgeplan.la libruntime.la
lib_LTLIBRARIES += libedgert.la
bin_PROGRAMS += edgert

libedgeplan_la_SOURCES = %D%/include/edge/plan_format.h %D%/include/edge/plan_read.h \
	%D%/plan/check.c %D%/plan/check.h %D%/plan/check_records.c %D%/plan/hash.c
libedgeplan_la_CPPFLAGS = $(RUNTIME_CPPFLAGS) $(XXHASH_CFLAGS)

libruntime_la_SOURCES = %D%/version.c
libruntime_la_CPPFLAGS = $(RUNTIME_CPPFLAGS) $(XXHASH_CFLAGS)

libedgert_la_SOURCES =
libedgert_la_LIBADD = libruntime.la libedgeplan.la $(RUNTIME_LIBS)
libedgert_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -export-symbols-regex '^edgert_'

edgert_CPPFLAGS = $(RUNTIME_CPPFLAGS)
edgert_SOURCES = %D%/tools/edgert.c
edgert_LDADD = libruntime.la libedgeplan.la $(RUNTIME_LIBS)

edgeincludedir = $(includedir)/edge
edgeinclude_HEADERS =
EXTRA_DIST += %D%/edgert.pc.in
