/* SPDX-License-Identifier: BSD-2-Clause
 * Messages in and out of the pager's main thread.
 *
 * Every message out is sent with a zero timeout to a thread that waits for the pager: one that does not wait any more (it was
 * deleted, or its call timed out) gets nothing. The last message before the next receive goes out
 * together with that receive, in one system call. If the page of a map item cannot be read, the thread is told so instead.
 */
#ifndef PAGER_REPLY_H
#define PAGER_REPLY_H

#include <l4/types.h>
#include <l4/message.h>
#include <l4/schedule.h>

struct message {
	L4_ThreadId_t from;
	L4_MsgTag_t tag;
	L4_Word_t mr[64];       /* mr[1] .. mr[untyped words] */
};

/* Send what is still to be sent, then wait for the next message. 0: none came in that time. */
int reply_wait(struct message *message, L4_Time_t timeout);

/* The answer to a request: MR1 = error, then `count` words. count <= 62. */
void reply_words(L4_ThreadId_t to, long error, const L4_Word_t *words, unsigned count);

/* Send the last message at once, if what becomes of it matters: 1: it was taken, 0: nobody waited for it any more. */
int reply_flush(void);

/* Any message of untyped words. */
void reply_message(L4_ThreadId_t to, L4_Word_t label, const L4_Word_t *words, unsigned count);

/* The answer to a page fault: a page of the store (which the main thread shall have present) at that address. */
void reply_map(L4_ThreadId_t to, L4_Word_t store_page, L4_Word_t address, L4_Word_t rights);

/* The answer to a page fault whose page cannot be read, or to an exception that is the end: L4_LABEL_DAMAGED (l4/abi.h). */
void reply_damaged(L4_ThreadId_t to);

#endif
