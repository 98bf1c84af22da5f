/* SPDX-License-Identifier: BSD-2-Clause
 * Address spaces: the volatile half (page table, caches of the space record's areas). The saved half is
 * struct space_record in objects.h, which may be absent while the space runs.
 */
#ifndef KERNEL_SPACE_H
#define KERNEL_SPACE_H

#include "kernel/types.h"
#include "kernel/objects.h"
#include "kernel/ptab.h"
#include "kernel/event.h"

struct wants;
struct thread;

struct space {
	struct ptab pt;
	u32 no;
	bool residual;
	bool known;                     /* the areas below were read from the record */
	bool in_use;                    /* it has threads */
	bool dying;                     /* no thread left: being taken apart */
	bool damaged;
	struct space_record *record;    /* NULL: not here */
	vaddr_t kip_base;               /* 0: none */
	vaddr_t utcb_base;
	u64 utcb_size;                  /* bytes, 0: none */
	u32 pins;                       /* see struct thread */
	struct space *dying_next;
	struct event died_event, discard_event;
};

/* The space with that number, made if need be (its record may be absent); NULL: no pool memory. */
struct space *space_get(u32 no);
/* The space if it is known to the kernel already, or NULL. */
struct space *space_at(u32 no);
/* A free number for a new persistent space, 0: none left. */
u32 space_free_number(void);
/* The number is taken (creation, activation). 0, or -1: no pool memory for a space that the kernel did not know yet. */
int space_mark_used(u32 no);

/* Check phase. */
bool space_check_known(struct space *s, struct wants *w);       /* areas may be read */
bool space_check_record(struct space *s, struct wants *w);      /* record present and current: may be written */

/* Validate a record and take it over. 0, or -1: it is bad. */
int space_adopt_record(struct space *s, struct space_record *rec);
void space_init_record(struct space *s, struct space_record *rec);
/* The record is current: set both areas (fpages). */
void space_set_areas(struct space *s, u64 kip_area, u64 utcb_area);

/* Does the address lie in the UTCB or KIP area, whose pages are the kernel's? */
bool space_owns(const struct space *s, vaddr_t va);

/* Last thread gone: take the space apart, piece by piece (space_reap), then tell ckptserver. */
void space_die(struct space *s);
/* One bounded piece of pending destruction; true if there is more. */
bool space_reap(void);

/* fpages (X.2 4.1) */
#define FPAGE_COMPLETE          ((u64)1 << 4)
static inline u64 fpage_bits(u64 f)  { return f >> 4 & 0x3f; }
static inline u64 fpage_base(u64 f)  { u64 b = fpage_bits(f); return b >= 64 ? 0 : f & ~((1ul << b) - 1) & ~0x3fful; }
static inline bool fpage_is_complete(u64 f) { return (f & ~0xful) == (FPAGE_COMPLETE); }

#endif
