libedgec_la_SOURCES += %D%/kernel_set.h %D%/codegen.h %D%/select.c %D%/place.c %D%/heads.c %D%/heads.h %D%/launch.c %D%/render.c \
	%D%/epilogue.c %D%/expr.c %D%/pack.c %D%/check.c %D%/signature.c %D%/signature.h %D%/select_map.c \
	%D%/select_matmul.c %D%/select_conv.c %D%/select_winograd.c %D%/select_winograd.h %D%/select_pool.c %D%/window.c %D%/window.h \
	%D%/native.c %D%/native.h %D%/native_elf.c %D%/native_elf.h
libedgec_la_SOURCES += %D%/pack_recurrent.c %D%/pack_part.c %D%/select_move.c %D%/select_pad.c %D%/select_gather.c %D%/select_scatter.c %D%/select_lookup.c \
	%D%/select_resize.c %D%/select_reduce.c %D%/select_norm.c %D%/select_attention.c %D%/select_language.c %D%/select_rnn.c \
	%D%/select_gpu.c %D%/select_gpu.h
libedgec_la_SOURCES += %D%/pack_quant.c %D%/select_quant.c %D%/select_rows.c %D%/select_image.c %D%/activations.h
