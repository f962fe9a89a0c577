libedgec_la_SOURCES += %D%/schedule.h %D%/internal.h %D%/layout.h %D%/cost.c %D%/memory.c %D%/fill.c %D%/ring.c %D%/carry.c \
	%D%/clock.c %D%/lower.c %D%/cut.c %D%/stream.c %D%/resident.c %D%/layout.c %D%/reads.c %D%/tables.c %D%/variants.c %D%/notes.c \
	%D%/schedule.c %D%/replay.c
EXTRA_DIST += %D%/README.md
