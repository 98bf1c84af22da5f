/* SPDX-License-Identifier: BSD-2-Clause
 * XXH3-64, seed 0, as the store uses it, over data that comes in pieces.
 */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash;

uint64_t hash_of(const void *data, size_t bytes);

struct hash *hash_begin(void);
void hash_add(struct hash *h, const void *data, size_t bytes);
uint64_t hash_now(const struct hash *h);        /* of all that was added; one may go on */
void hash_end(struct hash *h);

#endif
