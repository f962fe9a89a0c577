# The .edge language. Generated code is allowed what our own is not.
noinst_LTLIBRARIES += libdsl.la
libdsl_la_CPPFLAGS = $(COMPILER_CPPFLAGS)
libdsl_la_SOURCES = %D%/dsl.h
libdsl_la_CFLAGS = $(AM_CFLAGS) -Wno-unused-function -Wno-unused-but-set-variable -Wno-sign-compare
# When parse.y exists: BUILT_SOURCES += %D%/parse.h
