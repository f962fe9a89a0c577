# Plain C references; what a kernel must compute.
libedgec_ref_sources =
# append: libedgec_ref_sources += %D%/x.c %D%/x.h
