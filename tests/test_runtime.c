/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_runtime.c - sessions: the same bytes however the weights arrive, memory
 * as planned, and an error for everything that can go wrong with the file.
 *
 * Runs on a device made for tests, and again on OpenCL where there is a driver.
 */
#include "config.h"

#include "exec/session.h"
#include "fake_device.h"
#include "stream/uring.h"
#include "plan_builder.h"
#include "tap.h"

#include <errno.h>
#include <pthread.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char directory[] = "/tmp/edge-runtime-XXXXXX";
static char plan_path[64];

static void write_axpy(const struct axpy_plan *a)
{
	struct plan_builder b;

	builder_init(&b);
	builder_axpy(&b, a);
	if (!builder_write(&b, plan_path))
		tap_ok(false, "cannot write %s", plan_path);
	builder_free(&b);
}

static void make_input(float *x, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		x[i] = (float)(i % 13) - 6;
}

/* Runs `runs` times; true when each gave exactly the expected bytes. */
static bool runs_as_expected(const struct axpy_plan *a, struct edgert_session *s, int runs)
{
	size_t bytes = 4ull * a->chunk_floats;
	float *x = malloc(bytes), *y = malloc(bytes), *expected = malloc(bytes);
	bool good = true;
	int i;

	make_input(x, a->chunk_floats);
	axpy_expected(a, x, expected);
	good = edgert_set_input(s, edgert_find(s, "x"), x, bytes) == EDGE_OK &&
	       edgert_set_output(s, edgert_find(s, "y_0"), y, bytes) == EDGE_OK;
	for (i = 0; i < runs && good; i++) {
		memset(y, 0xff, bytes);
		good = edgert_run(s) == EDGE_OK && memcmp(y, expected, bytes) == 0;
	}
	if (!good)
		printf("# run %d: %s\n", i, edgert_last_error(s));
	free(x);
	free(y);
	free(expected);
	return good;
}

static void check_plan(const struct device_ops *ops, const char *device, const struct axpy_plan *a,
		       const char *what, int runs)
{
	struct edgert_options options = { .plan = plan_path, .profile = runs > 2 };
	struct edgert_session *s;
	struct edgert_report r;

	write_axpy(a);
	if (!tap_ok(session_open(&options, ops, &s) == EDGE_OK, "%s: %s opens", device, what)) {
		printf("# %s\n", edgert_last_error(NULL));
		return;
	}
	tap_ok(runs_as_expected(a, s, runs), "%s: %s gives the expected bytes %d times", device,
	       what, runs);
	edgert_report(s, &r);
	tap_ok(r.planned_device_bytes == r.actual_device_bytes &&
		       r.planned_host_bytes == r.actual_host_bytes,
	       "%s: %s takes the planned memory, %llu and %llu bytes", device, what,
	       (unsigned long long)r.actual_device_bytes, (unsigned long long)r.actual_host_bytes);
	edgert_close(s);
}

static void check_arrivals(const struct device_ops *ops, const char *device)
{
	static const struct {
		const char *what;
		struct axpy_plan plan;
		int runs;
	} cases[] = {
		{ "a resident plan",
		  { .chunks = 9, .chunk_floats = 5000, .slots = 1, .resident = 9 },
		  3 },
		{ "one slot", { .chunks = 9, .chunk_floats = 5000, .slots = 1 }, 3 },
		{ "two slots", { .chunks = 25, .chunk_floats = 5000, .slots = 2 }, 3 },
		{ "graded residency",
		  { .chunks = 25, .chunk_floats = 5000, .slots = 3, .resident = 7 },
		  3 },
		{ "one chunk", { .chunks = 1, .chunk_floats = 17, .slots = 1 }, 2 },
		{ "staging",
		  { .chunks = 9, .chunk_floats = 5000, .slots = 2, .resident = 2, .staging = true },
		  3 },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_plan(ops, device, &cases[i].plan, cases[i].what, cases[i].runs);
}

/* ---- what goes wrong with the file */

static enum { READ_AS_IS, READ_SHORT, READ_ERROR, READ_INTERRUPTED, READ_SLOWLY } fault;
static int reads_before_fault;

static ssize_t faulty_pread(int fd, void *out, size_t bytes, off_t offset)
{
	if (__atomic_sub_fetch(&reads_before_fault, 1, __ATOMIC_RELAXED) >= 0)
		return pread(fd, out, bytes, offset);
	switch (fault) {
	case READ_SHORT:
		return pread(fd, out, bytes > 1000 ? bytes / 3 : bytes, offset);
	case READ_ERROR:
		errno = EIO;
		return -1;
	case READ_INTERRUPTED:
		if (rand() % 2) {
			errno = EINTR;
			return -1;
		}
		return pread(fd, out, bytes, offset);
	case READ_SLOWLY:
		usleep(1000);
		return pread(fd, out, bytes, offset);
	default:
		return pread(fd, out, bytes, offset);
	}
}

static const struct axpy_plan streamed = { .chunks = 12, .chunk_floats = 4096, .slots = 2 };

static enum edgert_io streamed_io;

static struct edgert_session *open_streamed(void)
{
	struct edgert_options options = { .plan = plan_path, .io = streamed_io };
	struct edgert_session *s = NULL;

	if (session_open(&options, &fake_ops, &s) != EDGE_OK)
		printf("# %s\n", edgert_last_error(NULL));
	return s;
}

static int64_t as_it_is(int64_t got)
{
	return got;
}

/* The same of what a ring brings, which then is read once more. */
static int64_t faulty_outcome(int64_t got)
{
	if (__atomic_sub_fetch(&reads_before_fault, 1, __ATOMIC_RELAXED) >= 0)
		return got;
	return fault == READ_SHORT ? got / 3 : fault == READ_ERROR ? -EIO : fault == READ_INTERRUPTED && rand() % 2 ? -EINTR : got;
}

static void check_harmless_faults(void)
{
	static const char *const names[] = { [READ_SHORT] = "short reads",
					     [READ_INTERRUPTED] = "interrupted reads",
					     [READ_SLOWLY] = "slow reads" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct edgert_session *s;

		if (!names[i])
			continue;
		write_axpy(&streamed);
		fault = i;
		reads_before_fault = 0;
		plan_file_pread = faulty_pread;
		uring_outcome = faulty_outcome;
		s = open_streamed();
		tap_ok(s && runs_as_expected(&streamed, s, 2), "%s change nothing", names[i]);
		edgert_close(s);
		plan_file_pread = pread;
		uring_outcome = as_it_is;
	}
}

static ssize_t pread_now_and_then(int fd, void *out, size_t bytes, off_t offset)
{
	struct timespec some = { 0, rand() % 2000000 };

	nanosleep(&some, NULL);
	return pread(fd, out, bytes, offset);
}

static bool reads_by_ring(struct edgert_session *s)
{
	struct edgert_report r;

	edgert_report(s, &r);
	return r.uring;
}

static int64_t now_and_then(int64_t got)
{
	struct timespec some = { 0, rand() % 1000000 };

	nanosleep(&some, NULL);
	return got;
}

/* Past the page cache four are read at a time, which arrive in any order. */
static void check_side_by_side(enum edgert_io io)
{
	static const struct axpy_plan plans[] = {
		{ .chunks = 60, .chunk_floats = 4096, .slots = 7 },
		{ .chunks = 60, .chunk_floats = 4096, .slots = 2 },
		{ .chunks = 60, .chunk_floats = 4096, .slots = 5, .resident = 20 },
		{ .chunks = 9, .chunk_floats = 4096, .slots = 1, .resident = 9 },
	};
	struct edgert_session *s;
	size_t i;

	streamed_io = io;
	for (i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		write_axpy(&plans[i]);
		plan_file_pread = pread_now_and_then;
		uring_outcome = now_and_then;
		s = open_streamed();
		tap_ok(s && runs_as_expected(&plans[i], s, 4), "%u slots, read side by side%s", plans[i].slots,
		       s && reads_by_ring(s) ? " in a ring" : "");
		edgert_close(s);
		plan_file_pread = pread;
		uring_outcome = as_it_is;
	}
	streamed_io = EDGERT_IO_AUTO;
}

/* Closing in the middle of everything. */
static void check_early_close(void)
{
	struct edgert_session *s;
	int i;

	write_axpy(&streamed);
	for (i = 0; i < 20; i++) {
		s = open_streamed();
		usleep((unsigned)i * 50);
		edgert_close(s);
	}
	tap_ok(true, "a session can be closed while it reads");
}

/* The system says that it has none of these calls, or that they are not allowed. */
static bool forbid_ring(int code)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)code),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(program) / sizeof(*program), program };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/* In a process of its own, which cannot get out of it. */
static void check_no_ring(int code)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		struct edgert_session *s = forbid_ring(code) ? open_streamed() : NULL;

		_exit(!s ? 2 : reads_by_ring(s) || !runs_as_expected(&streamed, s, 3));
	}
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		tap_skip("no filters of system calls here");
	else
		tap_ok(status == 0, "refused with \"%s\", threads read", strerror(code));
}

/* The same through io_uring, where it is to be had; where not, threads read. */
static void check_ring(void)
{
	check_side_by_side(EDGERT_IO_URING);
	streamed_io = EDGERT_IO_URING;
	check_harmless_faults();
	write_axpy(&streamed);
	check_no_ring(ENOSYS);
	check_no_ring(EPERM);
	check_early_close();
	streamed_io = EDGERT_IO_AUTO;
}

/* A device whose steps are complete on submission, and whose threads are free for other work. */
static enum edge_status submit_and_wait(struct device *d, struct device_launch *l, struct device_fence *fence, struct failure *f)
{
	enum edge_status st = fake_ops.submit(d, l, fence, f);

	return st == EDGE_OK ? fake_ops.finish(d, f) : st;
}

static void share_alone(struct device *d, void (*work)(void *ctx, uint64_t begin, uint64_t end), void *ctx, uint64_t count)
{
	(void)d;
	work(ctx, count / 2, count);
	work(ctx, 0, count / 2);
}

/* Runs that begin with a disk's work and end with copies, wherever in them the disk is done. */
static void check_evicted(void)
{
	static const struct axpy_plan plans[] = {
		{ .chunks = 60, .chunk_floats = 4096, .slots = 2 },
		{ .chunks = 250, .chunk_floats = 4096, .slots = 9 },
		{ .chunks = 60, .chunk_floats = 4096, .slots = 5, .resident = 20 },
	};
	struct edgert_options options = { .plan = plan_path };
	struct device_ops ops = fake_ops;
	struct edgert_session *s;
	struct failure f;
	size_t i;

	ops.submit = submit_and_wait;
	ops.share = share_alone;
	for (i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		bool good;

		write_axpy(&plans[i]);
		good = session_open(&options, &ops, &s) == EDGE_OK && runs_as_expected(&plans[i], s, 2);
		for (int run = 0; run < 30 && good; run++) {
			plan_file_evict(plan_path, &f);
			good = runs_as_expected(&plans[i], s, 1 + run % 2);
		}
		tap_ok(good, "%u slots, with nothing in the page cache now and then", plans[i].slots);
		edgert_close(s);
	}
}

static pthread_t submitter;
static int read_by_submitter;

static ssize_t pread_who(int fd, void *out, size_t bytes, off_t offset)
{
	if (pthread_equal(pthread_self(), submitter))
		__atomic_add_fetch(&read_by_submitter, 1, __ATOMIC_RELAXED);
	return pread(fd, out, bytes, offset);
}

/* One slot: a read may begin when a step is submitted, and the next step needs it. No reader wakes up so fast each time. */
static void check_help(void)
{
	static const struct axpy_plan plan = { .chunks = 60, .chunk_floats = 4096, .slots = 1 };
	struct edgert_session *s;

	write_axpy(&plan);
	submitter = pthread_self();
	plan_file_pread = pread_who;
	s = open_streamed();
	read_by_submitter = 0; /* the plan's records */
	tap_ok(s && runs_as_expected(&plan, s, 20), "one slot, twenty runs");
	tap_ok(read_by_submitter > 0, "who waits reads himself: %d of 1200 reads", read_by_submitter);
	edgert_close(s);
	plan_file_pread = pread;
}

/* Runs once, expecting failure with a message that contains `word`. */
static void expect_failure(enum edge_status status, const char *word, const char *what)
{
	struct edgert_session *s = open_streamed();
	enum edge_status st = EDGE_OK, again;
	float x[4096], y[4096];

	if (!tap_ok(s != NULL, "%s: opens", what))
		return;
	make_input(x, 4096);
	edgert_set_input(s, edgert_find(s, "x"), x, sizeof(x));
	edgert_set_output(s, edgert_find(s, "y:0"), y, sizeof(y));
	st = edgert_run(s);
	tap_ok(st == status && strstr(edgert_last_error(s), word), "%s: %s", what,
	       edgert_last_error(s));
	again = edgert_run(s);
	tap_ok(again == status && strstr(edgert_last_error(s), word),
	       "%s: a broken session stays broken", what);
	edgert_close(s);
}

static void change_byte(off_t offset)
{
	int fd = open(plan_path, O_RDWR);
	unsigned char b = 0;

	if (fd < 0 || pread(fd, &b, 1, offset) != 1)
		abort();
	b ^= 0x10;
	if (pwrite(fd, &b, 1, offset) != 1)
		abort();
	close(fd);
}

static off_t plan_size(void)
{
	struct stat info;

	return stat(plan_path, &info) == 0 ? info.st_size : -1;
}

static off_t original_size;
static bool changed;

/* The fourth chunk finds the file shorter, or other, than it was. */
static ssize_t truncating_pread(int fd, void *out, size_t bytes, off_t offset)
{
	if (__atomic_sub_fetch(&reads_before_fault, 1, __ATOMIC_RELAXED) == 0 &&
	    truncate(plan_path, original_size / 2) != 0)
		abort();
	return pread(fd, out, bytes, offset);
}

static ssize_t overwriting_pread(int fd, void *out, size_t bytes, off_t offset)
{
	if (__atomic_sub_fetch(&reads_before_fault, 1, __ATOMIC_RELAXED) == 0 && !changed) {
		changed = true;
		usleep(20000); /* file times have the kernel's tick */
		change_byte(original_size - 20);
	}
	return pread(fd, out, bytes, offset);
}

static ssize_t replacing_pread(int fd, void *out, size_t bytes, off_t offset)
{
	char other[80];
	int new_fd;

	if (__atomic_sub_fetch(&reads_before_fault, 1, __ATOMIC_RELAXED) == 0) {
		snprintf(other, sizeof(other), "%s.new", plan_path);
		new_fd = open(other, O_CREAT | O_WRONLY, 0666);
		close(new_fd);
		rename(other, plan_path);
	}
	return pread(fd, out, bytes, offset);
}

static void check_file_faults(void)
{
	struct edgert_session *s;

	for (streamed_io = EDGERT_IO_BUFFERED; streamed_io <= EDGERT_IO_URING; streamed_io++) {
		write_axpy(&streamed);
		fault = READ_ERROR;
		reads_before_fault = 6;
		plan_file_pread = faulty_pread;
		uring_outcome = faulty_outcome;
		expect_failure(EDGE_IO, "Input/output error", "a read error");
		uring_outcome = as_it_is;
	}
	streamed_io = EDGERT_IO_AUTO;

	write_axpy(&streamed);
	original_size = plan_size();
	reads_before_fault = 6;
	plan_file_pread = truncating_pread;
	expect_failure(EDGE_IO, "changed while it was in use", "a file that becomes shorter");

	write_axpy(&streamed);
	reads_before_fault = 6;
	plan_file_pread = overwriting_pread;
	expect_failure(EDGE_IO, "changed while it was in use", "a file that is written to");

	write_axpy(&streamed);
	reads_before_fault = 6;
	plan_file_pread = replacing_pread;
	s = open_streamed();
	tap_ok(s && runs_as_expected(&streamed, s, 1),
	       "a file that is replaced by another is read to its end");
	edgert_close(s);
	plan_file_pread = pread;

	unlink(plan_path);
	write_axpy(&streamed);
	change_byte(plan_size() - 16384 * 3 - 100);
	expect_failure(EDGE_BAD, "chunk 8", "a damaged chunk");
}

static void check_device_faults(void)
{
	struct edgert_options options = { .plan = plan_path };
	struct edgert_session *s;

	write_axpy(&streamed);
	fake_settings.fail_launch = 5;
	expect_failure(EDGE_DEVICE, "fake queue", "a launch that cannot be submitted");
	fake_settings.fail_launch = 0;
	fake_settings.fail_build = true;
	tap_ok(session_open(&options, &fake_ops, &s) == EDGE_DEVICE && !s &&
		       strstr(edgert_last_error(NULL), "compiler"),
	       "a program that cannot be built: %s", edgert_last_error(NULL));
	fake_settings.fail_build = false;
	fake_settings.discrete = true;
	tap_ok(session_open(&options, &fake_ops, &s) == EDGE_UNSUPPORTED && !s,
	       "a device of the wrong kind: %s", edgert_last_error(NULL));
	fake_settings.discrete = false;
}

/* ---- arguments */

static void check_arguments(void)
{
	struct edgert_options options = { .plan = plan_path, .resident = true },
			      none = { .plan = "/nonexistent/x.plan" };
	struct edgert_session *s;
	struct edgert_tensor t;
	float x[4096] = { 0 };

	write_axpy(&streamed);
	tap_ok(session_open(&options, &fake_ops, &s) == EDGE_ARGUMENT &&
		       strstr(edgert_last_error(NULL), "streams"),
	       "a streaming plan is not resident: %s", edgert_last_error(NULL));
	tap_ok(session_open(&none, &fake_ops, &s) == EDGE_IO &&
		       strstr(edgert_last_error(NULL), "No such file"),
	       "no file: %s", edgert_last_error(NULL));
	s = open_streamed();
	tap_ok(edgert_tensor_count(s) == 2, "two tensors");
	edgert_tensor_info(s, 0, &t);
	tap_ok(!strcmp(t.name, "x") && !t.output && t.dtype == EDGE_F32 && t.rank == 2 &&
		       t.dim[0] == 1 && t.dim[1] == 4096 && t.bytes == 16384,
	       "the input is described");
	tap_ok(edgert_find(s, "y:0") == 1 && edgert_find(s, "y_0") == 1 &&
		       edgert_find(s, "y") == -1,
	       "names are matched");
	tap_ok(edgert_set_input(s, 0, x, 100) == EDGE_ARGUMENT, "wrong size: %s",
	       edgert_last_error(s));
	tap_ok(edgert_set_input(s, 1, x, sizeof(x)) == EDGE_ARGUMENT, "not an input: %s",
	       edgert_last_error(s));
	tap_ok(edgert_set_output(s, -1, x, sizeof(x)) == EDGE_ARGUMENT, "not an output: %s",
	       edgert_last_error(s));
	tap_ok(edgert_run(s) == EDGE_ARGUMENT && strstr(edgert_last_error(s), "\"x\""),
	       "missing: %s", edgert_last_error(s));
	tap_ok(edgert_set_input(s, 0, x, sizeof(x)) == EDGE_OK && edgert_run(s) == EDGE_OK,
	       "and then it runs, without output");
	tap_ok(!strcmp(edgert_last_error(s), ""), "no error is left");
	edgert_close(s);
}

static void check_resident(void)
{
	struct axpy_plan a = { .chunks = 6, .chunk_floats = 4096, .slots = 1, .resident = 6 };
	struct edgert_options options = { .plan = plan_path, .resident = true };
	struct edgert_session *s;
	struct edgert_report r;

	write_axpy(&a);
	tap_ok(session_open(&options, &fake_ops, &s) == EDGE_OK, "a resident plan opens as such");
	tap_ok(runs_as_expected(&a, s, 3), "and runs");
	edgert_report(s, &r);
	tap_ok(r.bytes_streamed == 0 && r.bytes_read == 0 && r.runs == 3, "and reads nothing then");
	tap_ok(r.stall_ms == 0, "and waits for nothing");
	edgert_close(s);
}

/* I/O slower than compute: the time that is lost is seen, and where it is lost. */
static void check_stall(void)
{
	struct edgert_options options = { .plan = plan_path, .profile = true };
	struct edgert_session *s;
	struct edgert_report r;
	double start, end, before = 0;
	bool ordered = true;
	uint32_t i;

	write_axpy(&streamed);
	fault = READ_SLOWLY;
	reads_before_fault = 0;
	plan_file_pread = faulty_pread;
	session_open(&options, &fake_ops, &s);
	tap_ok(runs_as_expected(&streamed, s, 2), "slow reads, twice");
	edgert_report(s, &r);
	tap_ok(r.stall_ms >= 3 && r.stall_ms <= r.run_ms, "stalled %.1f of %.1f ms", r.stall_ms,
	       r.run_ms);
	for (i = 0; i < r.steps; i++) {
		ordered = ordered && edgert_step_time(s, i, &start, &end) && start <= end &&
			  start >= before - 0.01;
		before = end;
	}
	tap_ok(ordered, "steps have times, one after the other");
	tap_ok(edgert_read_time(s, 11, &start, &end) && end - start >= 1, "reads have times");
	edgert_close(s);
	plan_file_pread = pread;
}

int main(void)
{
	struct failure f = { .status = EDGE_OK };
	struct device_request any = { .kernel_style = EDGE_KERNELS_CPU };
	struct device *d;

	if (!mkdtemp(directory))
		return 1;
	snprintf(plan_path, sizeof(plan_path), "%s/a.plan", directory);
	check_arrivals(&fake_ops, "fake");
	fake_settings.launch_us = 300;
	check_plan(&fake_ops, "slow",
		   &(struct axpy_plan){
			   .chunks = 30, .chunk_floats = 3000, .slots = 3, .resident = 4 },
		   "three slots", 3);
	fake_settings.launch_us = 0;
	fake_settings.discrete = true;
	check_plan(&fake_ops, "discrete",
		   &(struct axpy_plan){
			   .chunks = 9, .chunk_floats = 3000, .slots = 2, .staging = true },
		   "staging", 3);
	fake_settings.discrete = false;
	check_harmless_faults();
	check_side_by_side(EDGERT_IO_DIRECT);
	check_ring();
	check_evicted();
	check_help();
	check_file_faults();
	check_device_faults();
	check_early_close();
	check_arguments();
	check_resident();
	check_stall();
	tap_ok(rt_sealed_allocations() == 0, "nothing was allocated in a step loop");
	if (device_backend(EDGE_BACKEND_OPENCL)->open(&any, &d, &f) == EDGE_OK) {
		device_backend(EDGE_BACKEND_OPENCL)->close(d);
		check_arrivals(NULL, "opencl");
	} else {
		tap_skip("%s", f.text);
	}
	unlink(plan_path);
	rmdir(directory);
	return tap_done();
}
