# Captures: photographs with poses, from COLMAP and transforms.json.
libedgec_la_SOURCES += %D%/scene.h %D%/source.h %D%/import.c %D%/capture.h %D%/camera.c \
	%D%/colmap.c %D%/colmap_binary.c %D%/colmap_text.c %D%/transforms.c %D%/ply.c \
	%D%/photo.h %D%/photo.c %D%/photo_jpeg.c %D%/photo_png.c %D%/lens.h %D%/lens.c %D%/frame.c \
	%D%/frames.h %D%/frames.c %D%/neighbours.h %D%/neighbours.c %D%/points.h %D%/points.c %D%/points_random.c
EXTRA_DIST += %D%/README.md
