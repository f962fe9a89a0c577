/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cl_loader.h - OpenCL, found when the program runs.
 *
 * A machine without a driver still starts edgert; it says what is missing when
 * a plan asks for OpenCL. The functions are called through one table.
 */
#ifndef EDGE_RT_CL_LOADER_H
#define EDGE_RT_CL_LOADER_H

#include "base/failure.h"

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#define CL_FUNCTIONS(X) \
	X(clGetPlatformIDs) X(clGetPlatformInfo) X(clGetDeviceIDs) \
	X(clGetDeviceInfo) X(clCreateContext) X(clReleaseContext) \
	X(clCreateCommandQueue) X(clReleaseCommandQueue) X(clCreateBuffer) \
	X(clCreateSubBuffer) X(clReleaseMemObject) X(clRetainMemObject) X(clCreateProgramWithSource) \
	X(clCreateProgramWithBinary) X(clBuildProgram) X(clGetProgramBuildInfo) X(clGetProgramInfo) \
	X(clReleaseProgram) X(clCreateKernel) X(clGetKernelInfo) \
	X(clSetKernelArg) X(clReleaseKernel) X(clEnqueueNDRangeKernel) \
	X(clCreateImage) X(clEnqueueWriteImage) X(clEnqueueWriteBuffer) X(clEnqueueReadBuffer) X(clFlush) \
	X(clFinish) X(clEnqueueMarkerWithWaitList) X(clWaitForEvents) \
	X(clRetainEvent) X(clReleaseEvent) X(clGetEventProfilingInfo)

struct cl_api {
#define CL_FIELD(name) __typeof__(&name) name;
	CL_FUNCTIONS(CL_FIELD)
#undef CL_FIELD
};

/*
 * Opens $EDGE_OPENCL if set, else the first of the usual names. The table
 * stays for the life of the process. NULL: said why.
 */
const struct cl_api *cl_load(struct failure *f);

/* "CL_OUT_OF_RESOURCES (-5)" */
const char *cl_error_name(cl_int code);

#endif
