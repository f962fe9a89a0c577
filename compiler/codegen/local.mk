libedgec_la_SOURCES += %D%/kernel_set.h
