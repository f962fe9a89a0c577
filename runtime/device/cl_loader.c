/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cl_loader.c - OpenCL, found when the program runs.
 *
 * The names are the ICD loader's, then those under which phones ship their
 * vendor's library without a loader.
 */
#include "config.h"

#include "device/cl_loader.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const library_names[] = {
	"libOpenCL.so.1",
	"libOpenCL.so",
	"/vendor/lib64/libOpenCL.so",
	"/system/vendor/lib64/libOpenCL.so",
	"libGLES_mali.so",
	"libPVROCL.so",
};

static struct cl_api api;
static struct failure load_failure;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Settings of drivers that we know, where the user has none, before the driver starts. */
static void prepare_drivers(void)
{
	/*
	 * PoCL: one generic function per kernel, built with the program, not
	 * one per work-group size at first use.
	 */
	setenv("POCL_WORK_GROUP_SPECIALIZATION", "0", 0);
}

static void *open_library(const char *asked)
{
	size_t i;
	void *lib;

	if (asked && *asked)
		return dlopen(asked, RTLD_NOW | RTLD_LOCAL);
	for (i = 0; i < sizeof(library_names) / sizeof(library_names[0]); i++)
		if ((lib = dlopen(library_names[i], RTLD_NOW | RTLD_LOCAL)) != NULL)
			return lib;
	/* the message is to be about the first name */
	return dlopen(library_names[0], RTLD_NOW | RTLD_LOCAL);
}

static void load(void)
{
	const char *asked = getenv("EDGE_OPENCL");
	void *lib;

	prepare_drivers();
	lib = open_library(asked);
	if (!lib) {
		const char *why = dlerror();

		rt_fail(&load_failure, EDGE_DEVICE,
			"no OpenCL driver: could not load %s (%s); install a driver such as "
			"pocl-opencl-icd, or name its library in EDGE_OPENCL",
			asked && *asked ? asked : library_names[0], why ? why : "no reason given");
		return;
	}
#define CL_FIND(name) \
	if (!(api.name = (__typeof__(api.name))(uintptr_t)dlsym(lib, #name))) \
		rt_fail(&load_failure, EDGE_DEVICE, "no usable OpenCL driver: %s has no %s", \
			asked && *asked ? asked : library_names[0], #name);
	CL_FUNCTIONS(CL_FIND)
#undef CL_FIND
}

const struct cl_api *cl_load(struct failure *f)
{
	pthread_once(&once, load);
	if (load_failure.status != EDGE_OK) {
		rt_fail(f, load_failure.status, "%s", load_failure.text);
		return NULL;
	}
	return &api;
}

#define CL_ERRORS(X) \
	X(CL_DEVICE_NOT_FOUND) X(CL_DEVICE_NOT_AVAILABLE) \
	X(CL_COMPILER_NOT_AVAILABLE) X(CL_MEM_OBJECT_ALLOCATION_FAILURE) \
	X(CL_OUT_OF_RESOURCES) X(CL_OUT_OF_HOST_MEMORY) \
	X(CL_PROFILING_INFO_NOT_AVAILABLE) X(CL_MEM_COPY_OVERLAP) \
	X(CL_BUILD_PROGRAM_FAILURE) X(CL_MAP_FAILURE) \
	X(CL_MISALIGNED_SUB_BUFFER_OFFSET) X(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST) \
	X(CL_COMPILE_PROGRAM_FAILURE) X(CL_LINKER_NOT_AVAILABLE) \
	X(CL_LINK_PROGRAM_FAILURE) X(CL_INVALID_VALUE) \
	X(CL_INVALID_DEVICE_TYPE) X(CL_INVALID_PLATFORM) \
	X(CL_INVALID_DEVICE) X(CL_INVALID_CONTEXT) \
	X(CL_INVALID_QUEUE_PROPERTIES) X(CL_INVALID_COMMAND_QUEUE) \
	X(CL_INVALID_HOST_PTR) X(CL_INVALID_MEM_OBJECT) \
	X(CL_INVALID_BINARY) X(CL_INVALID_BUILD_OPTIONS) \
	X(CL_INVALID_PROGRAM) X(CL_INVALID_PROGRAM_EXECUTABLE) \
	X(CL_INVALID_KERNEL_NAME) X(CL_INVALID_KERNEL_DEFINITION) \
	X(CL_INVALID_KERNEL) X(CL_INVALID_ARG_INDEX) \
	X(CL_INVALID_ARG_VALUE) X(CL_INVALID_ARG_SIZE) \
	X(CL_INVALID_KERNEL_ARGS) X(CL_INVALID_WORK_DIMENSION) \
	X(CL_INVALID_WORK_GROUP_SIZE) X(CL_INVALID_WORK_ITEM_SIZE) \
	X(CL_INVALID_GLOBAL_OFFSET) X(CL_INVALID_EVENT_WAIT_LIST) \
	X(CL_INVALID_EVENT) X(CL_INVALID_OPERATION) \
	X(CL_INVALID_BUFFER_SIZE) X(CL_INVALID_GLOBAL_WORK_SIZE) \
	X(CL_INVALID_PROPERTY)

const char *cl_error_name(cl_int code)
{
	static _Thread_local char text[64];
	const char *name = code == -1001 ? "CL_PLATFORM_NOT_FOUND_KHR" : "unknown error";

	switch (code) {
#define CL_CASE(e) case e: name = #e; break;
	CL_ERRORS(CL_CASE)
#undef CL_CASE
	default:
		break;
	}
	snprintf(text, sizeof(text), "%s (%d)", name, (int)code);
	return text;
}
