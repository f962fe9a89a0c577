# SPDX-License-Identifier: Apache-2.0
#
# page.awk - a page as two lists of C strings, NAME_before and NAME_after, split at the line @PLAN@, with the
# file STYLE in place of the line @STYLE@; -v name=NAME -v style=STYLE.

# Awks differ in what a backslash in the replacement of gsub() means.
function put_before(text, mark, what,    out, at)
{
	out = ""
	while ((at = index(text, mark)) > 0) {
		out = out substr(text, 1, at - 1) what mark
		text = substr(text, at + 1)
	}
	return out text
}

BEGIN {
	print "/* Generated from " name ".html by page.awk. */"
	print "#include \"config.h\"\n\n#include \"plan/page.h\"\n\n#include <stddef.h>\n"
	print "const char *const " name "_before[] = {"
}

$0 == "@PLAN@" {
	print "\tNULL\n};\n\nconst char *const " name "_after[] = {"
	next
}

$0 == "@STYLE@" {
	while ((getline text < style) > 0)
		put_line(text)
	close(style)
	next
}

{
	put_line($0)
}

function put_line(text,    line) {
	line = put_before(text, "\\", "\\")
	line = put_before(line, "\"", "\\")
	line = put_before(line, "?", "\\")
	gsub(/\t/, "\\t", line)
	printf "\t\"%s\\n\",\n", line
}

END {
	print "\tNULL\n};"
}
