EXTRA_DIST += %D%/README.md %D%/cross.sh %D%/lsan.supp %D%/setup.sh
