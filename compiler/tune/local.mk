# Searching formats and kernel settings by measuring; what a lock file does when compiling.
libedgec_la_SOURCES += %D%/apply.c %D%/apply.h %D%/formats.c %D%/formats.h %D%/lock.c %D%/lock.h \
	%D%/tensors.c %D%/tensors.h
libedgec_la_SOURCES += %D%/constraint.c %D%/constraint.h %D%/space.c %D%/space.h \
	%D%/search.c %D%/search.h %D%/search_anneal.c %D%/search_greedy.c %D%/search_tpe.c
libedgec_la_SOURCES += %D%/loop.c %D%/measure.c %D%/measure.h %D%/problem.c %D%/problem.h %D%/process.c %D%/process.h \
	%D%/quality.c %D%/quality.h %D%/record.c %D%/record.h %D%/report.c %D%/tune.c %D%/tune.h
libedgec_la_SOURCES += %D%/chat.c %D%/chat.h %D%/dialogue.c %D%/dialogue.h %D%/prompt.c %D%/prompt.h \
	%D%/html.c %D%/reply.c %D%/reply.h
EXTRA_DIST += %D%/README.md
