/* SPDX-License-Identifier: BSD-2-Clause
 * Page faults of sigma0's clients, and the sigma0 protocol.
 */
#ifndef CKPT_PAGEFAULT_H
#define CKPT_PAGEFAULT_H

#include "pending.h"
#include "server.h"

/* A page-fault message (X.2 7.3): rights as in its label, address as in MR1, ip as in MR2. */
void pagefault_message(L4_ThreadId_t client, unsigned rights, uint64_t address, uint64_t ip);

/* A sigma0 request (X.2 7.2): the fpage asked for. */
void pagefault_sigma0(L4_ThreadId_t client, L4_Fpage_t want);

/* Try to answer a waiting fault; SEND_LATER: it goes on waiting. */
enum send_result pagefault_try(struct pending *p);
/* The same when its page is known to be in memory. */
enum send_result pagefault_answer(struct pending *p);
/* Its page is damaged, and will not come: says so to the thread (L4_LABEL_DAMAGED, l4/abi.h), which the kernel raises an exception in,
 * or stops. p becomes a reply, for the table if it must wait (SEND_LATER). */
enum send_result pagefault_damaged(struct pending *p);

/* Size of the stores, in pages: faults beyond it are not answered. */
void pagefault_set_limit(uint64_t pages);

extern uint64_t pagefault_count;

#endif
