/* SPDX-License-Identifier: BSD-2-Clause
 * Where a saved pager keeps its tasks, for tools that read a checkpoint (tools/perdurectl). It stands among the
 * pager's constants, so its magic words are found in the root task's store; the sizes tell whether the reader was
 * built with the same tables. The pager itself never looks at it.
 */
#ifndef PAGER_ANCHOR_H
#define PAGER_ANCHOR_H

#include <stdint.h>

#define ANCHOR_MAGIC0   0x72656761505f5250ul    /* "PR_Pager" */
#define ANCHOR_MAGIC1   0x726f68636e612e73ul    /* "s.anchor" */
#define ANCHOR_VERSION  1u

struct task;

struct pager_anchor {
	uint64_t magic[2];
	uint32_t version, anchor_bytes;
	const struct task *tasks;       /* task_limit entries; id 0: free */
	uint32_t task_limit, task_bytes;
	uint32_t region_bytes, object_bytes;
	uint32_t thread_chunk, reserved;
} __attribute__((aligned(16)));

#endif
