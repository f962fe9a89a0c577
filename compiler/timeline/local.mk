libedgec_la_SOURCES += %D%/timeline.h %D%/internal.h %D%/timeline.c %D%/memory.c %D%/steps.c %D%/events.c
EXTRA_DIST += %D%/README.md
