# The tests of a build without the compiler (configure --disable-compiler).
runtime_tests = %D%/compare_npy %D%/conformance/test_device
check_PROGRAMS += $(runtime_tests)
%C%_compare_npy_LDADD = libruntime.la libedgeplan.la $(RUNTIME_LIBS)
%C%_conformance_test_device_SOURCES = %D%/conformance/test_device.c %D%/conformance/conformance.c %D%/conformance/conformance.h
%C%_conformance_test_device_LDADD = libruntime.la libedgeplan.la $(RUNTIME_LIBS)
TESTS += %D%/conformance/test_device
