libedgec_la_SOURCES += %D%/target.h %D%/target.c %D%/tuning.h %D%/tuning.c
EXTRA_DIST += %D%/README.md
