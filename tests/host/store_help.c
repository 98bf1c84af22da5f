/* SPDX-License-Identifier: BSD-2-Clause
 * Shared parts of the store tests, see store_help.h. */
#include "store_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint8_t test_uuid[STORE_UUID_BYTES] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

/* ---- Model ---- */

/* Slots: 0..699 a dense client; 700..899 kernel objects, sparse; 900..1099 a client with wide gaps; the rest
 * twenty clients of fifteen pages. */
void model_name(unsigned slot, uint32_t *client, uint64_t *vpn)
{
	if (slot < 700) {
		*client = 16;
		*vpn = 100 + slot;
	} else if (slot < 900) {
		*client = 0;
		*vpn = (uint64_t)(slot & 3) << 24 | ((slot - 700) * 37);
	} else if (slot < 1100) {
		*client = 17;
		*vpn = (slot - 900) * 0x13579bd1ull % STORE_VPN_END;
	} else {
		*client = 1000 + (slot - 1100) / 15 * 3000;
		*vpn = (slot - 1100) % 15;
	}
}

int model_slot(uint32_t client, uint64_t vpn)
{
	static int16_t table[8192];     /* slot + 1, by hash */
	static bool built;
	uint32_t c;
	uint64_t v;

	for (unsigned slot = 0; !built && slot < MODEL_PAGES; slot++) {
		unsigned at;

		model_name(slot, &c, &v);
		for (at = (unsigned)(v * 31 + c * 977) % 8192; table[at]; at = (at + 1) % 8192)
			;
		table[at] = (int16_t)(slot + 1);
	}
	built = true;
	for (unsigned at = (unsigned)(vpn * 31 + client * 977) % 8192; table[at]; at = (at + 1) % 8192) {
		model_name((unsigned)table[at] - 1, &c, &v);
		if (c == client && v == vpn)
			return table[at] - 1;
	}
	return -1;
}

void model_fill(void *page, uint32_t content)
{
	uint64_t *w = page, x = content * 0x9e3779b97f4a7c15ull;

	for (unsigned i = 0; i < BLK_SIZE / 8; i++) {
		w[i] = content ? x ^ i : 0;
		x = x * 6364136223846793005ull + 1442695040888963407ull;
	}
}

void model_set(struct model *m, uint64_t generation, const uint32_t *content)
{
	if (generation >= MODEL_KEEP) {
		fprintf(stderr, "model: too many generations\n");
		abort();
	}
	free(m->generation[generation]);
	m->generation[generation] = malloc(sizeof(m->now));
	memcpy(m->generation[generation], content, sizeof(m->now));
}

void model_keep(struct model *m, uint64_t generation)
{
	model_set(m, generation, m->now);
}

void model_free(struct model *m)
{
	for (unsigned g = 0; g < MODEL_KEEP; g++)
		free(m->generation[g]);
	memset(m->generation, 0, sizeof(m->generation));
}

/* ---- Bench ---- */

void bench_open(struct bench *b, struct sim_image *im, uint64_t seed, uint32_t nodes)
{
	size_t bytes = (store_arena_bytes(im->blocks, nodes) + 4095) & ~(size_t)4095;

	memset(b, 0, sizeof(*b));
	sim_make(&b->sim, im, seed);
	b->arena = aligned_alloc(4096, bytes);
	b->status = store_init(b->arena, bytes, &b->sim.dev, &b->st);
	if (b->status != STORE_OK)
		abort();
}

int bench_mount(struct bench *b, uint64_t want)
{
	return b->status = store_mount(b->st, want, &b->mount);
}

void bench_close(struct bench *b)
{
	sim_end(&b->sim);
	free(b->arena);
	b->arena = NULL;
}

/* ---- Synchronous calls ---- */

static _Alignas(4096) uint8_t sync_buffer[4096];

int do_put(struct bench *b, uint32_t client, uint64_t vpn, uint32_t content)
{
	struct store_op op = { .client = client, .vpn = vpn, .buf = sync_buffer };
	int status, tries = 0;

	model_fill(sync_buffer, content);
	do {
		status = store_sync(b->st, &op, store_put(b->st, &op));
	} while (status == STORE_EIO && op.unwritten && ++tries < 100);
	return status;
}

int do_remove(struct bench *b, uint32_t client, uint64_t vpn)
{
	struct store_op op = { .client = client, .vpn = vpn };

	return store_sync(b->st, &op, store_remove(b->st, &op));
}

int do_range(struct bench *b, uint32_t client, uint64_t vpn, uint64_t end)
{
	struct store_op op = { .client = client, .vpn = vpn, .end = end };

	return store_sync(b->st, &op, store_remove_range(b->st, &op));
}

int do_drop(struct bench *b, uint32_t client)
{
	struct store_op op = { .client = client };

	return store_sync(b->st, &op, store_drop_client(b->st, &op));
}

int do_read(struct bench *b, uint32_t client, uint64_t vpn, void *page, bool *hole)
{
	struct store_op op = { .client = client, .vpn = vpn, .buf = page };
	int status = store_sync(b->st, &op, store_read(b->st, &op));

	if (hole)
		*hole = op.hole;
	return status;
}

int do_commit(struct bench *b, uint64_t user)
{
	uint8_t record[STORE_USER_BYTES] = { 0 };
	struct store_op op = { 0 };
	int status;

	memcpy(record, &user, sizeof(user));
	status = store_begin(b->st, record);
	if (status != STORE_OK)
		return status;
	return store_sync(b->st, &op, store_commit(b->st, &op));
}

int do_boot(struct bench *b)
{
	struct store_op op = { 0 };

	return store_sync(b->st, &op, store_boot(b->st, &op));
}

int expect_page(struct bench *b, uint32_t client, uint64_t vpn, uint32_t content)
{
	static _Alignas(4096) uint8_t page[4096], want[4096];
	bool hole;
	int status = do_read(b, client, vpn, page, &hole);

	model_fill(want, content);
	if (status != STORE_OK)
		return status;
	return memcmp(page, want, 4096) || hole != !content ? 1 : 0;
}

/* ---- Workload ---- */

struct flight {
	struct store_op op;
	uint8_t *page;
	struct bench *b;
	bool     active, put;
	unsigned slot;
	uint32_t content;
	struct model *m;
};
#define FLIGHTS 24u

static struct flight *workload_flights(void)
{
	static struct flight f[FLIGHTS];

	for (unsigned i = 0; i < FLIGHTS; i++)
		if (!f[i].page)
			f[i].page = aligned_alloc(4096, 4096);
	return f;
}

static void flight_landed(struct store_op *op)
{
	struct flight *f = op->owner;
	int status = op->status;

	/* From inside the completion, as a caller would. */
	if (f->put && op->unwritten && f->m->now[f->slot] != f->content)
		store_put_forget(f->b->st, op);         /* changed since: must not come back */
	else if (f->put && op->unwritten)
		status = store_put(f->b->st, op);
	if (status != STORE_PENDING)
		f->active = false;
}

static bool run_some(struct bench *b)
{
	bool more = store_work(b->st);

	if (!more && b->sim.pending_count)
		b->sim.dev.poll(&b->sim.dev);
	return more || b->sim.pending_count;
}

static struct flight *flight_free(struct bench *b, struct flight *all)
{
	for (unsigned spins = 0; spins < 1000000; spins++) {
		for (unsigned i = 0; i < FLIGHTS; i++)
			if (!all[i].active)
				return &all[i];
		run_some(b);
	}
	return NULL;
}

static void start(struct flight *f, struct bench *b, int (*call)(struct store *, struct store_op *), bool put)
{
	f->b = b;
	f->put = put;
	f->active = true;
	f->op.done = flight_landed;
	f->op.owner = f;
	if (call(b->st, &f->op) != STORE_PENDING)
		f->active = false;
}

static void change_slot(struct bench *b, struct model *m, struct flight *f, unsigned slot, uint32_t content)
{
	memset(&f->op, 0, sizeof(f->op));
	model_name(slot, &f->op.client, &f->op.vpn);
	f->op.buf = f->page;
	m->now[slot] = content;
	f->m = m;
	f->slot = slot;
	f->content = content;
	model_fill(f->page, content);
	start(f, b, store_put, true);
}

/* A range or a whole client. */
static void change_many(struct bench *b, struct model *m, struct flight *f, uint64_t *seed)
{
	unsigned slot = (unsigned)sim_below(seed, MODEL_PAGES), count = 0;
	bool drop = sim_below(seed, 3) == 0 && slot >= 700;
	uint64_t vpn, end;
	uint32_t client;

	memset(&f->op, 0, sizeof(f->op));
	model_name(slot, &client, &vpn);
	end = vpn + 1 + sim_below(seed, slot < 700 ? 60 : 1000);
	for (unsigned s = 0; s < MODEL_PAGES; s++) {
		uint32_t c;
		uint64_t v;

		model_name(s, &c, &v);
		if (c == client && (drop || (v >= vpn && v < end)))
			m->now[s] = 0, count++;
	}
	f->op.client = client;
	f->op.vpn = vpn;
	f->op.end = end < STORE_VPN_END ? end : STORE_VPN_END;
	start(f, b, drop ? store_drop_client : store_remove_range, false);
}

/* Wait for all flights. */
static bool land_all(struct bench *b)
{
	struct flight *all = workload_flights();
	bool busy = true;

	for (unsigned spins = 0; busy && spins < 1000000; spins++) {
		busy = false;
		for (unsigned i = 0; i < FLIGHTS; i++)
			busy |= all[i].active;
		if (busy)
			run_some(b);
	}
	if (busy)
		fprintf(stderr, "workload: a change does not end\n");
	return !busy;
}

/* Commit, again and again until it succeeds. While it is under way, changes of the next generation are asked for. */
static bool commit_until_done(struct bench *b, struct model *m, uint64_t *seed)
{
	uint8_t user[STORE_USER_BYTES] = { 0 };
	uint64_t number = b->mount.newest + 1;
	struct flight *all = workload_flights();
	struct store_op op = { 0 };
	int status;

	model_keep(m, number);
	memcpy(user, &number, sizeof(number));
	status = store_begin(b->st, user);
	for (int tries = 0; status == STORE_OK && tries < 1000; tries++) {
		status = store_commit(b->st, &op);
		for (unsigned i = 0; tries == 0 && i < sim_below(seed, FLIGHTS); i++)
			change_slot(b, m, &all[i], (unsigned)sim_below(seed, 120), ++m->next_content);
		status = store_sync(b->st, &op, status);
		if (status == STORE_EIO || status == STORE_UNWRITTEN)
			status = STORE_OK;
		else
			break;
	}
	if (status != STORE_OK || store_generation(b->st) != number) {
		fprintf(stderr, "commit of %llu: %s\n", (unsigned long long)number, store_strerror(status));
		return false;
	}
	b->mount.newest = number;
	sim_mark(&b->sim, number);
	return land_all(b);
}

bool workload_round(struct bench *b, struct model *m, uint64_t *seed, unsigned max_changes)
{
	struct flight *all = workload_flights(), *f;
	unsigned n = (unsigned)sim_below(seed, max_changes + 1);

	while (n--) {
		unsigned slot = (unsigned)sim_below(seed, sim_below(seed, 3) ? 120 : MODEL_PAGES);
		unsigned what = (unsigned)sim_below(seed, 40);

		if (sim_below(seed, 4) == 0)
			run_some(b);
		f = flight_free(b, all);
		if (!f) {
			fprintf(stderr, "workload: an operation does not end\n");
			return false;
		}
		if (what == 0)
			change_many(b, m, f, seed);
		else
			change_slot(b, m, f, slot, what < 6 ? 0 : ++m->next_content);
	}
	return land_all(b) && commit_until_done(b, m, seed);
}

void workload_abandon(void)
{
	for (unsigned i = 0; i < FLIGHTS; i++)
		workload_flights()[i].active = false;
}

/* ---- Check ---- */

struct checker {
	struct store_check c;
	const uint32_t *want;
	unsigned found;
	int wrong;
	bool loud;
};

static void on_page(struct store_check *c, uint32_t client, uint64_t vpn, uint64_t block, const void *content)
{
	struct checker *k = c->owner;
	static _Alignas(64) uint8_t want[4096];
	int slot;

	if (!k->want)
		return;
	slot = model_slot(client, vpn);
	if (slot >= 0)
		model_fill(want, k->want[slot]);
	if (slot >= 0 && k->want[slot] && !memcmp(want, content, 4096)) {
		k->found++;
		return;
	}
	k->wrong++;
	if (k->loud)
		fprintf(stderr, "  page %u:%llx in block %llu is not what was committed\n", client,
			(unsigned long long)vpn, (unsigned long long)block);
}

static void on_problem(struct store_check *c, const char *what, uint32_t client, uint64_t vpn, uint64_t block)
{
	struct checker *k = c->owner;

	k->wrong++;
	if (k->loud)
		fprintf(stderr, "  %s (client %u page %llx block %llu)\n", what, client, (unsigned long long)vpn,
			(unsigned long long)block);
}

int full_check(struct bench *b, const struct model *m, bool loud)
{
	uint64_t blocks = b->mount.blocks;
	struct checker k = { .c = { .page = on_page, .problem = on_problem }, .loud = loud };
	uint64_t gen = store_generation(b->st);
	unsigned expected = 0;

	k.c.owner = &k;
	k.c.bitmap = malloc((blocks / 8 + 4095) / 4096 * 4096);
	k.c.scratch = aligned_alloc(4096, STORE_CHECK_DEPTH * 4096);
	if (m && gen && (gen >= MODEL_KEEP || !m->generation[gen])) {
		k.wrong++;
		if (loud)
			fprintf(stderr, "  generation %llu was never made\n", (unsigned long long)gen);
	} else if (m && gen) {
		k.want = m->generation[gen];
		for (unsigned s = 0; s < MODEL_PAGES; s++)
			expected += k.want[s] != 0;
	}
	store_check(b->st, 0, &k.c);
	if (m && k.found != expected) {
		k.wrong++;
		if (loud)
			fprintf(stderr, "  %u pages of %u\n", k.found, expected);
	}
	if (k.c.leaked) {
		k.wrong++;
		if (loud)
			fprintf(stderr, "  %llu blocks leaked\n", (unsigned long long)k.c.leaked);
	}
	free(k.c.bitmap);
	free(k.c.scratch);
	return k.wrong;
}
