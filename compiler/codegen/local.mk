libedgec_la_SOURCES += %D%/kernel_set.h %D%/codegen.h %D%/select.c %D%/launch.c %D%/render.c \
	%D%/epilogue.c %D%/expr.c %D%/pack.c %D%/select_map.c
