/* SPDX-License-Identifier: BSD-2-Clause
 * The crash-state machine, see store_states.h. */
#include "store_states.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "format.h"
#include "store_priv.h"
#include "store_sim.h"

#define BLOCKS          2048u
#define GENERATIONS     192u
#define FLIGHTS         12u
#define DEPTH           3u              /* crashes during recovery, one in the other */
#define BALLAST_CLIENT  500u            /* outside the model: fills the disk */
#define CONTENTS        65536u

/* ---- What the store should hold ---- */

/* Pages of the model: clients with dense, sparse and very sparse pages. */
static const struct { uint32_t client; uint64_t stride; unsigned count; } areas[] = {
	{ 16, 1, 96 }, { 0, 1 << 20, 24 }, { 17, 0x13579bd1, 24 }, { 18, 300, 12 }, { 4000, 1, 8 }, { 4001, 1, 4 },
};
#define SLOTS           168u

/* A generation on the list of those kept. */
struct entry {
	uint32_t generation;
	uint32_t name;                  /* 0: none; else its name is "name-N" */
	bool     pinned;
	bool     may_go;                /* dropped or unnamed since: gone as soon as room is short */
};
struct list {
	uint32_t count, keep;           /* keep: unnamed ones, the newest included */
	struct entry entry[STORE_KEPT_MAX];     /* newest first */
};

struct snapshot {
	uint32_t refs;
	uint32_t slot[SLOTS];           /* content, 0: hole */
	struct list list;               /* what its table names, and itself */
};

struct history {
	uint32_t now[SLOTS];
	uint32_t next;                  /* content that was not used yet */
	uint32_t next_name;
	bool     short_of_room;         /* unnamed generations may go early */
	struct list list;               /* as it will be at the next commit, but for those that become too many */
	struct snapshot *gen[GENERATIONS];
};

static void slot_name(unsigned slot, uint32_t *client, uint64_t *vpn)
{
	unsigned a = 0;

	while (slot >= areas[a].count)
		slot -= areas[a++].count;
	*client = areas[a].client;
	*vpn = slot * areas[a].stride % STORE_VPN_END;
}

static int slot_of(uint32_t client, uint64_t vpn)
{
	unsigned first = 0;

	for (unsigned a = 0; first < SLOTS; first += areas[a++].count) {
		uint64_t i = vpn / areas[a].stride;

		if (areas[a].client == client)
			return vpn % areas[a].stride == 0 && i < areas[a].count ? (int)(first + i) : -1;
	}
	return -1;
}

/* Every content is made once and kept: comparing must be cheap. */
static const uint8_t *content_of(uint32_t content)
{
	static uint8_t *made[CONTENTS];
	uint64_t x = content * 0x9e3779b97f4a7c15ull;

	if (content >= CONTENTS)
		abort();
	if (made[content])
		return made[content];
	made[content] = aligned_alloc(4096, 4096);
	for (unsigned i = 0; i < 512; i++) {
		((uint64_t *)made[content])[i] = content ? x ^ i : 0;
		x = x * 6364136223846793005ull + 1442695040888963407ull;
	}
	return made[content];
}

static void snapshot_put(struct snapshot *s)
{
	if (s && !--s->refs)
		free(s);
}

static bool fixed(const struct entry *e)
{
	return e->name || e->pinned;
}

/* The list with a new generation: all named and pinned ones stay, and the newest others. */
static struct list list_with(const struct list *l, uint64_t generation)
{
	struct list with = { .count = 1, .keep = l->keep, .entry = { { .generation = (uint32_t)generation } } };
	uint32_t unnamed = 1;

	for (uint32_t i = 0; i < l->count; i++)
		if (fixed(&l->entry[i]) || ++unnamed <= l->keep) {
			with.entry[with.count] = l->entry[i];
			with.entry[with.count++].may_go = false;
		}
	return with;
}

static void history_keep(struct history *h, uint64_t generation)
{
	struct snapshot *s = malloc(sizeof(*s));

	if (generation >= GENERATIONS)
		abort();
	s->refs = 1;
	memcpy(s->slot, h->now, sizeof(s->slot));
	s->list = list_with(&h->list, generation);
	snapshot_put(h->gen[generation]);
	h->gen[generation] = s;
}

static void history_copy(struct history *to, const struct history *from)
{
	*to = *from;
	for (unsigned g = 0; g < GENERATIONS; g++)
		if (to->gen[g])
			to->gen[g]->refs++;
}

static void history_free(struct history *h)
{
	for (unsigned g = 0; g < GENERATIONS; g++)
		snapshot_put(h->gen[g]);
}

/* The current state is that of a generation again (0: nothing), in a store whose newest one is another. Those that are newer
 * than what was mounted are pinned. */
static void history_resume(struct history *h, uint64_t generation, uint64_t newest)
{
	if (generation)
		memcpy(h->now, h->gen[generation]->slot, sizeof(h->now));
	else
		memset(h->now, 0, sizeof(h->now));
	if (newest)
		h->list = h->gen[newest]->list;
	else
		h->list = (struct list){ .keep = STORE_KEEP_DEFAULT };
	for (uint32_t i = 0; i < h->list.count; i++)
		h->list.entry[i].pinned |= h->list.entry[i].generation > generation;
}

/* ---- Worlds ---- */

struct flight {
	struct store_op op;
	struct world *w;
	unsigned slot;
	uint32_t content;
	bool     active;
	uint8_t *page;
};

struct world {
	struct sim       sim;
	struct sim_image disk;          /* as the store sees it */
	struct sim_image before;        /* as it was when recording began */
	struct store    *st;
	struct store_mount mount;
	struct history   h;
	uint64_t         seed, newest, boots;
	uint64_t         committed;     /* newest generation somebody was told of */
	uint64_t         on_disk;       /* generation of the newest superblock */
	uint64_t         acknowledged, boots_acknowledged;      /* when recording began */
	bool             may_break;     /* the disk lies: damage may be met */
	bool             one_at_a_time; /* the disk is nearly full */
	bool             cut;           /* removals cut subtrees off at once */
	bool             broken;        /* damage was met: the world has ended */
	const char      *wrong;
	struct flight    flight[FLIGHTS];
	unsigned         depth;
};

/* Marks in the log: generations acknowledged, and boots. */
#define MARK_BOOT       (1ull << 63)

static struct store *store_in(unsigned place, struct blkdev *dev, uint32_t nodes)
{
	static struct { void *arena; size_t bytes; } arenas[DEPTH + 3];
	size_t bytes = (store_arena_bytes(dev->blocks, nodes) + 4095) & ~(size_t)4095;
	struct store *st;

	if (arenas[place].bytes < bytes) {
		free(arenas[place].arena);
		arenas[place].arena = aligned_alloc(4096, bytes);
		arenas[place].bytes = bytes;
	}
	if (store_init(arenas[place].arena, bytes, dev, &st) != STORE_OK)
		abort();
	return st;
}

static void world_open(struct world *w, const struct sim_image *disk, const struct history *h, uint64_t seed,
		       uint32_t nodes, unsigned depth)
{
	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->depth = depth;
	if (disk)
		sim_image_copy(&w->disk, disk);
	else
		sim_image_make(&w->disk, BLOCKS);
	w->disk.hashing = false;
	if (h)
		history_copy(&w->h, h);
	else
		w->h.next = 1;
	sim_make(&w->sim, &w->disk, sim_random(&w->seed));
	w->sim.flush_loses = SIM_LOSES_LATER;
	w->st = store_in(depth, &w->sim.dev, nodes);
	for (unsigned i = 0; i < FLIGHTS; i++)
		w->flight[i].page = aligned_alloc(4096, 4096);
}

static void world_record(struct world *w)
{
	sim_image_copy(&w->before, &w->disk);
	sim_image_hash(&w->before);
	w->acknowledged = w->committed;
	w->boots_acknowledged = w->boots;
	w->sim.record = true;
}

static void world_close(struct world *w)
{
	sim_end(&w->sim);
	sim_image_free(&w->disk);
	if (w->before.groups)
		sim_image_free(&w->before);
	history_free(&w->h);
	for (unsigned i = 0; i < FLIGHTS; i++)
		free(w->flight[i].page);
}

static bool world_wrong(struct world *w, const char *what)
{
	if (!w->wrong)
		w->wrong = what;
	return false;
}

static bool run_some(struct world *w)
{
	bool more = store_work(w->st);

	if (!more && w->sim.pending_count)
		w->sim.dev.poll(&w->sim.dev);
	return more || w->sim.pending_count;
}

/* Is that status the end of the world, as damage is on a disk that lies? */
static bool ends_it(struct world *w, int status, const char *what)
{
	if (status == STORE_DAMAGED && w->may_break)
		w->broken = true;
	else
		world_wrong(w, what);
	return true;
}

static void flight_landed(struct store_op *op)
{
	struct flight *f = op->owner;
	struct world *w = f->w;
	int status = op->status;

	/* From inside the completion, as a caller would. */
	if (status == STORE_EIO && w->h.now[f->slot] == f->content) {
		status = store_put(w->st, op);
	} else if (op->unwritten) {
		store_put_forget(w->st, op);            /* changed since: must not come back */
	}
	if (status == STORE_PENDING)
		return;
	f->active = false;
	if (status != STORE_OK && status != STORE_EIO && status != STORE_FULL)
		ends_it(w, status, "a put failed");
}

static bool land_all(struct world *w)
{
	for (unsigned spins = 0; spins < 200000; spins++) {
		unsigned busy = 0;

		for (unsigned i = 0; i < FLIGHTS; i++)
			busy += w->flight[i].active;
		if (!busy)
			return !w->broken && !w->wrong;
		run_some(w);
	}
	return world_wrong(w, "a change does not end");
}

static struct flight *flight_free(struct world *w)
{
	for (unsigned spins = 0; spins < 200000; spins++) {
		for (unsigned i = 0; i < FLIGHTS; i++)
			if (!w->flight[i].active)
				return &w->flight[i];
		run_some(w);
	}
	world_wrong(w, "an operation does not end");
	return NULL;
}

/* Retry what fails with a passing error. */
#define RETRY(w, status, call) \
	for (unsigned tries_ = 0; tries_ < 400 && ((status) = (call)) == STORE_EIO; tries_++)

static bool put_now(struct world *w, struct flight *f)
{
	int status;

	RETRY(w, status, store_sync(w->st, &f->op, store_put(w->st, &f->op)));
	if (status == STORE_OK || status == STORE_FULL)
		w->h.now[f->slot] = status == STORE_OK ? f->content : w->h.now[f->slot];
	else
		ends_it(w, status, "a put failed");
	return !w->broken && !w->wrong;
}

static bool change_page(struct world *w, unsigned slot, uint32_t content)
{
	struct flight *f = flight_free(w);
	uint8_t *page;
	int status;

	if (!f)
		return false;
	page = f->page;
	memset(&f->op, 0, sizeof(f->op));
	slot_name(slot, &f->op.client, &f->op.vpn);
	memcpy(page, content_of(content), 4096);
	f->op.buf = page;
	f->w = w;
	f->slot = slot;
	f->content = content;
	if (w->one_at_a_time)
		return put_now(w, f);
	f->op.owner = f;
	f->op.done = flight_landed;
	w->h.now[slot] = content;
	f->active = true;
	RETRY(w, status, store_put(w->st, &f->op));
	if (status == STORE_PENDING)
		return true;
	f->active = false;
	return status == STORE_OK || !ends_it(w, status, "a put failed");
}

/* A range or a whole client becomes holes. */
static bool change_many(struct world *w)
{
	unsigned slot = (unsigned)sim_below(&w->seed, SLOTS);
	bool drop = sim_below(&w->seed, 3) == 0;
	struct store_op op = { 0 };
	uint64_t vpn, end;
	uint32_t client;
	int status;

	slot_name(slot, &client, &vpn);
	end = vpn + 1 + sim_below(&w->seed, client == 16 ? 30 : 1ull << 22);
	if (end > STORE_VPN_END)
		end = STORE_VPN_END;
	if (!land_all(w))
		return false;
	op.client = client;
	if (drop) {
		RETRY(w, status, store_sync(w->st, &op, store_drop_client(w->st, &op)));
	} else {
		op.vpn = vpn;
		op.end = end;
		RETRY(w, status, store_sync(w->st, &op, store_remove_range(w->st, &op)));
	}
	if (status != STORE_OK)
		return !ends_it(w, status, "a range could not be removed");
	for (unsigned s = 0; s < SLOTS; s++) {
		uint32_t c;
		uint64_t v;

		slot_name(s, &c, &v);
		if (c == client && (drop || (v >= vpn && v < end)))
			w->h.now[s] = 0;
	}
	return true;
}

/* Most changes hit the same few pages, as programs do. */
static unsigned pick_slot(struct world *w)
{
	return (unsigned)sim_below(&w->seed, sim_below(&w->seed, 3) ? 40 : SLOTS);
}

static bool change_some(struct world *w, unsigned count)
{
	while (count--) {
		unsigned what = (unsigned)sim_below(&w->seed, 40);

		if (sim_below(&w->seed, 4) == 0)
			run_some(w);
		if (what == 0 ? !change_many(w) : !change_page(w, pick_slot(w), what < 6 ? 0 : w->h.next++))
			return false;
	}
	return land_all(w);
}

/* Room for a commit that found none. */
static bool make_room(struct world *w)
{
	for (unsigned i = 0; i < 4; i++)
		if (!change_page(w, (unsigned)sim_below(&w->seed, SLOTS), 0))
			return false;
	return land_all(w);
}

/* When room is short unnamed generations go early: forget those that did. */
static void forget_gone(struct world *w)
{
	struct store_generation kept[STORE_KEPT_MAX];
	uint32_t n = store_generations(w->st, kept, STORE_KEPT_MAX), left = 0;
	struct list *l = &w->h.list;

	for (uint32_t i = 0; i < l->count && w->h.short_of_room; i++)
		for (uint32_t k = 0; k < n; k++)
			if (kept[k].generation == l->entry[i].generation)
				l->entry[left++] = l->entry[i];
	if (w->h.short_of_room)
		l->count = left;
}

/* Commit, again and again until it succeeds. While it is under way, changes of the next generation are asked for. */
static bool commit(struct world *w)
{
	uint8_t user[STORE_USER_BYTES] = { 0 };
	uint64_t number = w->newest + 1;
	struct store_op op = { 0 };
	int status;

	memcpy(user, &number, sizeof(number));
	history_keep(&w->h, number);
	if (store_begin(w->st, user) != STORE_OK)
		return world_wrong(w, "a commit cannot begin");
	for (unsigned tries = 0; ; tries++) {
		status = store_commit(w->st, &op);
		for (unsigned i = 0; tries == 0 && !w->one_at_a_time && i < sim_below(&w->seed, FLIGHTS); i++)
			if (!change_page(w, pick_slot(w), w->h.next++))
				return false;
		status = store_sync(w->st, &op, status);
		if (status == STORE_FULL && w->one_at_a_time) {
			if (!make_room(w))
				return false;
			history_keep(&w->h, number);
		} else if (status != STORE_EIO && status != STORE_UNWRITTEN) {
			break;
		}
		if (tries == 400)
			return world_wrong(w, "a commit never succeeds");
	}
	if (status != STORE_OK)
		return !ends_it(w, status, "a commit failed");
	if (store_generation(w->st) != number)
		return world_wrong(w, "a commit made another generation than expected");
	w->newest = w->committed = w->on_disk = number;
	w->h.list = w->h.gen[number]->list;
	forget_gone(w);
	sim_mark(&w->sim, number);
	return land_all(w);
}

static const char *name_text(uint32_t name)
{
	static char text[32];

	snprintf(text, sizeof(text), "name-%u", name);
	return text;
}

/* Mount as at a boot, `want` as in store_mount, or by name if it is not 0, and count the boot. */
static bool boot(struct world *w, uint64_t want, uint32_t name)
{
	struct store_op op = { 0 };
	int status;

	/* What the store does in idle time may be under way; a mount begins with an idle disk. */
	while (w->sim.pending_count)
		w->sim.dev.wait(&w->sim.dev);
	RETRY(w, status, name ? store_mount_named(w->st, name_text(name), &w->mount) : store_mount(w->st, want, &w->mount));
	if (status == STORE_TOO_MANY && want)
		return boot(w, 0, 0);
	if (status != STORE_OK)
		return !ends_it(w, w->may_break ? STORE_DAMAGED : status, "the store cannot be mounted");
	w->newest = w->mount.newest;
	if (w->cut)
		w->st->cut_after = 0;
	if (w->mount.generation > w->committed)
		w->committed = w->mount.generation;
	if (w->mount.generation >= GENERATIONS || (w->mount.generation && !w->h.gen[w->mount.generation]))
		return world_wrong(w, "a generation was mounted that was never made");
	if (want && w->mount.generation != want)
		return world_wrong(w, "another generation was mounted than was asked for");
	if (!want)
		w->on_disk = w->mount.generation;
	history_resume(&w->h, w->mount.generation, w->on_disk);
	forget_gone(w);
	RETRY(w, status, store_sync(w->st, &op, store_boot(w->st, &op)));
	if (status != STORE_OK)
		return world_wrong(w, "the boot could not be counted");
	if (store_boot_number(w->st) <= w->boots)
		return world_wrong(w, "a boot number was given twice");
	w->boots = store_boot_number(w->st);
	sim_mark(&w->sim, MARK_BOOT | w->boots);
	return true;
}

static bool first_boot(struct world *w)
{
	static const uint8_t uuid[STORE_UUID_BYTES] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

	if (store_format(w->st, uuid, false, &w->mount) != STORE_OK)
		return world_wrong(w, "the disk cannot be formatted");
	return boot(w, 0, 0);
}

static bool ballast(struct world *w, unsigned pages)
{
	struct store_op op = { .client = BALLAST_CLIENT };

	for (op.vpn = 0; op.vpn < pages; op.vpn++) {
		union { const uint8_t *from; void *to; } page = { .from = content_of(1 + (uint32_t)op.vpn) };

		op.buf = page.to;
		if (store_sync(w->st, &op, store_put(w->st, &op)) != STORE_OK)
			return world_wrong(w, "there is no room for ballast");
	}
	return true;
}

static bool reboot_into_older(struct world *w)
{
	const struct list *l;
	const struct entry *e;

	/* What was changed since the last commit is forgotten. */
	if (!boot(w, 0, 0) || !w->on_disk)
		return !w->wrong && !w->broken;
	l = &w->h.list;
	e = &l->entry[sim_below(&w->seed, l->count)];
	return boot(w, e->generation, sim_below(&w->seed, 2) ? e->name : 0);
}

/* The list on the disk still has it. */
static void may_go(struct world *w, uint64_t generation)
{
	struct list *l = &w->h.gen[w->on_disk]->list;

	for (uint32_t i = 0; i < l->count; i++)
		l->entry[i].may_go |= l->entry[i].generation == generation;
}

/* Name one of those kept, take a name away, drop one, or keep more or less of them. */
static bool change_list(struct world *w)
{
	struct list *l = &w->h.list;
	struct entry *e = l->count ? &l->entry[sim_below(&w->seed, l->count)] : NULL;
	unsigned what = (unsigned)sim_below(&w->seed, 8);
	int status = STORE_OK, expect = STORE_OK;

	if (what == 0) {
		l->keep = 1 + (uint32_t)sim_below(&w->seed, 10);
		status = store_keep(w->st, l->keep);
	} else if (e && what < 4) {
		e->name = ++w->h.next_name;
		status = store_name(w->st, e->generation, name_text(e->name));
	} else if (e && what < 6) {
		may_go(w, e->generation);
		e->name = 0;
		status = store_name(w->st, e->generation, "");
	} else if (e) {
		status = store_drop(w->st, e->generation);
		expect = e->generation == store_generation(w->st) ? STORE_EINVAL : STORE_OK;
		may_go(w, e->generation);
		if (expect == STORE_OK)
			memmove(e, e + 1, (size_t)(&l->entry[--l->count] - e) * sizeof(*e));
	}
	return status == expect || world_wrong(w, "the list of generations could not be changed");
}

/* ---- Judging ---- */

struct judge {
	struct store_check c;
	struct sim   sim;
	struct store *st;
	struct store_mount mount;
	const struct snapshot *want;    /* NULL: nothing was committed */
	unsigned     found, foreign;
	uint64_t     ballast;
	const char  *wrong;             /* the first thing found; NULL: all is well */
	const char  *damage;            /* what the check reported first */
};

static void on_page(struct store_check *c, uint32_t client, uint64_t vpn, uint64_t block, const void *content)
{
	struct judge *j = c->owner;
	int slot = slot_of(client, vpn);

	(void)block;
	if (client == BALLAST_CLIENT && vpn < CONTENTS - 1 && !memcmp(content, content_of(1 + (uint32_t)vpn), 4096)) {
		j->ballast++;
		return;
	}
	if (slot < 0 || !j->want || !j->want->slot[slot] || memcmp(content, content_of(j->want->slot[slot]), 4096))
		j->foreign++;
	else
		j->found++;
}

static void on_problem(struct store_check *c, const char *what, uint32_t client, uint64_t vpn, uint64_t block)
{
	struct judge *j = c->owner;

	(void)client, (void)vpn, (void)block;
	if (!j->damage)
		j->damage = what;
}

static void judge_open(struct judge *j, struct sim_image *im)
{
	static _Alignas(4096) uint8_t scratch[STORE_CHECK_DEPTH * 4096], bitmap[BLOCKS / 8 + 4096];

	memset(j, 0, sizeof(*j));
	sim_make(&j->sim, im, 1);
	j->st = store_in(DEPTH + 1, &j->sim.dev, 64);
	j->c = (struct store_check){ .page = on_page, .problem = on_problem, .owner = j, .bitmap = bitmap,
				     .scratch = scratch };
}

static bool judge_wrong(struct judge *j, const char *what)
{
	if (!j->wrong)
		j->wrong = what;
	return false;
}

static unsigned pages_in(const struct snapshot *s)
{
	unsigned n = 0;

	for (unsigned i = 0; s && i < SLOTS; i++)
		n += s->slot[i] != 0;
	return n;
}

/* All that a generation of the mounted store reaches, against the model. */
static bool judge_generation(struct judge *j, const struct history *h, uint64_t generation, bool whole)
{
	if (generation >= GENERATIONS || (generation && !h->gen[generation]))
		return judge_wrong(j, "this generation was never made");
	j->want = generation ? h->gen[generation] : NULL;
	j->found = j->foreign = 0;
	j->damage = NULL;
	store_check(j->st, generation, &j->c);
	if (j->foreign)
		return judge_wrong(j, "a page is not what was committed");
	if (whole && j->damage)
		return judge_wrong(j, j->damage);
	if (whole && j->c.leaked)
		return judge_wrong(j, "blocks are marked in the map that nothing reaches");
	if (!j->damage && j->found != pages_in(j->want))
		return judge_wrong(j, "pages are missing");
	return true;
}

/* Every page of the model by the store's own reading. `whole`: nothing may be damaged. */
static bool judge_reads(struct judge *j, struct states *s, bool whole)
{
	static _Alignas(4096) uint8_t page[4096];

	for (unsigned i = 0; i < SLOTS; i++) {
		struct store_op op = { .buf = page };
		uint32_t want = j->want ? j->want->slot[i] : 0;
		int status;

		slot_name(i, &op.client, &op.vpn);
		status = store_sync(j->st, &op, store_read(j->st, &op));
		s->reads++;
		if (status == STORE_DAMAGED && !whole)
			continue;
		if (status != STORE_OK)
			return judge_wrong(j, store_strerror(status));
		if (op.hole != !want || memcmp(page, content_of(want), 4096))
			return judge_wrong(j, "a page was read with wrong content");
	}
	return true;
}

/* Are those kept that should be? With `short_of_room` unnamed ones may be missing. */
static bool judge_list(struct judge *j, const struct history *h, bool short_of_room)
{
	static struct store_generation kept[STORE_KEPT_MAX];
	uint32_t n = store_generations(j->st, kept, STORE_KEPT_MAX), found = 0;
	const struct list *want;

	if (!j->mount.generation)
		return !n || judge_wrong(j, "generations are kept that were never made");
	want = &h->gen[j->mount.generation]->list;
	if (store_kept(j->st) != want->keep)
		return judge_wrong(j, "another number of generations is to be kept");
	for (uint32_t i = 0; i < want->count; i++) {
		const struct entry *e = &want->entry[i];

		if (found < n && kept[found].generation == e->generation) {
			const struct store_generation *g = &kept[found++];

			if (strcmp(g->name, e->name ? name_text(e->name) : "") || !(g->flags & STORE_GEN_PINNED) != !e->pinned)
				return judge_wrong(j, "a generation has another name or pin than it was given");
		} else if (!short_of_room || (fixed(e) && !e->may_go)) {
			return judge_wrong(j, "a generation that was to be kept is gone");
		}
	}
	return found == n || judge_wrong(j, "a generation is kept that was dropped");
}

/* A disk as a power cut left it: it must hold a whole generation, not older than the acknowledged one. */
static bool judge_crash(struct judge *j, struct states *s, struct sim_image *im, const struct history *h,
			uint64_t acknowledged, uint64_t boots)
{
	uint64_t user;
	int status;

	s->judgements++;
	judge_open(j, im);
	status = store_mount(j->st, 0, &j->mount);
	if (status != STORE_OK)
		return judge_wrong(j, j->mount.slots[0].why ? j->mount.slots[0].why : store_strerror(status));
	memcpy(&user, j->mount.user, sizeof(user));
	if (j->mount.generation < acknowledged)
		return judge_wrong(j, "an acknowledged generation is lost");
	if (user != j->mount.generation)
		return judge_wrong(j, "the record is another generation's");
	if (j->st->boot_next <= boots)
		return judge_wrong(j, "a boot number would be given twice");
	s->fell_back += j->mount.fell_back;
	if (!judge_generation(j, h, j->mount.generation, true) || !judge_list(j, h, h->short_of_room))
		return false;
	if (s->judgements % 16 == 0 && !judge_reads(j, s, true))
		return false;
	/* The older ones are there to go back to, those that a commit has just given up included. */
	for (uint32_t i = 1; s->judgements % 8 == 0 && i < j->st->kept_count; i++)
		if (!judge_generation(j, h, j->st->kept[i].g.generation, true))
			return false;
	return true;
}

/* A disk that lied: what is read is right, or is reported. Sets *reported. */
static bool judge_damaged(struct judge *j, struct states *s, struct sim_image *im, const struct history *h,
			  bool *reported)
{
	s->judgements++;
	judge_open(j, im);
	*reported = true;
	if (store_mount(j->st, 0, &j->mount) != STORE_OK)
		return true;
	*reported = j->mount.fell_back || j->mount.table_why || j->mount.slots[0].status == STORE_DAMAGED ||
		    j->mount.slots[1].status == STORE_DAMAGED || j->mount.slots[0].status == STORE_FOREIGN ||
		    j->mount.slots[1].status == STORE_FOREIGN;
	if (!judge_generation(j, h, j->mount.generation, false))
		return false;
	*reported |= j->damage || j->c.leaked;
	return judge_reads(j, s, false);
}

static bool complain(struct states *s, const char *what, const struct judge *j, uint64_t seed, const struct world *w)
{
	if (s->quiet)
		return false;
	printf("# %s: %s (world %llu)\n", what, j && j->wrong ? j->wrong : w && w->wrong ? w->wrong : "?",
	       (unsigned long long)seed);
	if (j && j->mount.slots[0].why)
		printf("#   slot 0: generation %llu, %s; slot 1: generation %llu, %s; mounted %llu\n",
		       (unsigned long long)j->mount.slots[0].generation, j->mount.slots[0].why,
		       (unsigned long long)j->mount.slots[1].generation, j->mount.slots[1].why,
		       (unsigned long long)j->mount.generation);
	return false;
}

/* ---- States seen ---- */

static uint64_t *seen;
static size_t seen_size, seen_count;

static void seen_reset(void)
{
	seen_size = 1 << 16;
	seen = realloc(seen, seen_size * sizeof(*seen));
	memset(seen, 0, seen_size * sizeof(*seen));
	seen_count = 0;
}

/* Was this disk judged against this promise already? Remembers it. */
static bool seen_before(uint64_t image, uint64_t acknowledged)
{
	uint64_t key = (image ^ acknowledged * 0xd6e8feb86659fd93ull) | 1;
	size_t at = (size_t)(key >> 20) % seen_size;

	while (seen[at] && seen[at] != key)
		at = (at + 1) % seen_size;
	if (seen[at] || seen_count > seen_size / 2)
		return seen[at] != 0;
	seen[at] = key;
	seen_count++;
	return false;
}

/* ---- Cuts ---- */

/* Which loose writes survive is one of these. */
enum keep { KEEP_ALL, KEEP_NONE, KEEP_PREFIX, KEEP_DROP_ONE, KEEP_ONLY_ONE, KEEP_SUBSET, KEEP_TORN, KEEP_TORN_ONE };
#define RANDOM_DRAWS    4u      /* of each random choice, at each event */

static unsigned choices_at(size_t loose)
{
	return 2 + 3 * (unsigned)loose + 3 * RANDOM_DRAWS;
}

static void keep_draw(uint8_t *sectors, size_t loose, unsigned choice, uint64_t *seed)
{
	enum keep k = choice < 2 ? (enum keep)choice : choice < 2 + 3 * loose ? KEEP_PREFIX + (choice - 2) / (unsigned)loose :
		      KEEP_SUBSET + (choice - 2 - 3 * (unsigned)loose) / RANDOM_DRAWS;
	size_t one = choice < 2 || !loose ? 0 : k < KEEP_SUBSET ? (choice - 2) % loose : sim_below(seed, loose);

	for (size_t i = 0; i < loose; i++) {
		switch (k) {
		case KEEP_ALL:
			sectors[i] = 0xff;
			break;
		case KEEP_NONE:
			sectors[i] = 0;
			break;
		case KEEP_PREFIX:
			sectors[i] = i < one ? 0xff : 0;
			break;
		case KEEP_DROP_ONE:
			sectors[i] = i == one ? 0 : 0xff;
			break;
		case KEEP_ONLY_ONE:
			sectors[i] = i == one ? 0xff : 0;
			break;
		case KEEP_SUBSET:
			sectors[i] = sim_below(seed, 2) ? 0xff : 0;
			break;
		case KEEP_TORN:
			sectors[i] = (uint8_t)sim_random(seed);
			break;
		case KEEP_TORN_ONE:
			sectors[i] = i == one ? (uint8_t)sim_random(seed) : 0xff;
			break;
		}
	}
}

struct visit {
	struct world *w;
	struct sim_cut cut;
	uint64_t acknowledged, boots;
	uint64_t seed;
	uint8_t  sectors[4096];
};

static void visit_begin(struct visit *v, struct world *w, struct sim_image *durable)
{
	v->w = w;
	v->acknowledged = w->acknowledged;
	v->boots = w->boots_acknowledged;
	v->seed = sim_random(&w->seed);
	sim_cut_begin(&v->cut, &w->sim, durable);
}

/* To the cut behind one more event. */
static bool visit_next(struct visit *v)
{
	const struct sim_event *e = &v->w->sim.log[v->cut.at];

	if (!sim_cut_next(&v->cut))
		return false;
	if (e->kind == SIM_MARK && e->block & MARK_BOOT)
		v->boots = e->block & ~MARK_BOOT;
	else if (e->kind == SIM_MARK)
		v->acknowledged = e->block;
	return true;
}

static bool descend(struct states *s, struct sim_image *state, const struct world *from, unsigned depth, uint64_t seed);

static bool visit_one(struct states *s, struct visit *v, unsigned choice, unsigned depth, unsigned descend_one_in)
{
	struct sim_undo undo;
	struct judge j;
	bool well = true;

	keep_draw(v->sectors, v->cut.loose_count, choice, &v->seed);
	sim_cut_keep(&v->cut, v->sectors, &undo);
	if (!seen_before(v->cut.durable->hash, v->acknowledged + (v->boots << 32))) {
		s->crash_states++;
		if (depth)
			s->deep[depth - 1]++;
		well = judge_crash(&j, s, v->cut.durable, &v->w->h, v->acknowledged, v->boots);
		if (!well && !s->quiet)
			printf("# cut before event %zu of %zu, choice %u, %zu loose writes, depth %u\n", v->cut.at,
			       v->w->sim.log_count, choice, v->cut.loose_count, depth);
		if (!well)
			complain(s, "crash", &j, s->seed, v->w);
		if (well && depth < DEPTH && sim_below(&v->seed, descend_one_in) == 0)
			well = descend(s, v->cut.durable, v->w, depth + 1, sim_random(&v->seed));
	}
	sim_cut_undo(&v->cut, &undo);
	return well;
}

/* Recover a crash state, begin to work, and crash again before or after the first commit is durable. */
static bool descend(struct states *s, struct sim_image *state, const struct world *from, unsigned depth, uint64_t seed)
{
	unsigned cuts = depth == 1 ? 6 : 3;
	struct sim_image durable;
	struct visit v;
	struct world *w = calloc(1, sizeof(*w));
	bool well;

	world_open(w, state, &from->h, seed, 64, depth);
	w->one_at_a_time = from->one_at_a_time;
	w->cut = from->cut;
	world_record(w);
	well = boot(w, 0, 0) && (sim_mark(&w->sim, w->mount.generation), change_some(w, 1 + (unsigned)sim_below(&w->seed, 6))) &&
	       commit(w);
	if (!well)
		complain(s, "recovery", NULL, s->seed, w);
	sim_image_copy(&durable, &w->before);
	visit_begin(&v, w, &durable);
	v.acknowledged = 0;             /* the caller has judged what was recovered; the first mark repeats it */
	while (well && visit_next(&v)) {
		if (sim_below(&v.seed, w->sim.log_count) >= cuts)
			continue;
		well = visit_one(s, &v, (unsigned)sim_below(&v.seed, choices_at(v.cut.loose_count)), depth, 1);
	}
	sim_cut_end(&v.cut);
	sim_image_free(&durable);
	world_close(w);
	free(w);
	return well;
}

/* How many states all cuts together have. */
static uint64_t count_choices(struct world *w)
{
	struct sim_image durable;
	struct sim_cut cut;
	uint64_t n = 0;

	sim_image_copy(&durable, &w->before);
	sim_cut_begin(&cut, &w->sim, &durable);
	do
		n += choices_at(cut.loose_count);
	while (sim_cut_next(&cut));
	sim_cut_end(&cut);
	sim_image_free(&durable);
	return n;
}

/* Cuts behind every event: all choices, or as many as the budget allows, drawn evenly; but behind every write one at least. */
static bool visit_all(struct states *s, struct world *w, uint64_t budget)
{
	uint64_t all = count_choices(w), before = s->crash_states;
	struct visit v;
	bool well = true;

	visit_begin(&v, w, &w->before);
	seen_reset();
	while (well && visit_next(&v)) {
		unsigned n = choices_at(v.cut.loose_count), must = n;

		if (w->sim.log[v.cut.at - 1].kind == SIM_WRITE)
			must = (unsigned)sim_below(&v.seed, n);
		for (unsigned c = 0; well && c < n; c++)
			if (c == must || (s->crash_states - before < 2 * budget && sim_below(&v.seed, all) < budget))
				well = visit_one(s, &v, c, 0, 150);
	}
	sim_cut_end(&v.cut);
	return well;
}

/* ---- Kinds of worlds ---- */

const char *const states_kind_names[STATES_KINDS] = {
	"small commits", "commits of every size", "small cache", "input/output errors", "reboots and older generations",
	"from an empty partition", "nearly full disk", "long history", "names, drops, older ones resumed",
	"the same, nearly full disk",
};

struct kind {
	uint32_t nodes;
	unsigned warm_up, rounds, changes, errors_per_1000, ballast;
	bool     reboots, from_empty, lists, cut;
};
static const struct kind kinds[STATES_KINDS] = {
	{ .nodes = 256, .warm_up = 4, .rounds = 12, .changes = 5 },
	{ .nodes = 256, .warm_up = 2, .rounds = 8, .changes = 60 },
	{ .nodes = 64, .warm_up = 6, .rounds = 8, .changes = 90 },
	{ .nodes = 80, .warm_up = 3, .rounds = 10, .changes = 30, .errors_per_1000 = 25 },
	{ .nodes = 128, .warm_up = 4, .rounds = 12, .changes = 20, .reboots = true, .lists = true },
	{ .nodes = 128, .rounds = 6, .changes = 20, .from_empty = true },
	{ .nodes = 128, .warm_up = 2, .rounds = 8, .changes = 30, .ballast = 1720, .lists = true },
	{ .nodes = 128, .warm_up = 60, .rounds = 6, .changes = 40, .lists = true },
	{ .nodes = 128, .warm_up = 20, .rounds = 10, .changes = 20, .reboots = true, .lists = true, .cut = true },
	{ .nodes = 128, .warm_up = 12, .rounds = 10, .changes = 40, .ballast = 1500, .lists = true },
};

static bool play(struct world *w, const struct kind *k, unsigned rounds)
{
	while (rounds--) {
		unsigned dice = (unsigned)sim_below(&w->seed, 6);

		if (k->reboots && dice == 0 && !boot(w, 0, 0))
			return false;
		if (k->reboots && dice == 1 && !reboot_into_older(w))
			return false;
		for (unsigned n = k->lists ? (unsigned)sim_below(&w->seed, 4) : 0; n; n--)
			if (!change_list(w))
				return false;
		if (!change_some(w, (unsigned)sim_below(&w->seed, k->changes + 1)) || !commit(w))
			return false;
	}
	return true;
}

static bool prepare_world(struct world *w, const struct kind *k)
{
	if (!first_boot(w))
		return false;
	if (k->ballast && !ballast(w, k->ballast + (unsigned)sim_below(&w->seed, 60)))
		return false;
	return (!k->ballast || commit(w)) && play(w, k, k->warm_up);
}

/* A crash while the partition is being formatted leaves it empty or formatted: not judged by the model. */
static bool visit_formatting(struct states *s, struct world *w)
{
	struct sim_image durable;
	struct visit v;
	bool well = true;

	sim_image_copy(&durable, &w->before);
	visit_begin(&v, w, &durable);
	while (well && w->sim.log[v.cut.at].kind != SIM_MARK && visit_next(&v)) {
		for (unsigned c = 0; well && c < choices_at(v.cut.loose_count); c++) {
			struct sim_undo undo;
			struct judge j;
			int status;

			keep_draw(v.sectors, v.cut.loose_count, c, &v.seed);
			sim_cut_keep(&v.cut, v.sectors, &undo);
			judge_open(&j, v.cut.durable);
			status = store_mount(j.st, 0, &j.mount);
			well = status == STORE_EMPTY || (status == STORE_OK && !j.mount.generation);
			if (!well)
				complain(s, "formatting", &j, s->seed, w);
			sim_cut_undo(&v.cut, &undo);
		}
	}
	sim_cut_end(&v.cut);
	sim_image_free(&durable);
	return well;
}

/* Formatting has its own judge; what follows goes on from where it is durable. */
static bool record_from_empty(struct states *s, struct world *w)
{
	world_record(w);
	if (!first_boot(w) || !visit_formatting(s, w))
		return false;
	w->sim.record = false;
	sim_end(&w->sim);
	sim_image_free(&w->before);
	world_record(w);
	return true;
}

bool states_world(struct states *s, unsigned kind, uint64_t seed)
{
	const struct kind *k = &kinds[kind];
	struct world *w = malloc(sizeof(*w));
	bool well;

	s->seed = seed;
	s->worlds++;
	world_open(w, NULL, NULL, seed * STATES_KINDS + kind, k->nodes, 0);
	w->one_at_a_time = w->h.short_of_room = k->ballast != 0;
	w->cut = k->cut;
	if (k->from_empty) {
		well = record_from_empty(s, w);
	} else {
		well = prepare_world(w, k);
		if (well)
			world_record(w);
	}
	w->sim.fail_per_1000 = k->errors_per_1000;
	w->sim.fail_reads = k->errors_per_1000 != 0;
	well = well && play(w, k, k->rounds);
	if (w->sim.violation)
		well = world_wrong(w, w->sim.violation);
	if (!well)
		complain(s, states_kind_names[kind], NULL, seed, w);
	well = well && visit_all(s, w, k->ballast ? s->budget / 8 : s->budget);
	world_close(w);
	free(w);
	return well;
}

/* ---- Damage ---- */

static bool plain_world(struct states *s, struct world *w, uint64_t seed, unsigned rounds)
{
	static const struct kind k = { .changes = 40 };

	s->seed = seed;
	s->worlds++;
	world_open(w, NULL, NULL, seed, 80, 0);
	return first_boot(w) && play(w, &k, rounds);
}

bool states_flips(struct states *s, uint64_t seed, unsigned flips)
{
	struct world *w = malloc(sizeof(*w));
	struct judge j;
	uint64_t newest = 0;
	bool well = plain_world(s, w, seed, 5);
	uint8_t reached[BLOCKS] = { 0 };
	uint64_t used[BLOCKS];
	unsigned count = 0;

	if (well) {
		judge_open(&j, &w->disk);
		well = store_mount(j.st, 0, &j.mount) == STORE_OK;
		newest = j.mount.generation;
		/* A map marks more than that: what a delta replaced, and nobody will read again. */
		j.sim.blocks_read = reached;
		well = well && judge_generation(&j, &w->h, newest, true);
		j.sim.blocks_read = NULL;
		for (unsigned b = 0; b < BLOCKS && well; b++)
			if (b < FMT_DATA_START ? b % 16 == 8 || b % 16 == 12 : reached[b])
				used[count++] = b;
	}
	while (well && flips--) {
		uint64_t block = used[sim_below(&w->seed, count)], bit = sim_below(&w->seed, 8 * BLK_SIZE);
		uint8_t page[BLK_SIZE];
		struct sim_image im;
		bool reported;

		sim_image_copy(&im, &w->disk);
		sim_image_get(&im, block, page);
		page[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		sim_image_put(&im, block, page);
		well = judge_damaged(&j, s, &im, &w->h, &reported);
		s->detected += reported;
		if (well && j.st->blocks && j.st->boot_next <= w->boots)
			well = judge_wrong(&j, "a boot number would be given twice");
		if (well && !reported && block % 16 != 12 && j.mount.generation == newest)
			well = judge_wrong(&j, "a flipped bit was not noticed");
		if (!well)
			printf("# bit %llu of block %llu flipped\n", (unsigned long long)bit, (unsigned long long)block);
		sim_image_free(&im);
	}
	if (!well)
		complain(s, "flipped bit", &j, seed, w);
	world_close(w);
	free(w);
	return well;
}

/* What the lying disk does, while `lie_on`. */
static struct {
	bool     on;
	unsigned lose_flushes;          /* percent */
	uint64_t from, to;              /* writes to block `from` go to block `to`; beyond the end: nowhere */
	uint64_t seed;
} lie;

static bool lose_flush(struct sim *s, uint64_t previous_write)
{
	(void)s, (void)previous_write;
	return lie.on && sim_below(&lie.seed, 100) < lie.lose_flushes;
}

static uint64_t mislead(struct sim *s, uint64_t block)
{
	(void)s;
	return lie.on && block == lie.from ? lie.to : block;
}

static void choose_lie(uint64_t *seed)
{
	memset(&lie, 0, sizeof(lie));
	lie.seed = sim_random(seed);
	lie.from = UINT64_MAX;
	if (sim_below(seed, 3) == 0) {
		lie.lose_flushes = 10 + (unsigned)sim_below(seed, 90);
		return;
	}
	lie.from = sim_below(seed, 8) ? FMT_DATA_START + sim_below(seed, 120) : FMT_SUPER_BLOCK(sim_below(seed, 2));
	lie.to = sim_below(seed, 2) ? UINT64_MAX : sim_below(seed, 8) ? FMT_DATA_START + sim_below(seed, 120) :
		 FMT_SUPER_BLOCK(sim_below(seed, 2));
}

bool states_lying_disk(struct states *s, uint64_t seed)
{
	static const struct kind k = { .changes = 40 };
	struct world *w = malloc(sizeof(*w));
	bool well = plain_world(s, w, seed, 3), reported;
	struct visit v;
	struct judge j;

	memset(&j, 0, sizeof(j));
	choose_lie(&w->seed);
	w->sim.drop_flush = lose_flush;
	w->sim.redirect = mislead;
	w->may_break = true;
	if (well) {
		world_record(w);
		lie.on = true;
		well = play(w, &k, 3) || w->broken;
		lie.on = lie.lose_flushes != 0;
		well = well && (w->broken || play(w, &k, 3) || w->broken);
		lie.on = false;
	}
	s->detected += w->broken;
	if (well && w->sim.violation)
		well = world_wrong(w, w->sim.violation);
	if (well) {
		well = judge_damaged(&j, s, &w->disk, &w->h, &reported);
		s->detected += reported;
		visit_begin(&v, w, &w->before);
		while (well && visit_next(&v)) {
			struct sim_undo undo;

			if (sim_below(&v.seed, w->sim.log_count) >= 40)
				continue;
			keep_draw(v.sectors, v.cut.loose_count, (unsigned)sim_below(&v.seed, choices_at(v.cut.loose_count)),
				  &v.seed);
			sim_cut_keep(&v.cut, v.sectors, &undo);
			well = judge_damaged(&j, s, v.cut.durable, &w->h, &reported);
			s->detected += reported;
			sim_cut_undo(&v.cut, &undo);
		}
		sim_cut_end(&v.cut);
	}
	if (!well)
		complain(s, "lying disk", &j, seed, w);
	world_close(w);
	free(w);
	return well;
}

/* ---- Errors ---- */

static bool with_one_error(struct states *s, uint64_t seed, uint64_t n, bool *met)
{
	static const struct kind k = { .changes = 25, .reboots = true, .lists = true };
	struct world *w = malloc(sizeof(*w));
	struct judge j;
	bool well;

	memset(&j, 0, sizeof(j));
	well = plain_world(s, w, seed, 2);
	w->sim.fail_reads = true;
	w->sim.fail_at = w->sim.ops + n;
	well = well && play(w, &k, 3) && boot(w, 0, 0) && commit(w);
	*met = w->sim.failed != 0;
	w->sim.fail_at = 0;
	if (well && w->sim.violation)
		well = world_wrong(w, w->sim.violation);
	well = well && judge_crash(&j, s, &w->disk, &w->h, w->committed, w->boots);
	if (!well && !s->quiet)
		printf("# operation %llu failed\n", (unsigned long long)n);
	if (!well)
		complain(s, "one error", &j, seed, w);
	world_close(w);
	free(w);
	return well;
}

bool states_every_error(struct states *s, uint64_t seed, uint64_t first, uint64_t step)
{
	bool met = true;

	for (uint64_t n = first; met; n += step)
		if (!with_one_error(s, seed, n, &met))
			return false;
	return true;
}

/* Reads from the n-th on fail: `count` of them. */
static uint64_t reads_seen, fail_first, fail_count;
static void (*true_submit)(struct blkdev *, struct blkreq *);

static void submit_failing(struct blkdev *dev, struct blkreq *r)
{
	if (r->op == BLK_READ && ++reads_seen >= fail_first && reads_seen < fail_first + fail_count)
		((struct sim *)dev)->fail_at = ((struct sim *)dev)->ops + 1;
	true_submit(dev, r);
}

static bool recover_failing(struct states *s, struct world *w, struct judge *j, uint64_t n, uint64_t count)
{
	int status;

	s->judgements++;
	judge_open(j, &w->disk);
	j->sim.fail_reads = true;
	true_submit = j->sim.dev.submit;
	j->sim.dev.submit = submit_failing;
	reads_seen = 0;
	fail_first = n;
	fail_count = count;
	status = store_mount(j->st, 0, &j->mount);
	fail_first = UINT64_MAX;
	if (status == STORE_EIO)
		return true;
	if (status != STORE_OK)
		return judge_wrong(j, store_strerror(status));
	if (count == 1 && j->mount.generation < w->committed)
		return judge_wrong(j, "a passing error cost a generation");
	return judge_generation(j, &w->h, j->mount.generation, true);
}

bool states_recovery_errors(struct states *s, uint64_t seed)
{
	struct world *w = malloc(sizeof(*w));
	bool well = plain_world(s, w, seed, 4);
	struct judge j;

	memset(&j, 0, sizeof(j));
	reads_seen = 1;
	for (uint64_t n = 1; well && n <= reads_seen; n++)
		well = recover_failing(s, w, &j, n, 1) && recover_failing(s, w, &j, n, 8) &&
		       recover_failing(s, w, &j, n, UINT64_MAX / 2);
	if (!well)
		complain(s, "error during recovery", &j, seed, w);
	world_close(w);
	free(w);
	return well;
}

bool states_full(struct states *s, uint64_t seed, unsigned room)
{
	static const struct kind k = { .changes = 30 };
	struct world *w = malloc(sizeof(*w));
	struct judge j;
	bool well;

	memset(&j, 0, sizeof(j));
	s->seed = seed;
	s->worlds++;
	world_open(w, NULL, NULL, seed, 64, 0);
	w->one_at_a_time = w->h.short_of_room = true;
	well = first_boot(w) && ballast(w, 1880 - room) && commit(w) && play(w, &k, 6);
	if (well && w->sim.violation)
		well = world_wrong(w, w->sim.violation);
	well = well && judge_crash(&j, s, &w->disk, &w->h, w->committed, w->boots);
	if (!well)
		complain(s, "full disk", &j, seed, w);
	world_close(w);
	free(w);
	return well;
}

/* An arena of exactly `bytes`, so that the sanitizer sees every access beyond it. */
static bool in_arena(struct states *s, uint64_t seed, size_t bytes, bool *suffices)
{
	static const struct kind k = { .changes = 60 };
	struct world *w = malloc(sizeof(*w));
	void *arena = aligned_alloc(4096, bytes);
	struct judge j;
	bool well = true;

	memset(&j, 0, sizeof(j));
	world_open(w, NULL, NULL, seed, 64, 0);
	*suffices = store_init(arena, bytes, &w->sim.dev, &w->st) == STORE_OK;
	if (*suffices) {
		well = first_boot(w) && play(w, &k, 4) && boot(w, 0, 0);
		well = well && judge_crash(&j, s, &w->disk, &w->h, w->committed, w->boots);
	}
	if (!well)
		complain(s, "small arena", &j, seed, w);
	world_close(w);
	free(w);
	free(arena);
	return well;
}

bool states_memory(struct states *s, uint64_t seed)
{
	size_t enough = (store_arena_bytes(BLOCKS, STORE_MIN_NODES) + 4095) & ~(size_t)4095;

	s->seed = seed;
	for (size_t bytes = 4096; bytes <= enough + 8 * 4096; bytes += 4096) {
		bool suffices;

		if (!in_arena(s, seed + bytes, bytes, &suffices))
			return false;
		if (suffices != (bytes >= enough)) {
			printf("# an arena of %zu bytes %s, %zu are asked for\n", bytes,
			       suffices ? "was taken" : "was refused", enough);
			return false;
		}
	}
	return true;
}
