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

void sim_image_make(struct sim_image *im, uint64_t blocks)
{
	im->blocks = blocks;
	im->groups = calloc(groups_of(im), sizeof(*im->groups));
}

void sim_image_free(struct sim_image *im)
{
	for (uint64_t g = 0; g < groups_of(im); g++) {
		if (!im->groups[g])
			continue;
		for (unsigned i = 0; i < GROUP; i++)
			free(im->groups[g][i]);
		free(im->groups[g]);
	}
	free(im->groups);
	im->groups = NULL;
}

void sim_image_get(const struct sim_image *im, uint64_t block, void *page)
{
	uint8_t **group = im->groups[block / GROUP];

	if (group && group[block % GROUP])
		memcpy(page, group[block % GROUP], BLK_SIZE);
	else
		memset(page, 0, BLK_SIZE);
}

void sim_image_put(struct sim_image *im, uint64_t block, const void *page)
{
	uint8_t ***group = &im->groups[block / GROUP];

	if (!*group)
		*group = calloc(GROUP, sizeof(**group));
	if (!(*group)[block % GROUP])
		(*group)[block % GROUP] = malloc(BLK_SIZE);
	memcpy((*group)[block % GROUP], page, BLK_SIZE);
}

void sim_image_copy(struct sim_image *to, const struct sim_image *from)
{
	sim_image_make(to, from->blocks);
	for (uint64_t g = 0; g < groups_of(from); g++)
		for (unsigned i = 0; from->groups[g] && i < GROUP; i++)
			if (from->groups[g][i])
				sim_image_put(to, g * GROUP + i, from->groups[g][i]);
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
	s->pending_sum[slot] = r->op == BLK_WRITE ? quick_sum(r->bufs[0]) : s->last_write;
	if (r->op != BLK_READ) {
		if (r->op == BLK_WRITE) {
			s->last_write = r->block;
			if (s->redirect)
				e.block = s->redirect(s, r->block);
			if (s->record) {
				e.content = malloc(BLK_SIZE);
				memcpy(e.content, r->bufs[0], BLK_SIZE);
			}
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
	return s->ops == s->fail_at || (s->fail_per_1000 && sim_below(&s->seed, 1000) < s->fail_per_1000);
}

static void complete_write(struct sim *s, struct blkreq *r, size_t begin, uint64_t sum)
{
	uint64_t block = s->redirect ? s->redirect(s, r->block) : r->block;

	s->writes++;
	if (quick_sum(r->bufs[0]) != sum)
		s->violation = "buffer changed while it was being written";
	if (block < s->image->blocks)
		sim_image_put(s->image, block, r->bufs[0]);
	log_add(s, (struct sim_event){ .kind = SIM_WRITTEN, .begin = begin, .block = block });
}

static void complete_one(struct sim *s)
{
	unsigned pick = (unsigned)sim_below(&s->seed, s->pending_count);
	struct blkreq *r = s->pending[pick];
	size_t begin = s->pending_event[pick];
	uint64_t sum = s->pending_sum[pick];
	unsigned last = --s->pending_count;

	s->pending[pick] = s->pending[last];
	s->pending_event[pick] = s->pending_event[last];
	s->pending_sum[pick] = s->pending_sum[last];
	r->status = BLK_OK;
	if (r->op != BLK_FLUSH && r->block >= s->image->blocks) {
		r->status = BLK_ERANGE;
		s->violation = "access beyond the end";
	} else if (sim_fails(s, r)) {
		r->status = BLK_EIO;            /* a failed write stays a loose one for ever */
		s->failed++;
	} else if (r->op == BLK_READ) {
		s->reads++;
		sim_image_get(s->image, r->block, r->bufs[0]);
	} else if (r->op == BLK_WRITE) {
		complete_write(s, r, begin, sum);
	} else {
		s->flushes++;
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
			free(s->log[i].content);
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
	c->completed = calloc(s->log_count + 1, 1);
}

void sim_cut_end(struct sim_cut *c)
{
	free(c->loose);
	free(c->completed);
}

static void loose_move_last(struct sim_cut *c, size_t event)
{
	size_t i = 0, keep = 0;

	/* An earlier write to the block that failed is superseded now. */
	for (i = 0; i < c->loose_count; i++) {
		size_t w = c->loose[i];

		if (w >= event || c->completed[w] || c->s->log[w].block != c->s->log[event].block)
			c->loose[keep++] = w;
	}
	c->loose_count = keep;
	for (i = 0; i < c->loose_count && c->loose[i] != event; i++)
		;
	if (i == c->loose_count)
		return;
	memmove(&c->loose[i], &c->loose[i + 1], (c->loose_count - i - 1) * sizeof(*c->loose));
	/* Completed ones stand before those under way, so that applying in this order is right. */
	for (i = 0; i < c->loose_count - 1 && c->completed[c->loose[i]]; i++)
		;
	memmove(&c->loose[i + 1], &c->loose[i], (c->loose_count - 1 - i) * sizeof(*c->loose));
	c->loose[i] = event;
	c->completed[event] = 1;
}

/* A flush completed: what had completed when it was submitted is durable. */
static void flushed(struct sim_cut *c, size_t flush)
{
	size_t keep = 0;

	for (size_t i = 0; i < c->loose_count; i++) {
		size_t w = c->loose[i];
		bool durable = false;

		for (size_t k = w + 1; c->completed[w] && k < flush && !durable; k++)
			durable = c->s->log[k].kind == SIM_WRITTEN && c->s->log[k].begin == w;
		if (durable)
			sim_image_put(c->durable, c->s->log[w].block, c->s->log[w].content);
		else
			c->loose[keep++] = w;
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
	} else if (e->kind == SIM_WRITTEN) {
		loose_move_last(c, e->begin);
	} else if (e->kind == SIM_FLUSHED) {
		flushed(c, e->begin);
	}
	c->at++;
	return true;
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
	uint8_t page[BLK_SIZE];

	u->block = malloc((c->loose_count + 1) * sizeof(*u->block));
	u->content = malloc((c->loose_count + 1) * BLK_SIZE);
	u->count = 0;
	for (size_t i = 0; i < c->loose_count; i++) {
		const struct sim_event *e = &c->s->log[c->loose[i]];
		unsigned keep = sectors_kept(p, i, c->loose_count, chosen, seed);

		if (!keep || e->block >= c->durable->blocks)
			continue;
		sim_image_get(c->durable, e->block, page);
		u->block[u->count] = e->block;
		memcpy(u->content + u->count++ * BLK_SIZE, page, BLK_SIZE);
		for (unsigned k = 0; k < BLK_SIZE / SIM_SECTOR; k++)
			if (keep >> k & 1)
				memcpy(page + k * SIM_SECTOR, e->content + k * SIM_SECTOR, SIM_SECTOR);
		sim_image_put(c->durable, e->block, page);
	}
}

void sim_cut_undo(struct sim_cut *c, struct sim_undo *u)
{
	while (u->count--)
		sim_image_put(c->durable, u->block[u->count], u->content + u->count * BLK_SIZE);
	free(u->block);
	free(u->content);
}
