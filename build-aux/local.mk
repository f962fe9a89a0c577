EXTRA_DIST += %D%/README.md %D%/lsan.supp %D%/setup.sh
