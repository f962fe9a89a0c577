# Kernel sources, embedded into the compiler as C strings (embedded.h).
# Append files to KERNEL_FILES; each keeps its own text, unmangled.
KERNEL_FILES = %D%/prelude.clh %D%/native.clh %D%/tile_defaults.clh %D%/norm_defaults.clh %D%/map.cl %D%/matmul.cl %D%/matmul_batch.cl %D%/gemv.cl %D%/conv.cl %D%/conv_few.cl %D%/winograd.clh %D%/winograd.cl %D%/winograd4.cl %D%/depthwise.cl %D%/pool.cl
KERNEL_FILES += %D%/copy.cl %D%/transpose.cl %D%/gather.cl %D%/gather_elements.cl %D%/scatter.cl %D%/top_k.cl %D%/pad.cl \
	%D%/resize.cl %D%/reduce.cl %D%/arg.cl %D%/softmax.cl %D%/norm.cl %D%/mix_norm.cl %D%/group_norm.cl \
	%D%/attention.cl %D%/attention_rows.cl %D%/rope_angles.cl %D%/kv_append.cl %D%/kv_attention.cl %D%/recurrent.cl %D%/gpu_gemm.cl %D%/gpu_gemv.cl %D%/gpu_depthwise.cl \
	%D%/gpu_softmax.cl %D%/gpu_norm.cl %D%/gpu_pool.cl %D%/gpu_attention.cl
KERNEL_FILES += %D%/quant.clh %D%/gemv_quant.cl %D%/matmul_quant.cl %D%/gather_quant.cl %D%/conv_quant.cl \
	%D%/int8.clh %D%/quantize_range.cl %D%/quantize_image.cl %D%/conv_int8.cl %D%/quantize_rows.cl %D%/widen_rows.cl %D%/gather_panels.cl %D%/gemv_int8.cl %D%/matmul_int8.cl

KERNEL_FILES += %D%/splat.clh %D%/splat_project.cl %D%/splat_sort_count.cl %D%/splat_sort_move.cl %D%/splat_sort_place.cl \
	%D%/splat_tile_count.cl %D%/splat_tile_list.cl %D%/splat_tile_place.cl %D%/splat_blend.cl %D%/splat_loss.cl \
	%D%/splat_blend_backward.cl %D%/splat_gather.cl %D%/splat_update.cl \
	%D%/splat_relocate.cl %D%/splat_replace.cl %D%/splat_densify.cl %D%/splat_prune.cl %D%/splat_compensate.cl \
	%D%/splat_reinitialise.cl %D%/splat_reorder.cl %D%/splat_permute.cl %D%/gpu_splat_blend.cl %D%/gpu_splat_blend_backward.cl %D%/gpu_splat_loss.cl

KERNEL_FILES += %D%/tune/x86-64-v4.txt

EXTRA_DIST += %D%/tune/README.md $(KERNEL_FILES) %D%/embed.awk
nodist_libedgec_la_SOURCES += %D%/embedded.c
CLEANFILES += %D%/embedded.c
%D%/embedded.c: $(KERNEL_FILES) %D%/embed.awk %D%/local.mk
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	{ for f in $(KERNEL_FILES); do \
		if test -f $$f; then echo $$f; else echo $(srcdir)/$$f; fi; \
	done; } | LC_ALL=C $(AWK) -f $(srcdir)/%D%/embed.awk > $@.tmp && mv $@.tmp $@
