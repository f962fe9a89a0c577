EXTRA_DIST += %D%/lsan.supp
