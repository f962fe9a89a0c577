/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_splat.h - 3D Gaussian splatting, forward and backward, in double.
 *
 * Each stage is a function by itself, so that a kernel can be fed and compared
 * at its own borders:
 *
 *	ref_splat_project() -> ref_splat_order() -> ref_splat_blend() -> ref_splat_loss()
 *	ref_splat_adam() <- ref_splat_project_backward() <- ref_splat_blend_backward()
 *
 * All gradients are the derivatives of what is computed, decisions held fixed:
 * where alpha is cut to its largest value, where a colour is cut at zero and
 * where the frustum clamp holds a coordinate, the derivative is zero.
 * Images are rows of pixels of three doubles, red first.
 */
#ifndef EDGE_KERNELS_REF_SPLAT_H
#define EDGE_KERNELS_REF_SPLAT_H

#include <stdbool.h>
#include <stdint.h>

enum { REF_SPLAT_SH = 16, REF_SPLAT_PARAMETERS = 59 };

#define REF_SPLAT_BLUR 0.3		 /* added to the screen covariance, in square pixels */
#define REF_SPLAT_ALPHA_MIN (1.0 / 255)	 /* contributions below are left out */
#define REF_SPLAT_ALPHA_MAX 0.99	 /* alpha is cut to it */
#define REF_SPLAT_TRANSMITTANCE_MIN 1e-4 /* a pixel ends before what would take it below */
#define REF_SPLAT_CLAMP 0.15		 /* how far past the image the frustum clamp lies, in images */

/* The 59 trained numbers of one Gaussian; also their gradients. */
struct ref_gaussian {
	double mean[3];
	double log_scale[3];
	double rotation[4]; /* quaternion w x y z, normalised when used */
	double opacity;	    /* logit */
	double sh[REF_SPLAT_SH][3];
};

/* x right, y down, z forward; a point p is at rotation p + translation. */
struct ref_camera {
	double rotation[3][3], translation[3];
	double fx, fy, cx, cy; /* the centre of the first pixel is (0.5, 0.5) */
	double near;	       /* what is not farther is not drawn */
	uint32_t width, height;
};

/* A Gaussian on the screen. */
struct ref_splat {
	bool visible; /* in front of the camera and not all too faint; the rest is undefined otherwise */
	double depth;
	double mean[2];	   /* in pixels; the centre of the first pixel is (0, 0) */
	double covar[3];   /* a b c, with the blur */
	double conic[3];   /* A B C, its inverse */
	double opacity;
	double colour[3];  /* not below 0 */
	double raw[3];	   /* the same before it was cut */
};

/* dL by what blending reads of a splat. conic[1] is the full derivative by B. */
struct ref_splat_gradient {
	double mean[2], conic[3], opacity, colour[3];
	double mean_abs[2]; /* sums of the absolute values over the pixels */
};

/* sh_degree: 0 to 3. */
void ref_splat_project(const struct ref_camera *camera, const struct ref_gaussian *g, uint32_t sh_degree,
		       struct ref_splat *out);

/* Indices of the visible splats from near to far, equal depths by index; returns how many. */
uint32_t ref_splat_order(const struct ref_splat *splat, uint32_t count, uint32_t *order);

/* What blending leaves behind for each pixel; members may be NULL. */
struct ref_pixels {
	double *image;		/* 3 a pixel */
	double *transmittance;	/* what is left for the background */
	uint32_t *contributors; /* how many splats were blended */
	/*
	 * How near the closest decision was: the least of |value / limit - 1| over all tests of
	 * alpha and transmittance. Where it is tiny, single precision may decide otherwise.
	 */
	double *margin;
	double *depth;		/* sum of alpha T depth */
};

/*
 * order: count indices of splats. importance, if not NULL, has one number a splat which is raised
 * to the largest alpha T among the pixels.
 */
void ref_splat_blend(const struct ref_splat *splat, const uint32_t *order, uint32_t count, uint32_t width,
		     uint32_t height, const double background[3], const struct ref_pixels *out,
		     double *importance);

/* Adds to gradient[], one a splat. False: no memory. */
bool ref_splat_blend_backward(const struct ref_splat *splat, const uint32_t *order, uint32_t count,
			      uint32_t width, uint32_t height, const double background[3],
			      const double *image_gradient, struct ref_splat_gradient *gradient);

/* splat: what ref_splat_project() gave. out is overwritten; zero where not visible. */
void ref_splat_project_backward(const struct ref_camera *camera, const struct ref_gaussian *g,
				uint32_t sh_degree, const struct ref_splat *splat,
				const struct ref_splat_gradient *gradient, struct ref_gaussian *out);

/*
 * (1 - weight) mean |x - y| + weight (1 - SSIM). gradient may be NULL. Not finite: no memory.
 * The structural similarity is taken under an 11 by 11 Gaussian window of sigma 1.5, a channel at
 * a time, with zeros outside the image.
 */
double ref_splat_loss(const double *x, const double *y, uint32_t width, uint32_t height, double weight,
		      double *gradient);
double ref_splat_ssim(const double *x, const double *y, uint32_t width, uint32_t height);
/* Peak 1, over the three channels. */
double ref_splat_psnr(const double *x, const double *y, uint32_t width, uint32_t height);

/* One step of Adam for n numbers; step counts from 1; betas 0.9 and 0.999. */
void ref_splat_adam(double *parameter, double *m, double *v, const double *gradient, uint32_t n, double rate,
		    double epsilon, uint64_t step);

/*
 * Opacity and the factor of all scales of each of n copies that together look like one Gaussian
 * of this opacity, n from 1 to 51.
 */
void ref_splat_share(double opacity, uint32_t n, double *shared_opacity, double *scale);

#endif
