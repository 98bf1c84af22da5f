/* SPDX-License-Identifier: BSD-2-Clause
 * Kernel objects of a generation, read from the pages of client 0. What is read is judged by kind and number only: a
 * damaged object is shown as it is.
 */
#ifndef OBJECTS_READ_H
#define OBJECTS_READ_H

#include "kernel/objects.h"
#include "world.h"

/* The next existing thread with a number >= *number; false: there is none, or *status says why it cannot be read. */
bool object_thread_next(struct world *w, uint32_t *number, struct tte *entry, int *status);

/* Pages. TOOL_OK, TOOL_NOT_FOUND (silently: no such object, or it holds something else), TOOL_DAMAGED, TOOL_IO. */
int object_tcb(struct world *w, uint32_t number, struct tcb *tcb);
int object_utcb(struct world *w, uint32_t number, struct utcb *utcb);
int object_space(struct world *w, uint32_t number, struct space_record *space);

/* "table:1", "tcb:128", "utcb:128", "space:16" as a page number of client 0; false: not understood. */
bool object_name_parse(const char *text, uint64_t *vpn);
/* The other way; in a static buffer. */
const char *object_name(uint64_t vpn);

/* A global thread id in words: "128v1", "any", "irq 4", "none". In one of a few static buffers. */
const char *thread_name(uint64_t id);
const char *thread_state(const struct tte *e);
const char *thread_kind(const struct tte *e);

#endif
