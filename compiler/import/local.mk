libedgec_la_SOURCES += %D%/import.h

# The structure of ONNX files: C from onnx.proto by protoc-c, in the build folder.
# When onnx.proto exists, uncomment:
#nodist_libedgec_la_SOURCES += %D%/onnx.pb-c.c %D%/onnx.pb-c.h
#EXTRA_DIST += %D%/onnx.proto
#BUILT_SOURCES += %D%/onnx.pb-c.h
#CLEANFILES += %D%/onnx.pb-c.c %D%/onnx.pb-c.h
#%D%/onnx.pb-c.c: %D%/onnx.proto
#	$(AM_V_GEN)$(MKDIR_P) %D% && $(PROTOC_C) -I$(srcdir)/%D% --c_out=%D% $(srcdir)/%D%/onnx.proto
#%D%/onnx.pb-c.h: %D%/onnx.pb-c.c
#	@test -f $@ || { rm -f %D%/onnx.pb-c.c; $(MAKE) $(AM_MAKEFLAGS) %D%/onnx.pb-c.c; }
