/* SPDX-License-Identifier: BSD-2-Clause
 * Moving a message from one thread to another.
 */
#ifndef KERNEL_TRANSFER_H
#define KERNEL_TRANSFER_H

struct thread;

enum {
	XFER_DONE = 0,
	XFER_LATER = -1,                /* nothing committed: the sender faults first, or goes on in its next step */
	/* > 0: an X.2 IPC error for both */
};

/* Move the message of `from` (state TS_SEND) into `to` (waiting for it). Both are present and current. Word transfer
 * is atomic and last; map items before it are done in pieces, with their progress in the sender's TCB. XFER_LATER: the
 * sender is not queued anywhere; the caller makes it ready if it is not the current thread. */
int transfer(struct thread *from, struct thread *to);

#endif
