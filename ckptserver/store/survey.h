/* SPDX-License-Identifier: BSD-2-Clause
 * Survey: names, one after the other, the blocks that no look-up of a page would read: superblocks and boot counters; of each
 * generation that must stay intact its table, the blocks of its delta and its allocation map; and the index nodes that are in
 * the cache. Who asks reads them and shows what he has read, for that leads on. Nothing here does any I/O.
 *
 *      store_survey_begin ; while (store_survey_next) { read block ; if (!store_survey_check) and still store_survey_stands: damage }
 *
 * Any work may be done on the store in between. A generation that goes meanwhile is left.
 */
#ifndef STORE_SURVEY_H
#define STORE_SURVEY_H

#include "format.h"
#include "store.h"

#define SURVEY_SEEN     64u             /* blocks of chains, and roots of maps, that are not read for each generation again */

enum survey_part { SURVEY_FIXED, SURVEY_GENERATION, SURVEY_TABLE, SURVEY_DELTA, SURVEY_MAP, SURVEY_CACHE };

struct store_survey {
	/* Results of store_survey_next. */
	uint64_t block;
	uint64_t generation;            /* that uses it; of fixed and cached blocks 0 */
	const char *what;               /* a word or two */
	/* Its own use. */
	enum survey_part part;
	uint64_t sum;
	uint32_t at;                    /* fixed block, or node of the cache, that comes next */
	uint64_t below;                 /* the next generation has a smaller number */
	struct fmt_generation g;
	struct fmt_ref ref;             /* chains: the next block */
	uint64_t seen[SURVEY_SEEN];
	uint32_t seen_at;
	uint32_t depth, level;          /* map: nodes on the path; level of the block that was named */
	uint32_t slot[FMT_MAX_HEIGHT];
	struct fmt_node path[FMT_MAX_HEIGHT];
};

void store_survey_begin(struct store_survey *s);
/* Names the next block. False: that was all. */
bool store_survey_next(struct store *st, struct store_survey *s);
/* Is this what the block named last ought to have? */
bool store_survey_check(struct store_survey *s, void *content);
/* Is that block still in the same use? */
bool store_survey_stands(struct store *st, const struct store_survey *s);

#endif
