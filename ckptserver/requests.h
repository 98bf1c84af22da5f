/* SPDX-License-Identifier: BSD-2-Clause
 * Requests of programs (l4/ckpt.h).
 */
#ifndef CKPT_REQUESTS_H
#define CKPT_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include <l4/types.h>

#include "server.h"

/* label of the message, its n words in mr[0] = MR1 and on. False: the label is none of ours. */
bool request_message(L4_ThreadId_t client, uint64_t label, unsigned n, const uint64_t *mr);

/* The answer to L4_CKPT_STAT. */
enum send_result request_send_stat(L4_ThreadId_t client);

#endif
