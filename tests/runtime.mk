# The tests of a build without the compiler (configure --disable-compiler).
check_PROGRAMS += %D%/compare_npy %D%/conformance/test_device
%C%_conformance_test_device_SOURCES = %D%/conformance/test_device.c %D%/conformance/conformance.c %D%/conformance/conformance.h
TESTS += %D%/conformance/test_device
