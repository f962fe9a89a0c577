libedgec_la_SOURCES += %D%/import.h %D%/safetensors.c \
	%D%/gguf.c %D%/gguf.h %D%/gguf_config.c %D%/gguf_model.c %D%/gguf_model.h %D%/gguf_rope.c %D%/gguf_tokenizer.c \
	%D%/onnx.c %D%/onnx_body.c %D%/onnx_call.c %D%/onnx_import.h %D%/onnx_inputs.c %D%/onnx_ops.c %D%/onnx_ops.h \
	%D%/onnx_ops_attention.c %D%/onnx_ops_bits.c %D%/onnx_ops_cache.c %D%/onnx_ops_regions.c %D%/onnx_ops_contrib.c %D%/onnx_ops_contrib_attention.c %D%/onnx_ops_einsum.c %D%/onnx_ops_elementwise.c \
	%D%/onnx_ops_image.c %D%/onnx_ops_known.c %D%/onnx_ops_matrix.c %D%/onnx_ops_ml.c \
	%D%/onnx_ops_norm.c %D%/onnx_ops_order.c %D%/onnx_ops_sequence.c %D%/onnx_ops_quantized.c %D%/onnx_ops_resize.c %D%/onnx_ops_rotary.c \
	%D%/onnx_ops_sample.c %D%/onnx_ops_scatter.c %D%/onnx_ops_shape.c %D%/onnx_ops_signal.c %D%/onnx_ops_steps.c %D%/onnx_ops_tree.c \
	%D%/onnx_ops_unfold.c %D%/onnx_order.c \
	%D%/onnx_skim.c %D%/onnx_skim.h %D%/onnx_tensor.c

# The structure of ONNX files: C from onnx.proto by protoc-c, in the build folder.
nodist_libedgec_la_SOURCES += %D%/onnx.pb-c.c %D%/onnx.pb-c.h
EXTRA_DIST += %D%/onnx.proto
BUILT_SOURCES += %D%/onnx.pb-c.h
CLEANFILES += %D%/onnx.pb-c.c %D%/onnx.pb-c.h
%D%/onnx.pb-c.c: %D%/onnx.proto
	$(AM_V_GEN)$(MKDIR_P) %D% && $(PROTOC_C) -I$(srcdir)/%D% --c_out=%D% $(srcdir)/%D%/onnx.proto
%D%/onnx.pb-c.h: %D%/onnx.pb-c.c
	@test -f $@ || { rm -f %D%/onnx.pb-c.c; $(MAKE) $(AM_MAKEFLAGS) %D%/onnx.pb-c.c; }

# Networks written in the language.
libedgec_la_SOURCES += %D%/network.c %D%/network.h %D%/network_call.c %D%/network_expr.c %D%/network_image.c \
	%D%/network_layers.c %D%/network_shape.c %D%/network_weights.c
