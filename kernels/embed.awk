# SPDX-License-Identifier: Apache-2.0
#
# embed.awk - turn text files into a table of C strings (embedded.h).
#
# Reads file names from standard input, writes C to standard output. A file is
# known by its name without its folder. Every line becomes one literal, so that
# line numbers in the embedded text are those of the file.

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
		gsub(/\\/, "\\\\", line)
		gsub(/"/, "\\\"", line)
		gsub(/\?\?/, "?\\?", line)
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
