libedgec_la_SOURCES += %D%/graph.h %D%/block.h %D%/fused.h %D%/ops.def %D%/shape.h %D%/token.h
libedgec_la_SOURCES += %D%/block.c %D%/canonical.c %D%/data.c %D%/graph.c %D%/lookup.c %D%/ops.c %D%/print.c %D%/read.c \
	%D%/shape.c %D%/shape_heavy.c %D%/shape_language.c %D%/shape_rows.c %D%/shape_image.c %D%/shape_view.c %D%/token.c %D%/verify.c
