/* SPDX-License-Identifier: BSD-2-Clause
 * The kernel command line, as far as it concerns ckptserver.
 *
 * Words are separated by blanks; a word that is not one of ours is somebody else's and left alone,
 * except that an unknown or malformed `ckpt.*` word is reported, because a misspelt option that is
 * silently ignored is worse than a message. docs/command-line.md lists them all.
 */
#ifndef CKPT_OPTIONS_H
#define CKPT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESUME_LATEST, RESUME_NONE, RESUME_GENERATION, RESUME_BACK, RESUME_NAME };
enum { REQUIRE_OURS, REQUIRE_YES, REQUIRE_NO };         /* if a store of ours is, or may be, there; always; never */
enum { FORMAT_EMPTY, FORMAT_NO, FORMAT_FORCE };
enum { FAULT_NONE, FAULT_RESET, FAULT_CRASH, FAULT_HANG, FAULT_CONSOLE_CRASH, FAULT_CONSOLE_HANG };

struct options {
	uint64_t interval_us;           /* between two snapshots; 0: only on demand */
	int      resume_kind;           /* RESUME_* */
	uint64_t resume_gen;            /* RESUME_GENERATION: its number; RESUME_BACK: how many before the newest */
	char     resume[40];            /* what ckpt.resume= said, cut if it is longer; RESUME_NAME: the name */
	unsigned keep;                  /* unnamed generations to keep; 0: not said */
	int      format;                /* FORMAT_*: what may be overwritten on the partition */
	bool     panic_exit;            /* panic.exit=yes: a crash ends the emulator instead of rebooting */
	int      require;               /* REQUIRE_*: when not to run without persistence */
	uint64_t store_pages;           /* size of the root client's store at genesis, 4 KiB pages */
	uint64_t chaos;                 /* seed; 0: no chaos */
	uint64_t disk_timeout_us;       /* a request without an answer for that long: the disk is reset */
	uint64_t scrub_pages;           /* read per second to look for damage; 0: none */
	uint64_t scrub_rest_us;         /* between two rounds of that, and before the first */
	int      fault;                 /* FAULT_*: what is to go wrong, for tests */
	uint64_t fault_us;              /* that long after the start, and again and again */
	unsigned chaos_evict;           /* pages taken away after each message, 0: none */
	unsigned buffers;               /* staging buffers; 0: by memory size */
	uint64_t frames;                /* use no more frames for pages than that; 0: all there are */
	char     root[40];              /* archive name of the root task */
	char     bad[40];               /* first ckpt.* word that made no sense; empty: none */
};

#define OPTIONS_INTERVAL_US     100000
#define OPTIONS_FRAMES_MIN      256             /* of frames= */
#define OPTIONS_DISK_TIMEOUT_US 30000000
#define OPTIONS_SCRUB_PAGES     256             /* 1 MiB a second */
#define OPTIONS_SCRUB_REST_US   60000000
#define OPTIONS_STORE_PAGES     (1ul << 20)     /* 4 GiB of virtual memory */
#define OPTIONS_KEEP_MAX        32              /* unnamed generations that one may ask to be kept */
#define OPTIONS_NAME_BYTES      32              /* a generation's name, with its zero */

/* May a generation have this name? 1 to 31 letters, digits, '.', '_' or '-', and nothing that could be taken for
 * something else: no '-' at its start, no "..", no number, not "latest" or "none". */
bool options_name(const char *name);

/* Sets every field from the text (which need not be well formed). Never fails. */
void options_parse(struct options *o, const char *cmdline);

/* A duration such as 500us, 10ms, 2s or off; a bare number is in milliseconds. Returns false if
 * it is none or longer than a day. */
bool options_duration(const char *text, size_t len, uint64_t *us);

#endif
