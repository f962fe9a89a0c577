libedgec_la_SOURCES += %D%/scene.h %D%/source.h
