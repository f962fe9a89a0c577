libedgec_la_SOURCES += %D%/kernel_set.h %D%/codegen.h %D%/select.c %D%/launch.c %D%/render.c \
	%D%/epilogue.c %D%/expr.c %D%/pack.c %D%/check.c %D%/signature.c %D%/signature.h %D%/select_map.c \
	%D%/select_matmul.c
