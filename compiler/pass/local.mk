libedgec_la_SOURCES += %D%/pass.h %D%/access.h %D%/fuse.h %D%/layout.h %D%/rewrite.h %D%/simplify.h
libedgec_la_SOURCES += %D%/access.c %D%/batchnorm.c %D%/constant.c %D%/cse.c %D%/dead.c %D%/fold.c \
	%D%/fragment.c %D%/fuse.c %D%/layout.c %D%/layout_reshape.c %D%/pass.c %D%/rewrite.c \
	%D%/simplify.c %D%/simplify_activation.c %D%/simplify_algebra.c %D%/simplify_heavy.c %D%/simplify_group.c \
	%D%/simplify_move.c %D%/simplify_norm.c %D%/widen.c
