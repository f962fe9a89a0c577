# One line a test. In C (linked with everything, see LDADD; its source is tests/NAME.c):
#	check_PROGRAMS += %D%/test_x
#	TESTS += %D%/test_x
# In shell (bash, TAP on stdout):
#	dist_check_SCRIPTS += %D%/test_x.sh
#	TESTS += %D%/test_x.sh
EXTRA_DIST += %D%/tap.h %D%/runtime.mk
check_PROGRAMS += %D%/compare_npy
dist_check_SCRIPTS += %D%/test_networks.sh
TESTS += %D%/test_networks.sh
dist_check_SCRIPTS += %D%/test_repository.sh
TESTS += %D%/test_repository.sh
check_PROGRAMS += %D%/test_ir
TESTS += %D%/test_ir
check_PROGRAMS += %D%/test_ref
TESTS += %D%/test_ref
splat_scene = %D%/splat_scene.c %D%/splat_scene.h
check_PROGRAMS += %D%/test_ref_splat
%C%_test_ref_splat_SOURCES = %D%/test_ref_splat.c $(splat_scene)
TESTS += %D%/test_ref_splat
EXTRA_DIST += %D%/splat
check_PROGRAMS += %D%/test_embedded
TESTS += %D%/test_embedded
dist_check_SCRIPTS += %D%/test_setup.sh %D%/test_install.sh
TESTS += %D%/test_setup.sh %D%/test_install.sh
check_PROGRAMS += %D%/test_base
TESTS += %D%/test_base
check_PROGRAMS += %D%/test_runtime
%C%_test_runtime_SOURCES = %D%/test_runtime.c %D%/plan_builder.c %D%/plan_builder.h %D%/fake_device.c %D%/fake_device.h
TESTS += %D%/test_runtime
check_PROGRAMS += %D%/test_runtime_lookup
%C%_test_runtime_lookup_SOURCES = %D%/test_runtime_lookup.c %D%/plan_builder.c %D%/plan_builder.h %D%/fake_device.c \
	%D%/fake_device.h
TESTS += %D%/test_runtime_lookup
check_PROGRAMS += %D%/test_runtime_place
TESTS += %D%/test_runtime_place
kernel_harness = %D%/kernel_harness.c %D%/kernel_harness.h %D%/kernel_native.c %D%/kernel_native.h %D%/eval_graph.c %D%/eval_graph.h
check_PROGRAMS += %D%/test_kernels_map
%C%_test_kernels_map_SOURCES = %D%/test_kernels_map.c $(kernel_harness)
TESTS += %D%/test_kernels_map
check_PROGRAMS += %D%/test_onnx
%C%_test_onnx_SOURCES = %D%/test_onnx.c %D%/eval_graph.c %D%/eval_graph.h
TESTS += %D%/test_onnx
EXTRA_DIST += %D%/onnx %D%/corpus
check_PROGRAMS += %D%/test_kernels_matmul
%C%_test_kernels_matmul_SOURCES = %D%/test_kernels_matmul.c $(kernel_harness)
TESTS += %D%/test_kernels_matmul
check_PROGRAMS += %D%/test_safetensors
TESTS += %D%/test_safetensors
check_PROGRAMS += %D%/test_pass %D%/test_pass_networks
%C%_test_pass_SOURCES = %D%/test_pass.c %D%/eval_graph.c %D%/eval_graph.h
%C%_test_pass_networks_SOURCES = %D%/test_pass_networks.c %D%/eval_graph.c %D%/eval_graph.h
TESTS += %D%/test_pass %D%/test_pass_networks
EXTRA_DIST += %D%/pass
check_PROGRAMS += %D%/test_runtime_base
TESTS += %D%/test_runtime_base
check_PROGRAMS += %D%/make_axpy
%C%_make_axpy_SOURCES = %D%/make_axpy.c %D%/plan_builder.c %D%/plan_builder.h
dist_check_SCRIPTS += %D%/test_runtime_cli.sh
TESTS += %D%/test_runtime_cli.sh
check_PROGRAMS += %D%/conformance/test_device
%C%_conformance_test_device_SOURCES = %D%/conformance/test_device.c %D%/conformance/conformance.c %D%/conformance/conformance.h
TESTS += %D%/conformance/test_device
EXTRA_DIST += %D%/conformance/README.md
check_PROGRAMS += %D%/test_dsl
TESTS += %D%/test_dsl
EXTRA_DIST += %D%/dsl
check_PROGRAMS += %D%/test_kernels_move
%C%_test_kernels_move_SOURCES = %D%/test_kernels_move.c $(kernel_harness)
TESTS += %D%/test_kernels_move
check_PROGRAMS += %D%/test_kernels_conv %D%/bench_kernels
%C%_test_kernels_conv_SOURCES = %D%/test_kernels_conv.c $(kernel_harness)
%C%_bench_kernels_SOURCES = %D%/bench_kernels.c %D%/quant_blocks.h $(kernel_harness)
TESTS += %D%/test_kernels_conv
# Arithmetic rate of the heavy kernels; wants a quiet machine.
bench-kernels: %D%/bench_kernels
	%D%/bench_kernels $(CASE)
# Every tile of a grid against the default, for the shapes of EDGE_NETWORKS (.onnx files); wants a quiet machine.
check_PROGRAMS += %D%/bench_tiles
%C%_bench_tiles_SOURCES = %D%/bench_tiles.c $(kernel_harness)
bench-tiles: %D%/bench_tiles
	%D%/bench_tiles $(TILES_FLAGS) $(EDGE_NETWORKS)
.PHONY: bench-tiles
check_PROGRAMS += %D%/test_network
%C%_test_network_SOURCES = %D%/test_network.c %D%/eval_graph.c %D%/eval_graph.h
TESTS += %D%/test_network
check_PROGRAMS += %D%/test_sched
%C%_test_sched_SOURCES = %D%/test_sched.c %D%/sched_net.h
TESTS += %D%/test_sched
check_PROGRAMS += %D%/test_carry
%C%_test_carry_SOURCES = %D%/test_carry.c %D%/sched_net.h
TESTS += %D%/test_carry
check_PROGRAMS += %D%/test_kernels_reduce %D%/test_kernels_sequence %D%/test_kernels_gpu
dist_check_SCRIPTS += %D%/test_quantize.sh
TESTS += %D%/test_quantize.sh
check_PROGRAMS += %D%/test_quant
TESTS += %D%/test_quant
check_PROGRAMS += %D%/test_kernels_quant
%C%_test_kernels_quant_SOURCES = %D%/test_kernels_quant.c %D%/quant_blocks.h $(kernel_harness)
TESTS += %D%/test_kernels_quant
check_PROGRAMS += %D%/test_kernels_int8
%C%_test_kernels_int8_SOURCES = %D%/test_kernels_int8.c %D%/quant_blocks.h $(kernel_harness)
TESTS += %D%/test_kernels_int8
%C%_test_kernels_reduce_SOURCES = %D%/test_kernels_reduce.c $(kernel_harness)
%C%_test_kernels_sequence_SOURCES = %D%/test_kernels_sequence.c $(kernel_harness)
%C%_test_kernels_gpu_SOURCES = %D%/test_kernels_gpu.c $(kernel_harness)
TESTS += %D%/test_kernels_reduce %D%/test_kernels_sequence %D%/test_kernels_gpu
check_PROGRAMS += %D%/test_plan
%C%_test_plan_SOURCES = %D%/test_plan.c %D%/sched_net.h %D%/plan_builder.c %D%/plan_builder.h
TESTS += %D%/test_plan
check_PROGRAMS += %D%/test_codegen
%C%_test_codegen_SOURCES = %D%/test_codegen.c $(kernel_harness)
TESTS += %D%/test_codegen
dist_check_SCRIPTS += %D%/test_messages.sh
TESTS += %D%/test_messages.sh
dist_check_SCRIPTS += %D%/test_outputs.sh
TESTS += %D%/test_outputs.sh
dist_check_SCRIPTS += %D%/test_weights.sh
TESTS += %D%/test_weights.sh
dist_check_SCRIPTS += %D%/test_lookup.sh
TESTS += %D%/test_lookup.sh
dist_check_SCRIPTS += %D%/test_probe.sh
TESTS += %D%/test_probe.sh
dist_check_SCRIPTS += %D%/test_copies.sh
TESTS += %D%/test_copies.sh
dist_check_SCRIPTS += %D%/test_runtime_threads.sh
TESTS += %D%/test_runtime_threads.sh
dist_check_SCRIPTS += %D%/test_uring.sh
TESTS += %D%/test_uring.sh
dist_check_SCRIPTS += %D%/test_aarch64.sh
TESTS += %D%/test_aarch64.sh
dist_check_SCRIPTS += %D%/test_static.sh
TESTS += %D%/test_static.sh
bench: bench-kernels
# Beside other engines: EDGE_PYTHON has onnxruntime, openvino, ncnn, MNN; EDGE_PEERS is the script that times
# them; EDGE_NETWORKS are ONNX files. Wants a quiet machine and minutes.
EDGE_PEERS = $(abs_top_srcdir)/../shared/tools/peers.py
EDGE_NETWORKS = $(abs_top_srcdir)/../shared/data/models/*.onnx
bench-peers: edgec$(EXEEXT) edgert$(EXEEXT)
	$${EDGE_PYTHON:-python3} $(srcdir)/%D%/bench/peers.py --edgec ./edgec --edgert ./edgert --peers $(EDGE_PEERS) \
		$(BENCH_FLAGS) -o $(srcdir)/doc/benchmarks.md $(EDGE_NETWORKS)
# The same networks one after the other in one budget (BENCH_FLAGS="--budget 1.5GiB").
bench-chain: edgec$(EXEEXT) edgert$(EXEEXT)
	$${EDGE_PYTHON:-python3} $(srcdir)/%D%/bench/chain.py --edgec ./edgec --edgert ./edgert --peers $(EDGE_PEERS) \
		$(BENCH_FLAGS) -o $(srcdir)/doc/benchmarks-chain.md $(EDGE_NETWORKS)
# What rounding the weights costs, on real data; wants Pillow and takes its time.
bench-quantization: edgec$(EXEEXT) edgert$(EXEEXT)
	$(MKDIR_P) bench-quantization.work
	$${EDGE_PYTHON:-python3} $(srcdir)/%D%/bench/quantization.py . $${EDGE_DATA:-$(top_srcdir)/../shared/data} \
		bench-quantization.work $(NETWORKS)
# Quality of training by scene, budget and policy; an hour and more. Goes on where it was cut off.
EDGE_SCENES = $(abs_top_srcdir)/../shared/data/scenes
TRAIN_FLAGS = --share 20 --share 10 --scene bonsai=colmap:$(EDGE_SCENES)/bonsai:2 --scene fox=transforms:$(EDGE_SCENES)/fox:4
bench-train: edgec$(EXEEXT) edgert$(EXEEXT)
	$${EDGE_PYTHON:-python3} $(srcdir)/%D%/bench/train.py --edgec ./edgec --edgert ./edgert $(TRAIN_FLAGS) \
		$(BENCH_FLAGS) -o $(srcdir)/doc/training.md
# ... and its speed: SPEED_FLAGS="--scene FOLDER"; minutes
bench-train-speed: edgec$(EXEEXT) edgert$(EXEEXT)
	$${EDGE_PYTHON:-python3} $(srcdir)/%D%/bench/train_speed.py --edgec ./edgec --edgert ./edgert $(SPEED_FLAGS) \
		-o $(srcdir)/doc/training.md
# Language models beside llama.cpp: LLAMA_COLD is the program that measures it, LLM_MODELS are GGUF files.
bench-llm: edgec$(EXEEXT) edgert$(EXEEXT)
	$${EDGE_PYTHON:-python3} $(srcdir)/%D%/bench/llm.py --edgec ./edgec --edgert ./edgert --peer "$(LLAMA_COLD)" \
		$(BENCH_FLAGS) -o $(srcdir)/doc/benchmarks-llm.md $(LLM_MODELS)
.PHONY: bench bench-llm bench-train-speed bench-chain bench-kernels bench-peers bench-quantization bench-train
EXTRA_DIST += %D%/bench/quantization.py %D%/bench/chain.py %D%/bench/common.py %D%/bench/peers.py %D%/bench/README.md %D%/bench/train.py %D%/bench/train_speed.py %D%/bench/llm.py
check_PROGRAMS += %D%/test_native_math %D%/test_native_types
%C%_test_native_math_SOURCES = %D%/test_native_math.c %D%/native_harness.c %D%/native_harness.h
%C%_test_native_types_SOURCES = %D%/test_native_types.c %D%/native_harness.c %D%/native_harness.h
TESTS += %D%/test_native_math %D%/test_native_types
check_PROGRAMS += %D%/test_clock
%C%_test_clock_SOURCES = %D%/test_clock.c
TESTS += %D%/test_clock

check_PROGRAMS += %D%/test_bound
%C%_test_bound_SOURCES = %D%/test_bound.c runtime/tools/bound.c runtime/tools/weights_needed.c
%C%_test_bound_LDADD = libruntime.la libedgeplan.la $(RUNTIME_LIBS)
TESTS += %D%/test_bound
check_PROGRAMS += %D%/test_pool
%C%_test_pool_LDADD = libruntime.la libedgeplan.la $(RUNTIME_LIBS)
TESTS += %D%/test_pool
dist_check_SCRIPTS += %D%/test_native.sh
TESTS += %D%/test_native.sh
check_PROGRAMS += %D%/test_cl_cache
%C%_test_cl_cache_LDADD = libruntime.la libedgeplan.la $(RUNTIME_LIBS)
TESTS += %D%/test_cl_cache
dist_check_SCRIPTS += %D%/test_bench_chain.sh
TESTS += %D%/test_bench_chain.sh
dist_check_SCRIPTS += %D%/test_runtime_crash.sh
TESTS += %D%/test_runtime_crash.sh
# The eleven large networks, one after the other: EDGE_PYTHON has numpy, onnx and onnxruntime.
EXTRA_DIST += %D%/networks-large.sh
check-large: edgec$(EXEEXT) edgert$(EXEEXT)
	EDGEC=$(abs_builddir)/edgec$(EXEEXT) EDGERT=$(abs_builddir)/edgert$(EXEEXT) \
		EDGE_MODELS=$${EDGE_MODELS:-$(abs_top_srcdir)/../shared/tools/make_models.py} \
		bash $(srcdir)/%D%/networks-large.sh
.PHONY: check-large
check_PROGRAMS += %D%/test_block
TESTS += %D%/test_block
check_PROGRAMS += %D%/test_image
TESTS += %D%/test_image
dist_check_SCRIPTS += %D%/test_language.sh
TESTS += %D%/test_language.sh
dist_check_SCRIPTS += %D%/test_tokenize.sh
TESTS += %D%/test_tokenize.sh
check_PROGRAMS += %D%/test_gguf
TESTS += %D%/test_gguf
check_PROGRAMS += %D%/test_tune %D%/test_tune_files
TESTS += %D%/test_tune %D%/test_tune_files
check_PROGRAMS += %D%/test_checkpoint
%C%_test_checkpoint_SOURCES = %D%/test_checkpoint.c %D%/fake_train.c %D%/fake_train.h
TESTS += %D%/test_checkpoint
check_PROGRAMS += %D%/test_scene %D%/test_frames
TESTS += %D%/test_scene %D%/test_frames
train_plan = %D%/train_plan.c %D%/train_plan.h
check_PROGRAMS += %D%/test_splat_gradient
%C%_test_splat_gradient_SOURCES = %D%/test_splat_gradient.c $(splat_scene) $(train_plan)
TESTS += %D%/test_splat_gradient
check_PROGRAMS += %D%/test_tune_llm
TESTS += %D%/test_tune_llm
EXTRA_DIST += %D%/llm_server.py
check_PROGRAMS += %D%/test_splat_train
%C%_test_splat_train_SOURCES = %D%/test_splat_train.c $(splat_scene) $(train_plan)
TESTS += %D%/test_splat_train
check_PROGRAMS += %D%/make_train_plan
%C%_make_train_plan_SOURCES = %D%/make_train_plan.c $(train_plan)
dist_check_SCRIPTS += %D%/test_train.sh
TESTS += %D%/test_train.sh
check_PROGRAMS += %D%/test_plan_train
TESTS += %D%/test_plan_train
dist_check_SCRIPTS += %D%/test_tune_search.sh
TESTS += %D%/test_tune_search.sh
check_PROGRAMS += %D%/bench_tune
%C%_bench_tune_SOURCES = %D%/bench_tune.c %D%/eval_graph.c %D%/eval_graph.h %D%/llm_server.h
EXTRA_DIST += %D%/llm_server.h
# The table of proposers in doc/tuning.md, written between its two marks.
bench-tune: %D%/bench_tune
	mkdir -p %D%/tmp
	EDGE_SRCDIR='$(abs_top_srcdir)' %D%/bench_tune %D%/tmp > %D%/tmp/bench-tune.md
	LC_ALL=C $(AWK) 'FILENAME == ARGV[1] { table = table $$0 "\n"; next } /^<!-- bench-tune end/ { inside = 0 } \
		!inside { print } /^<!-- bench-tune begin/ { inside = 1; printf "%s\n", table }' \
		%D%/tmp/bench-tune.md $(srcdir)/doc/tuning.md > %D%/tmp/tuning.md && \
		cp %D%/tmp/tuning.md $(srcdir)/doc/tuning.md
