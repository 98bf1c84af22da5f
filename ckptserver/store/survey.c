/* SPDX-License-Identifier: BSD-2-Clause
 * Survey; see survey.h. In the order of enum survey_part; the parts of a generation come again for each, newest first.
 */
#include <string.h>

#include "store_priv.h"
#include "survey.h"

#define FIXED_BLOCKS    4u

static const struct { uint32_t block; const char *what; } fixed[FIXED_BLOCKS] = {
	{ FMT_SUPER_BLOCK(0), "superblock" }, { FMT_SUPER_BLOCK(1), "superblock" },
	{ FMT_BOOT_BLOCK(0), "boot counter" }, { FMT_BOOT_BLOCK(1), "boot counter" },
};

/* Superblock and boot counter have their own sum at the same place. */
FMT_AT(fmt_super, sum, 16);
FMT_AT(fmt_boot, sum, 16);

void store_survey_begin(struct store_survey *s)
{
	memset(s, 0, sizeof *s);
	s->below = UINT64_MAX;
}

static bool name(struct store_survey *s, const struct fmt_ref *ref, const char *what)
{
	s->block = ref->block;
	s->sum = ref->sum;
	s->what = what;
	return true;
}

/* Remembers it, too. */
static bool seen(struct store_survey *s, uint64_t block)
{
	for (uint32_t i = 0; i < SURVEY_SEEN; i++)
		if (s->seen[i] == block)
			return true;
	s->seen[s->seen_at++ % SURVEY_SEEN] = block;
	return false;
}

static bool next_fixed(struct store_survey *s)
{
	uint32_t i = s->at;

	if (s->at == FIXED_BLOCKS) {
		s->at = 0;
		s->part = SURVEY_GENERATION;
		return false;
	}
	s->at++;
	return name(s, &(struct fmt_ref){ fixed[i].block, 0 }, fixed[i].what);
}

static bool next_generation(struct store *st, struct store_survey *s)
{
	const struct kept *best = NULL;

	for (uint32_t i = 0; i < st->kept_count; i++) {
		const struct kept *k = &st->kept[i];

		if (k->g.generation && k->g.generation < s->below && (!best || k->g.generation > best->g.generation))
			best = k;
	}
	s->part = best ? SURVEY_TABLE : SURVEY_CACHE;
	s->generation = best ? best->g.generation : 0;
	if (best) {
		s->g = best->g;
		s->below = s->generation;
		s->ref = s->g.table;
	}
	return false;
}

/* What store_survey_check has read leads to s->ref. */
static bool next_in_chain(struct store *st, struct store_survey *s, const char *what)
{
	struct fmt_ref ref = s->ref;

	s->ref = (struct fmt_ref){ 0, 0 };
	if (ref.block && ref_valid(st, &ref) && !seen(s, ref.block))
		return name(s, &ref, what);
	s->ref = s->part == SURVEY_TABLE ? s->g.delta : s->g.map.root;
	s->part++;
	s->depth = 0;
	return false;
}

static bool next_in_map(struct store *st, struct store_survey *s)
{
	struct fmt_ref root = s->ref;

	s->ref = (struct fmt_ref){ 0, 0 };
	s->level = s->g.map.height;
	if (root.block && ref_valid(st, &root) && s->level <= FMT_MAX_HEIGHT && !seen(s, root.block))
		return name(s, &root, "allocation map");
	for (; s->depth; s->depth--) {
		const struct fmt_node *n = &s->path[s->depth - 1];
		uint32_t *slot = &s->slot[s->depth - 1];

		s->level = s->g.map.height - s->depth;
		while (*slot < FMT_FANOUT) {
			const struct fmt_ref *ref = &n->entry[(*slot)++];

			if (ref->block && ref_valid(st, ref))
				return name(s, ref, "allocation map");
		}
	}
	s->part = SURVEY_GENERATION;
	return false;
}

static bool next_in_cache(struct store *st, struct store_survey *s)
{
	while (s->at < st->node_count) {
		const struct node *n = &st->nodes[s->at++];

		if (n->state == NODE_CLEAN)
			return name(s, &(struct fmt_ref){ n->block, n->sum }, n->kind == NODE_MAP ? "allocation map" : "index node");
	}
	return false;
}

bool store_survey_next(struct store *st, struct store_survey *s)
{
	bool named = false;

	while (!named) {
		if (s->part > SURVEY_GENERATION && s->part < SURVEY_CACHE && !kept_find(st, s->generation))
			s->part = SURVEY_GENERATION;
		switch (s->part) {
		case SURVEY_FIXED:
			named = next_fixed(s);
			break;
		case SURVEY_GENERATION:
			named = next_generation(st, s);
			break;
		case SURVEY_TABLE:
			named = next_in_chain(st, s, "generation table");
			break;
		case SURVEY_DELTA:
			named = next_in_chain(st, s, "delta");
			break;
		case SURVEY_MAP:
			named = next_in_map(st, s);
			break;
		case SURVEY_CACHE:
			return next_in_cache(st, s);
		}
	}
	return true;
}

/* A block that was never written is all zero. */
static bool fixed_whole(void *content)
{
	uint64_t *field = &((struct fmt_boot *)content)->sum, kept = *field;
	bool whole;

	if (store_is_zero(content))
		return true;
	*field = 0;
	whole = store_sum(content) == kept;
	*field = kept;
	return whole;
}

bool store_survey_check(struct store_survey *s, void *content)
{
	if (s->part == SURVEY_FIXED)
		return fixed_whole(content);
	if (store_sum(content) != s->sum)
		return false;
	if (s->part == SURVEY_TABLE)
		s->ref = ((const struct fmt_gens *)content)->next;
	else if (s->part == SURVEY_DELTA)
		s->ref = ((const struct fmt_delta *)content)->next;
	else if (s->part == SURVEY_MAP && s->level) {
		memcpy(&s->path[s->depth], content, sizeof s->path[0]);
		s->slot[s->depth++] = 0;
	}
	return true;
}

bool store_survey_stands(struct store *st, const struct store_survey *s)
{
	const struct node *n;

	if (s->part == SURVEY_FIXED)
		return true;
	if (s->part != SURVEY_CACHE)
		return kept_find(st, s->generation);
	n = node_find(st, s->block);
	return n && n->state == NODE_CLEAN && n->sum == s->sum;
}
