libedgec_la_SOURCES += %D%/target.h
