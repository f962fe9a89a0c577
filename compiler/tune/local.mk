libedgec_la_SOURCES += %D%/apply.c %D%/apply.h %D%/formats.c %D%/formats.h %D%/lock.c %D%/lock.h \
	%D%/quant_shim.c %D%/tensors.c %D%/tensors.h
EXTRA_DIST += %D%/README.md
