libedgec_la_SOURCES += %D%/quant.h
