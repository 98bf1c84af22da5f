/* SPDX-License-Identifier: BSD-2-Clause
 * The simulated disk, see store_sim.h. */
#include "store_sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP   512u

uint64_t sim_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint64_t sim_below(uint64_t *seed, uint64_t n)
{
	return sim_random(seed) % n;
}

/* ---- Images ---- */

static uint64_t groups_of(const struct sim_image *im)
{
	return (im->blocks + GROUP - 1) / GROUP;
}

static struct sim_page *page_new(const void *content)
{
	struct sim_page *p = aligned_alloc(64, sizeof(*p));

	p->refs = 1;
	p->hashed = false;
	memcpy(p->data, content, BLK_SIZE);
	return p;
}

static void page_put(struct sim_page *p)
{
	if (p && !--p->refs)
		free(p);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93ull;
	return x ^ (x >> 32);
}

static uint64_t sector_hash(const uint64_t *w)
{
	uint64_t a = 0, b = 0;

	for (unsigned i = 0; i < SIM_SECTOR / 8; i += 2) {
		a = (a ^ w[i]) * 0x9e3779b97f4a7c15ull;
		b = (b ^ w[i + 1]) * 0xbf58476d1ce4e5b9ull;
		a ^= a >> 29;
		b ^= b >> 31;
	}
	return mix(a ^ mix(b));
}

/* What a block adds to the hash of its image. Zeros add nothing. */
static uint64_t page_hash(struct sim_page *p, uint64_t block)
{
	uint64_t hash = 0;

	if (!p)
		return 0;
	for (unsigned k = 0; k < BLK_SIZE / SIM_SECTOR && !p->hashed; k++)
		p->sectors[k] = sector_hash((const uint64_t *)(p->data + k * SIM_SECTOR));
	p->hashed = true;
	for (unsigned k = 0; k < BLK_SIZE / SIM_SECTOR; k++)
		if (p->sectors[k])
			hash += mix(p->sectors[k] + mix(8 * block + k + 1));
	return hash;
}

void sim_image_make(struct sim_image *im, uint64_t blocks)
{
	memset(im, 0, sizeof(*im));
	im->blocks = blocks;
	im->groups = calloc(groups_of(im), sizeof(*im->groups));
}

void sim_image_free(struct sim_image *im)
{
	for (uint64_t g = 0; g < groups_of(im); g++) {
		if (!im->groups[g])
			continue;
		for (unsigned i = 0; i < GROUP; i++)
			page_put(im->groups[g][i]);
		free(im->groups[g]);
	}
	free(im->groups);
	im->groups = NULL;
}

static struct sim_page *image_page(const struct sim_image *im, uint64_t block)
{
	struct sim_page **group = im->groups[block / GROUP];

	return group ? group[block % GROUP] : NULL;
}

/* Takes over the caller's share of p, gives its own of what was there. */
static struct sim_page *image_swap(struct sim_image *im, uint64_t block, struct sim_page *p)
{
	struct sim_page ***group = &im->groups[block / GROUP], *old;

	if (!*group)
		*group = calloc(GROUP, sizeof(**group));
	old = (*group)[block % GROUP];
	(*group)[block % GROUP] = p;
	if (im->hashing)
		im->hash += page_hash(p, block) - page_hash(old, block);
	return old;
}

void sim_image_get(const struct sim_image *im, uint64_t block, void *page)
{
	struct sim_page *p = image_page(im, block);

	if (p)
		memcpy(page, p->data, BLK_SIZE);
	else
		memset(page, 0, BLK_SIZE);
}

void sim_image_put(struct sim_image *im, uint64_t block, const void *page)
{
	page_put(image_swap(im, block, page_new(page)));
}

void sim_image_copy(struct sim_image *to, const struct sim_image *from)
{
	sim_image_make(to, from->blocks);
	to->hash = from->hash;
	to->hashing = from->hashing;
	for (uint64_t g = 0; g < groups_of(from); g++) {
		if (!from->groups[g])
			continue;
		to->groups[g] = malloc(GROUP * sizeof(*to->groups[g]));
		memcpy(to->groups[g], from->groups[g], GROUP * sizeof(*to->groups[g]));
		for (unsigned i = 0; i < GROUP; i++)
			if (to->groups[g][i])
				to->groups[g][i]->refs++;
	}
}

void sim_image_hash(struct sim_image *im)
{
	im->hash = 0;
	im->hashing = true;
	for (uint64_t g = 0; g < groups_of(im); g++)
		for (unsigned i = 0; im->groups[g] && i < GROUP; i++)
			im->hash += page_hash(im->groups[g][i], g * GROUP + i);
}

/* ---- The device ---- */

static size_t log_add(struct sim *s, struct sim_event e)
{
	if (!s->record)
		return 0;
	if (s->log_count == s->log_size) {
		s->log_size = s->log_size ? 2 * s->log_size : 1024;
		s->log = realloc(s->log, s->log_size * sizeof(*s->log));
	}
	s->log[s->log_count] = e;
	return s->log_count++;
}

void sim_mark(struct sim *s, uint64_t number)
{
	log_add(s, (struct sim_event){ .kind = SIM_MARK, .block = number });
}

static uint64_t quick_sum(const void *page)
{
	const uint64_t *w = page;
	uint64_t sum = 0;

	for (unsigned i = 0; i < BLK_SIZE / 8; i++)
		sum = (sum ^ w[i]) * 0x9e3779b97f4a7c15ull;
	return sum;
}

static void check_write(struct sim *s, const struct blkreq *r)
{
	if (r->count != 1)
		s->violation = "write of more than one block";
	for (unsigned i = 0; i < s->pending_count; i++)
		if (s->pending[i]->op == BLK_WRITE && s->pending[i]->block == r->block)
			s->violation = "two writes to one block under way";
}

static void sim_submit(struct blkdev *dev, struct blkreq *r)
{
	struct sim *s = (struct sim *)dev;
	unsigned slot = s->pending_count;
	struct sim_event e = { .kind = r->op == BLK_WRITE ? SIM_WRITE : SIM_FLUSH, .block = r->block };

	if (slot == 4096) {
		fprintf(stderr, "simulated disk: too many requests\n");
		abort();
	}
	for (unsigned i = 0; i < s->pending_count; i++)
		if (s->pending[i] == r)
			s->violation = "request submitted twice";
	if (r->op == BLK_WRITE)
		check_write(s, r);
	s->pending_event[slot] = 0;
	s->pending_since[slot] = s->completions;
	s->pending_sum[slot] = r->op == BLK_WRITE ? quick_sum(r->bufs[0]) : s->last_write;
	if (r->op != BLK_READ) {
		if (r->op == BLK_WRITE) {
			s->last_write = r->block;
			if (s->redirect)
				e.block = s->redirect(s, r->block);
			if (s->record)
				e.content = page_new(r->bufs[0]);
		}
		if (r->op == BLK_WRITE || !s->drop_flush || !s->drop_flush(s, s->last_write))
			s->pending_event[slot] = log_add(s, e);
		else
			s->pending_event[slot] = SIZE_MAX;
	}
	s->pending[s->pending_count++] = r;
}

static bool sim_fails(struct sim *s, const struct blkreq *r)
{
	if (r->op == BLK_READ && !s->fail_reads)
		return false;
	s->ops++;
	return s->ops == s->fail_at || (s->fails && s->fails(s, r)) || (s->fail_per_1000 && sim_below(&s->seed, 1000) < s->fail_per_1000);
}

static struct sim_page *share(struct sim_page *p)
{
	if (p)
		p->refs++;
	return p;
}

static void unflushed_add(struct sim *s, uint64_t block, size_t event)
{
	if (!s->flush_loses)
		return;
	if (s->unflushed_count == s->unflushed_size) {
		s->unflushed_size = s->unflushed_size ? 2 * s->unflushed_size : 256;
		s->unflushed = realloc(s->unflushed, s->unflushed_size * sizeof(*s->unflushed));
	}
	s->unflushed[s->unflushed_count++] = (struct sim_unflushed){ block, s->completions, s->record ? event : SIZE_MAX, share(image_page(s->image, block)) };
}

/* A flush succeeded: what had completed when it was submitted is durable. */
static void unflushed_durable(struct sim *s, uint64_t since)
{
	size_t left = 0;

	for (size_t i = 0; i < s->unflushed_count; i++) {
		if (s->unflushed[i].completion > since)
			s->unflushed[left++] = s->unflushed[i];
		else
			page_put(s->unflushed[i].old);
	}
	s->unflushed_count = left;
}

/* A flush failed: half of the blocks lose what was written to them, as if it had never been. */
static void unflushed_lose(struct sim *s)
{
	uint64_t dice = sim_random(&s->seed);
	size_t left = 0;

	for (size_t i = s->unflushed_count; i-- > 0;) {
		struct sim_unflushed *u = &s->unflushed[i];

		if ((u->block * 0x9e3779b97f4a7c15ull ^ dice) >> 63)
			continue;
		if (s->flush_loses == SIM_LOSES_NOW)
			page_put(image_swap(s->image, u->block, share(u->old)));
		if (s->record && u->event != SIZE_MAX)
			log_add(s, (struct sim_event){ .kind = SIM_LOST, .begin = u->event, .block = u->block });
		page_put(u->old);
		u->block = UINT64_MAX;
		s->lost++;
	}
	for (size_t i = 0; i < s->unflushed_count; i++)
		if (s->unflushed[i].block != UINT64_MAX)
			s->unflushed[left++] = s->unflushed[i];
	s->unflushed_count = left;
}

static void complete_write(struct sim *s, struct blkreq *r, size_t begin, uint64_t sum)
{
	uint64_t block = s->redirect ? s->redirect(s, r->block) : r->block;

	s->writes++;
	if (quick_sum(r->bufs[0]) != sum)
		s->violation = "buffer changed while it was being written";
	if (block < s->image->blocks) {
		unflushed_add(s, block, begin);
		sim_image_put(s->image, block, r->bufs[0]);
	}
	if (s->record && begin < s->log_count)
		s->log[begin].end = s->log_count;
	log_add(s, (struct sim_event){ .kind = SIM_WRITTEN, .begin = begin, .block = block });
}

static void complete_one(struct sim *s)
{
	unsigned pick = (unsigned)sim_below(&s->seed, s->pending_count);
	struct blkreq *r = s->pending[pick];
	size_t begin = s->pending_event[pick];
	uint64_t sum = s->pending_sum[pick], since = s->pending_since[pick];
	unsigned last = --s->pending_count;

	s->pending[pick] = s->pending[last];
	s->pending_event[pick] = s->pending_event[last];
	s->pending_sum[pick] = s->pending_sum[last];
	s->pending_since[pick] = s->pending_since[last];
	s->completions++;
	r->status = BLK_OK;
	if (r->op != BLK_FLUSH && r->block >= s->image->blocks) {
		r->status = BLK_ERANGE;
		s->violation = "access beyond the end";
	} else if (sim_fails(s, r)) {
		r->status = BLK_EIO;            /* a failed write stays a loose one for ever */
		s->failed++;
		if (r->op == BLK_FLUSH)
			unflushed_lose(s);
	} else if (r->op == BLK_READ) {
		s->reads++;
		if (s->blocks_read)
			s->blocks_read[r->block] = 1;
		sim_image_get(s->image, r->block, r->bufs[0]);
	} else if (r->op == BLK_WRITE) {
		complete_write(s, r, begin, sum);
	} else {
		s->flushes++;
		unflushed_durable(s, since);
		if (begin != SIZE_MAX)
			log_add(s, (struct sim_event){ .kind = SIM_FLUSHED, .begin = begin });
	}
	r->done(r);
}

static unsigned sim_poll(struct blkdev *dev)
{
	struct sim *s = (struct sim *)dev;
	unsigned n = 0;

	for (; s->pending_count && n < 4; n++)
		complete_one(s);
	return n;
}

static void sim_wait(struct blkdev *dev)
{
	struct sim *s = (struct sim *)dev;

	if (!s->pending_count) {
		fprintf(stderr, "simulated disk: waiting for nothing\n");
		abort();
	}
	complete_one(s);
}

void sim_make(struct sim *s, struct sim_image *im, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->dev = (struct blkdev){ .blocks = im->blocks, .submit = sim_submit, .poll = sim_poll, .wait = sim_wait };
	s->image = im;
	s->seed = seed;
}

void sim_end(struct sim *s)
{
	for (size_t i = 0; i < s->log_count; i++)
		if (s->log[i].kind == SIM_WRITE)
			page_put(s->log[i].content);
	unflushed_durable(s, UINT64_MAX);
	free(s->unflushed);
	s->unflushed = NULL;
	s->unflushed_size = 0;
	free(s->log);
	s->log = NULL;
	s->log_count = s->log_size = 0;
}

/* ---- Cuts ---- */

void sim_cut_begin(struct sim_cut *c, const struct sim *s, struct sim_image *durable)
{
	memset(c, 0, sizeof(*c));
	c->s = s;
	c->durable = durable;
	c->loose_size = 8192;
	c->loose = malloc(c->loose_size * sizeof(*c->loose));
}

void sim_cut_end(struct sim_cut *c)
{
	free(c->loose);
}

/* Has the write completed before the cut? */
static bool completed(const struct sim_cut *c, size_t write)
{
	size_t end = c->s->log[write].end;

	return end && end <= c->at;
}

/* A write has completed: it moves behind the completed ones, before those under way, so that applying them in this order
 * is right. An earlier write to the block that failed is superseded. */
static void written(struct sim_cut *c, size_t event)
{
	size_t keep = 0, place = SIZE_MAX;
	bool was_there = false;

	for (size_t i = 0; i < c->loose_count; i++) {
		size_t w = c->loose[i];

		if (w == event) {
			was_there = true;
			continue;
		}
		if (w < event && !completed(c, w) && c->s->log[w].block == c->s->log[event].block)
			continue;
		if (place == SIZE_MAX && !completed(c, w))
			place = keep;
		c->loose[keep++] = w;
	}
	c->loose_count = keep;
	if (!was_there)
		return;
	if (place == SIZE_MAX)
		place = keep;
	memmove(&c->loose[place + 1], &c->loose[place], (keep - place) * sizeof(*c->loose));
	c->loose[place] = event;
	c->loose_count++;
}

/* A flush failed, and the device has thrown this write away. */
static void lost(struct sim_cut *c, size_t write)
{
	size_t keep = 0;

	for (size_t i = 0; i < c->loose_count; i++)
		if (c->loose[i] != write)
			c->loose[keep++] = c->loose[i];
	c->loose_count = keep;
}

/* A flush completed: what had completed when it was submitted is durable. */
static void flushed(struct sim_cut *c, size_t flush)
{
	size_t keep = 0;

	for (size_t i = 0; i < c->loose_count; i++) {
		const struct sim_event *e = &c->s->log[c->loose[i]];

		if (!e->end || e->end >= flush)
			c->loose[keep++] = c->loose[i];
		else if (e->block < c->durable->blocks)
			page_put(image_swap(c->durable, e->block, share(e->content)));
	}
	c->loose_count = keep;
}

bool sim_cut_next(struct sim_cut *c)
{
	const struct sim_event *e = &c->s->log[c->at];

	if (c->at == c->s->log_count)
		return false;
	if (e->kind == SIM_WRITE) {
		if (c->loose_count == c->loose_size) {
			c->loose_size *= 2;
			c->loose = realloc(c->loose, c->loose_size * sizeof(*c->loose));
		}
		c->loose[c->loose_count++] = c->at;
	} else if (e->kind == SIM_WRITTEN && e->begin != SIZE_MAX) {
		written(c, e->begin);
	} else if (e->kind == SIM_FLUSHED) {
		flushed(c, e->begin);
	} else if (e->kind == SIM_LOST) {
		lost(c, e->begin);
	}
	c->at++;
	return true;
}

/* The old content with some sectors of the new one. */
static struct sim_page *torn(const struct sim_page *old, struct sim_page *new, unsigned keep)
{
	static const uint8_t zeros[BLK_SIZE];
	struct sim_page *p;

	if (keep == 0xff)
		return share(new);
	p = page_new(old ? old->data : zeros);
	for (unsigned k = 0; k < BLK_SIZE / SIM_SECTOR; k++)
		if (keep >> k & 1)
			memcpy(p->data + k * SIM_SECTOR, new->data + k * SIM_SECTOR, SIM_SECTOR);
	return p;
}

void sim_cut_keep(struct sim_cut *c, const uint8_t *sectors, struct sim_undo *u)
{
	u->block = malloc((c->loose_count + 1) * sizeof(*u->block));
	u->content = malloc((c->loose_count + 1) * sizeof(*u->content));
	u->count = 0;
	for (size_t i = 0; i < c->loose_count; i++) {
		const struct sim_event *e = &c->s->log[c->loose[i]];
		struct sim_page *p;

		if (!sectors[i] || e->block >= c->durable->blocks)
			continue;
		p = torn(image_page(c->durable, e->block), e->content, sectors[i]);
		u->block[u->count] = e->block;
		u->content[u->count++] = image_swap(c->durable, e->block, p);
	}
}

/* Which of the eight sectors of loose write i survive. */
static unsigned sectors_kept(enum sim_policy p, size_t i, size_t count, size_t chosen, uint64_t *seed)
{
	switch (p) {
	case SIM_ALL:
		return 0xff;
	case SIM_PREFIX:
		return i < chosen ? 0xff : 0;
	case SIM_SUBSET:
		return sim_below(seed, 2) ? 0xff : 0;
	case SIM_DROP_ONE:
		return i == chosen % (count ? count : 1) ? 0 : 0xff;
	case SIM_ONLY_ONE:
		return i == chosen % (count ? count : 1) ? 0xff : 0;
	case SIM_TORN:
		return (unsigned)sim_below(seed, 256);
	default:
		return 0;
	}
}

void sim_cut_apply(struct sim_cut *c, enum sim_policy p, uint64_t *seed, struct sim_undo *u)
{
	size_t chosen = (size_t)sim_below(seed, c->loose_count + 1);
	uint8_t *sectors = malloc(c->loose_count + 1);

	for (size_t i = 0; i < c->loose_count; i++)
		sectors[i] = (uint8_t)sectors_kept(p, i, c->loose_count, chosen, seed);
	sim_cut_keep(c, sectors, u);
	free(sectors);
}

void sim_cut_undo(struct sim_cut *c, struct sim_undo *u)
{
	while (u->count--)
		page_put(image_swap(c->durable, u->block[u->count], u->content[u->count]));
	free(u->block);
	free(u->content);
}
