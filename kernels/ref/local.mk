# Plain C references; what a kernel must compute. The compiler folds constants with them.
libedgec_la_SOURCES += %D%/ref.h %D%/ref_internal.h %D%/ref.c %D%/ref_number.c %D%/ref_scalar.c \
	%D%/ref_elementwise.c %D%/ref_move.c %D%/ref_scatter.c %D%/ref_resize.c %D%/ref_matmul.c %D%/ref_conv.c \
	%D%/ref_reduce.c %D%/ref_norm.c %D%/ref_rnn.c %D%/ref_rows.c %D%/ref_image.c \
	%D%/ref_splat.h %D%/ref_splat_project.c %D%/ref_splat_blend.c %D%/ref_splat_loss.c
