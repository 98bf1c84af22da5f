/* SPDX-License-Identifier: BSD-2-Clause
 * chaos=SEED: ckptserver does at random what it may do at any time, so that rare paths are ordinary ones.
 * Without the option every roll is false. Deterministic: the same seed rolls the same.
 */
#ifndef CKPT_CHAOS_H
#define CKPT_CHAOS_H

#include <stdbool.h>
#include <stdint.h>

enum chaos_event {
	CHAOS_NO_BUFFER,        /* pretend that no staging buffer is free (while one is in use) */
	CHAOS_SNAPSHOT,         /* take a snapshot now */
	CHAOS_EVICT,            /* evict a kernel object, drop a clean page */
	CHAOS_NO_ROOM,          /* pretend that a page may not become dirty now */
	CHAOS_PROTECT,          /* take write permission back from a dirty frame */
	CHAOS_EVENTS
};

void chaos_init(uint64_t seed);
bool chaos_on(void);
bool chaos_roll(enum chaos_event e);
uint64_t chaos_random(void);

/* After each message: at random, evict, drop and protect. */
void chaos_act(void);

#endif
