libedgec_la_SOURCES += %D%/arena.c %D%/arena.h %D%/diag.c %D%/diag.h %D%/file.c %D%/file.h \
	%D%/map.c %D%/map.h %D%/strbuf.h %D%/strbuf.c %D%/vec.h
libedgec_la_SOURCES += %D%/json_tree.c %D%/json_tree.h %D%/npy_array.c %D%/npy_array.h
libedgec_la_SOURCES += %D%/progress.c %D%/progress.h %D%/size.c %D%/size.h
libedgec_la_SOURCES += %D%/leftover.c %D%/leftover.h
