# SPDX-License-Identifier: Apache-2.0
#
# embed.awk - turn text files into a table of C strings (embedded.h).
#
# Reads file names from standard input, writes C to standard output. A file is
# known by its name without its folder. Every line becomes one literal, so that
# line numbers in the embedded text are those of the file.

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
	print "/* Generated from kernels/ by embed.awk. */"
	print "#include \"config.h\"\n"
	print "#include \"embedded.h\"\n"
	print "#include <stddef.h>\n"
	print "const struct kernel_file kernel_files[] = {"
}

{
	path = $0
	name = path
	sub(/.*\//, "", name)
	printf "\t{ \"%s\", \"\"\n", name
	while ((status = (getline line < path)) > 0) {
		line = put_before(line, "\\", "\\")
		line = put_before(line, "\"", "\\")
		line = put_before(line, "?", "\\") # no trigraphs
		gsub(/\t/, "\\t", line)
		printf "\t\"%s\\n\"\n", line
	}
	if (status < 0) {
		print "embed.awk: could not read " path > "/dev/stderr"
		exit 1
	}
	close(path)
	print "\t},"
	count++
}

END {
	print "\t{ NULL, NULL }"
	print "};\n"
	printf "const unsigned kernel_file_count = %d;\n", count
}
