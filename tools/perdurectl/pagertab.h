/* SPDX-License-Identifier: BSD-2-Clause
 * The saved pager's tables: which tasks there are, and where in the root task's store their memory stands. A snapshot may
 * catch the pager in the middle of a change, so whatever is read is bounded and checked, and may be missing.
 */
#ifndef PAGERTAB_H
#define PAGERTAB_H

#include "pager/anchor.h"
#include "pager/task.h"
#include "world.h"

struct pagertab {
	struct world       *w;
	struct pager_anchor anchor;
	struct task        *tasks;      /* task_limit copies; id 0: free, or not readable */
};

/* TOOL_OK, or why there is none (TOOL_NOT_FOUND without a message: another root task, or another version's tables). */
int pagertab_open(struct pagertab *p, struct world *w);
void pagertab_close(struct pagertab *p);
/* The same, and the task with this id or name; what is missing is said (TOOL_NOT_FOUND). To be closed in any case. */
int pagertab_task(struct pagertab *p, struct world *w, const char *id_or_name, const struct task **task);

/* By id, else by name (the newest of that name); NULL. */
const struct task *pagertab_find(const struct pagertab *p, const char *id_or_name);
/* The task that has this thread number, or NULL. */
const struct task *pagertab_thread(const struct pagertab *p, uint32_t number);

/* A task's regions. The list is the caller's to free; entries that make no sense are left out. TOOL_*. */
int pagertab_regions(const struct pagertab *p, const struct task *task, struct region **list, unsigned *count);

/* A page of a task as it would see it: content, and whether anything stands behind it. *at: its page in the root task's
 * store, 0 if none. Result: TOOL_OK; TOOL_NOT_FOUND (silently): no region there; TOOL_DAMAGED, TOOL_IO. */
struct task_page {
	uint8_t  content[STORE_PAGE];
	bool     touched;               /* has content of its own, or of its program's file */
	uint64_t at;
};
int pagertab_page(const struct pagertab *p, const struct task *task, uint64_t address, struct task_page *page);

/* The first address in [from, end) whose page has content of its own or of a file; end: none. from and end are page-aligned.
 * Quick over large regions nobody has touched. What cannot be read counts as content, for pagertab_page to say why; what is only
 * found through very many mirrors does not. */
uint64_t pagertab_next(const struct pagertab *p, const struct task *task, uint64_t from, uint64_t end);

/* The record of the object a region shows. TOOL_DAMAGED if the two do not fit. */
int pagertab_object(const struct pagertab *p, const struct region *r, struct object *object);

#endif
