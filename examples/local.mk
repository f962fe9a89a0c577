# Examples: networks made by this project, each with a test that compiles and runs it.
EXTRA_DIST += %D%/README.md %D%/show.sh \
	%D%/digits/README.md %D%/digits/digits.edge %D%/digits/train.py %D%/digits/digits.onnx \
	%D%/digits/digit-3.npy %D%/digits/digit-8.npy %D%/digits/held-out.npy %D%/digits/held-out.txt \
	%D%/larger-than-memory/README.md %D%/larger-than-memory/transformer.edge %D%/larger-than-memory/text.npy \
	%D%/story/README.md %D%/story/story.edge %D%/story/story.gguf %D%/story/train.py \
	%D%/two-models/README.md %D%/two-models/two-models.edge \
	%D%/six-networks/README.md %D%/six-networks/six-networks.edge %D%/six-networks/small.sh
dist_check_SCRIPTS += %D%/story/run.test %D%/digits/run.test %D%/larger-than-memory/run.test %D%/two-models/run.test %D%/six-networks/run.test %D%/scene/run.test
TESTS += %D%/story/run.test %D%/digits/run.test %D%/larger-than-memory/run.test %D%/two-models/run.test %D%/six-networks/run.test %D%/scene/run.test
# Draws the photographs of examples/scene; the demo wants it as well as the test.
noinst_PROGRAMS += %D%/scene/draw
%C%_scene_draw_SOURCES = %D%/scene/draw.c
%C%_scene_draw_LDADD = libruntime.la libedgeplan.la $(RUNTIME_LIBS)
EXTRA_DIST += %D%/scene/README.md %D%/scene/scene.edge %D%/scene/before-after.png
dist_check_SCRIPTS += %D%/tune/run.test
TESTS += %D%/tune/run.test
check_PROGRAMS += %D%/embed/embed
%C%_embed_embed_SOURCES = %D%/embed/embed.c
%C%_embed_embed_LDADD = libedgert.la
EXTRA_DIST += %D%/embed/README.md %D%/tune/README.md %D%/tune/tune.edge
