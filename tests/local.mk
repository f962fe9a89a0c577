# One line a test. In C (linked with everything, see LDADD; its source is tests/NAME.c):
#	check_PROGRAMS += %D%/test_x
#	TESTS += %D%/test_x
# In shell (bash, TAP on stdout):
#	dist_check_SCRIPTS += %D%/test_x.sh
#	TESTS += %D%/test_x.sh
EXTRA_DIST += %D%/tap.h
check_PROGRAMS += %D%/compare_npy
dist_check_SCRIPTS += %D%/test_networks.sh
TESTS += %D%/test_networks.sh
dist_check_SCRIPTS += %D%/test_repository.sh
TESTS += %D%/test_repository.sh
check_PROGRAMS += %D%/test_ir
TESTS += %D%/test_ir
check_PROGRAMS += %D%/test_ref
TESTS += %D%/test_ref
check_PROGRAMS += %D%/test_embedded
TESTS += %D%/test_embedded
dist_check_SCRIPTS += %D%/test_setup.sh %D%/test_install.sh
TESTS += %D%/test_setup.sh %D%/test_install.sh
check_PROGRAMS += %D%/test_base
TESTS += %D%/test_base
check_PROGRAMS += %D%/test_runtime
%C%_test_runtime_SOURCES = %D%/test_runtime.c %D%/plan_builder.c %D%/plan_builder.h %D%/fake_device.c %D%/fake_device.h
TESTS += %D%/test_runtime
