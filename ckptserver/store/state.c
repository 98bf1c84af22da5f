/* SPDX-License-Identifier: BSD-2-Clause
 * The state hash: one number for all pages of a state, kept up to date with every change, so that a generation's record can
 * say what its index must add up to. Each page gives a 128-bit number made of its name and its checksum; the hash is their
 * sum mod 2^128. A hole gives nothing.
 *
 * It is not known for a store whose generation has none (an earlier version wrote it), nor after damage has cost
 * pages; the record then has zero.
 */
#include <string.h>

#include "store_priv.h"

/* Both halves of the product depend on all bits of both factors. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)(a ^ 0x9e3779b97f4a7c15ull) * (b ^ 0xc2b2ae3d27d4eb4full);

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static unsigned __int128 part(uint32_t client, uint64_t vpn, uint64_t sum)
{
	uint64_t name = (uint64_t)client << 40 | vpn, low = mix(name, sum), high = mix(sum + 1, name ^ low);

	return (unsigned __int128)high << 64 | low;
}

uint32_t state_client(uint32_t client, const struct fmt_client *c)
{
	return client < STORE_CLIENTS ? client : (uint32_t)c->limit_pages;
}

void state_add(struct store_state *s, uint32_t client, uint64_t vpn, uint64_t sum)
{
	s->hash += part(client, vpn, sum);
}

void state_change(struct store *st, uint32_t client, uint64_t vpn, struct fmt_ref old, struct fmt_ref now)
{
	if (old.block)
		st->state.hash -= part(client, vpn, old.sum);
	if (now.block)
		st->state.hash += part(client, vpn, now.sum);
}

void state_lost(struct store *st)
{
	st->state.known = false;
}

void state_mounted(struct store *st, const struct fmt_generation *g)
{
	memcpy(&st->state.hash, g->state_hash, sizeof(g->state_hash));
	st->state.known = st->state.hash || (!g->clients.root.block && !g->delta.block);
}

void state_record(const struct store *st, struct fmt_generation *g)
{
	if (st->state.known)
		memcpy(g->state_hash, &st->state.hash, sizeof(g->state_hash));
}

bool state_differs(const struct store_state *found, const struct fmt_generation *g)
{
	static const uint8_t none[sizeof(g->state_hash)];

	return memcmp(g->state_hash, none, sizeof(none)) && memcmp(g->state_hash, &found->hash, sizeof(none));
}

/* Walk the pages of one client. */
static int add_pages(struct store *st, struct store_op *op, struct store_state *sum, uint64_t *pages)
{
	int status = STORE_OK;

	while (status == STORE_OK) {
		op->cursor = op->vpn;
		status = store_sync(st, op, index_begin(st, op));
		if (status != STORE_OK)
			break;
		state_add(sum, (uint32_t)op->from, op->vpn++, op->sum);
		++*pages;
	}
	return status == STORE_END ? STORE_OK : status;
}

int store_state_verify(struct store *st, struct store_verified *v)
{
	struct store_state sum = { .known = true };
	uint32_t client;
	int status = STORE_OK;

	*v = (struct store_verified){ .known = st->state.known };
	st->trash = TRASH_NONE;                 /* it is not to be cleared meanwhile */
	for (client = 0; client < STORE_CLIENTS + FMT_CLIENTS_PER_PAGE && status == STORE_OK; client++) {
		struct store_op op = { .client = client, .end = STORE_VPN_END, .st = st, .kind = OP_NEXT };

		status = add_pages(st, &op, &sum, &v->pages);
		v->block = op.block;
	}
	st->trash = TRASH_UNKNOWN;
	if (status != STORE_OK)
		return status;
	v->block = 0;
	if (!st->state.known)
		st->state = sum;
	return sum.hash == st->state.hash ? STORE_OK : STORE_DAMAGED;
}
