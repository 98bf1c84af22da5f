/* SPDX-License-Identifier: BSD-2-Clause
 * Writer of ELF core files for this machine, as gdb reads them: notes of threads, then memory. Memory is written sparse: a
 * page that is not given is a hole in the file and reads as zero.
 */
#ifndef COREFILE_H
#define COREFILE_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "kernel/objects.h"

struct core_range {
	uint64_t start, end;            /* page-aligned, not empty */
	uint32_t rights;                /* PF_R, PF_W, PF_X */
};

struct corefile {
	FILE       *f;
	char       *notes;
	size_t      note_bytes;
	struct core_range *ranges;
	unsigned    range_count, range_room;
	uint64_t    data;               /* place of the first range in the file */
};

/* Threads first; the first one is what gdb selects. signal: 0, or why it was stopped. */
void corefile_process(struct corefile *c, const char *name, uint32_t id);
void corefile_thread(struct corefile *c, const struct tcb *tcb, uint32_t number, int signal);

/* Then the ranges, ascending and disjoint; then begin: headers are written; then the pages. False: errno says why. */
void corefile_range(struct corefile *c, uint64_t start, uint64_t end, uint32_t rights);
bool corefile_begin(struct corefile *c);
bool corefile_page(struct corefile *c, uint64_t address, const void *page);
/* Makes the file as long as its ranges want it, and frees all; closing it is the caller's. */
bool corefile_end(struct corefile *c);

#endif
