libedgec_la_SOURCES += %D%/target.h %D%/target.c
EXTRA_DIST += %D%/README.md
