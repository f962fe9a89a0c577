libedgec_la_SOURCES += %D%/graph.h %D%/ops.def
