libedgec_la_SOURCES += %D%/plan.h %D%/sections.h %D%/sections.c %D%/records.h %D%/records.c %D%/plan_write.c \
	%D%/behind.c %D%/behind.h %D%/plan_file.c %D%/plan_train.h %D%/plan_train.c %D%/explain.h %D%/explain.c \
	%D%/explain_train.h %D%/explain_train.c %D%/explain_text.c %D%/explain_html.c %D%/page.h
EXTRA_DIST += %D%/page.html %D%/train_page.html %D%/page.css %D%/page.awk %D%/README.md
nodist_libedgec_la_SOURCES += %D%/page.c %D%/train_page.c
CLEANFILES += %D%/page.c %D%/train_page.c
# pages as C strings
%D%/page.c: $(srcdir)/%D%/page.html
%D%/train_page.c: $(srcdir)/%D%/train_page.html
%D%/page.c %D%/train_page.c: $(srcdir)/%D%/page.css $(srcdir)/%D%/page.awk
	$(AM_V_GEN)$(MKDIR_P) %D% && name=`basename $@ .c` && \
	LC_ALL=C $(AWK) -v name=$$name -v style=$(srcdir)/%D%/page.css -f $(srcdir)/%D%/page.awk \
		$(srcdir)/%D%/$$name.html > $@.tmp && mv $@.tmp $@
