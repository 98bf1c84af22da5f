/* SPDX-License-Identifier: BSD-2-Clause
 * Reads that fail for an error of the disk: when they are made again, and when a page counts as lost.
 *
 * A disk that is in trouble as a whole is waited for, for ever. A page that cannot be read for ckpt.timeout while others can
 * is lost: who needs it is stopped, as with a damaged one. Perhaps all wait for that page, and nobody reads others: so one block of
 * the partition's first ones is read whenever failed reads are made again.
 */
#ifndef CKPT_BADREAD_H
#define CKPT_BADREAD_H

#include <stdbool.h>
#include <stdint.h>

bool badread_init(void);

/* The page's read has failed. True: it counts as lost; it is forgotten here. */
bool badread_failed(uint64_t key);
/* The page was read after all, or is not wanted any more. */
void badread_over(uint64_t key);

/* May failed reads be made again now? The pause between two times doubles, up to a second, while they fail. */
bool badread_due(uint64_t tsc);

#endif
