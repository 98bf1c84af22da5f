/* SPDX-License-Identifier: BSD-2-Clause
 * Clients that wait for an answer. Residual and bounded: after a recovery the kernel makes the calls
 * again. When the table is full a page fault is answered without a page, so that it is made again, and a request
 * with L4_CKPT_BUSY; nothing ever has to be allocated.
 */
#ifndef CKPT_PENDING_H
#define CKPT_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include <l4/types.h>

enum pending_kind {
	PENDING_FREE,
	PENDING_FAULT,          /* page fault: key, address, rights */
	PENDING_SAVE,           /* wants a commit of epoch or a later one */
	PENDING_DONE,           /* the same; the answer has words[0] in place of the generation */
	PENDING_STOP,           /* the same, then the machine stops: words[0] = L4_FC_STOP reason */
	PENDING_REPLY,          /* an answer that could not be delivered yet */
	PENDING_STAT,           /* the same, made anew at each attempt because it is long */
	PENDING_LIST,           /* the same, of the generations below words[0] */
};

struct pending {
	L4_ThreadId_t client;
	uint64_t key;           /* fault: page */
	uint64_t address;       /* fault */
	uint64_t epoch;         /* save: snapshot number it must be in */
	uint64_t label;         /* reply, save */
	uint64_t words[3];      /* reply: MR1.. */
	uint8_t  kind;
	uint8_t  rights;        /* fault */
	uint8_t  count;         /* words of the reply */
	uint16_t next;
};

bool pending_init(void);

/* A free entry, in the active list; NULL: none. The caller fills it in. */
struct pending *pending_add(enum pending_kind kind, L4_ThreadId_t client);

/* Events: a page was read (or cannot be), a commit ended (snapshot number; failed?), something got better: frames,
 * buffers, objects. */
void pending_page(uint64_t key, bool there);
void pending_commit(uint64_t snapshot, bool ok);
void pending_retry(void);

/* Answers with `count` words (at most 3), kept until it can be delivered. */
void pending_reply(L4_ThreadId_t client, uint64_t label, unsigned count, const uint64_t *words);

unsigned pending_count(void);
/* Does a page fault wait for this page? */
bool pending_waits(uint64_t key);
/* Does anybody wait for a commit? */
bool pending_saves(void);

#endif
