libedgec_la_SOURCES += %D%/quant.h %D%/apply.c %D%/declared.c %D%/declared.h %D%/fast.c %D%/fast.h %D%/grid.c %D%/matrix.c %D%/matrix.h \
	%D%/names.c %D%/run.c %D%/run.h %D%/solve.c %D%/solve.h
EXTRA_DIST += %D%/README.md
