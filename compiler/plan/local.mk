libedgec_la_SOURCES +=
