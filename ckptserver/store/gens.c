/* SPDX-License-Identifier: BSD-2-Clause
 * The list of kept generations: what store.h offers of it, which of them a commit keeps, and how many blocks they
 * hold. Read on in commit.c (the table is written) and recover.c (it is read).
 *
 * On the list is every generation that one of the two superblocks names, itself or in its table (invariant 2). So
 * a generation that a commit leaves out stays on it until the next commit has overwritten the superblock before: till
 * then a crash may find that one again, and what it names must be intact.
 *
 * Blocks held. Seen as a graph, each generation is tied to its base, the nearest ancestor on the list, and the
 * current state to the generation it was made from. A block of some generation that the current state does not use
 * gets lost on some tie on the way from the one to the other. So the sum, over all ties, of the blocks that the
 * farther end has and the nearer one has not is never too small. Beside these there are the dead blocks of deltas
 * (format.h: delta_dead), which nobody uses and nobody can have, if they were not freed on one of these ties.
 */
#include <string.h>

#include "store_priv.h"

#define TIE_GONE        UINT64_MAX      /* used: it is in the graph only to pass its base on */
#define DEAD_MAX        (FMT_DELTA_CHAIN_MAX * FMT_DELTA_RECORDS)
#define FIXED   (FMT_GEN_NAMED | FMT_GEN_PINNED)

struct kept *kept_find(struct store *st, uint64_t generation)
{
	for (uint32_t i = 0; i < st->kept_count; i++)
		if (st->kept[i].g.generation == generation)
			return &st->kept[i];
	return NULL;
}

static struct kept *kept_listed(struct store *st, uint64_t generation)
{
	struct kept *k = kept_find(st, generation);

	return k && k->listed ? k : NULL;
}

struct kept *kept_add(struct store *st, const struct fmt_generation *g, unsigned slot, bool listed)
{
	struct kept *k = kept_find(st, g->generation);
	uint32_t at = 0;

	if (k) {
		k->slots |= (uint8_t)(1u << slot);
		k->listed |= listed;
		return k;
	}
	if (st->kept_count == STORE_RECORDS)
		return NULL;
	while (at < st->kept_count && st->kept[at].g.generation > g->generation)
		at++;
	k = &st->kept[at];
	memmove(k + 1, k, (st->kept_count++ - at) * sizeof(*k));
	memset(k, 0, sizeof(*k));
	k->g = *g;
	if (!k->g.base) {
		k->g.base = g->parent;
		k->g.base_freed = g->freed;
	}
	k->flags = g->flags & (FIXED | FMT_GEN_SPARE);
	if (k->flags & FMT_GEN_NAMED && name_valid(g->name))
		memcpy(k->name, g->name, sizeof(k->name));
	else if (k->flags & FMT_GEN_NAMED)
		k->flags = FMT_GEN_PINNED;      /* nobody would have given such a name */
	k->slots = (uint8_t)(1u << slot);
	k->age = STORE_OLD;
	k->listed = listed;
	return k;
}

/* Generations tied to it are tied to its base from now on. */
void kept_remove(struct store *st, struct kept *k)
{
	const struct fmt_generation gone = k->g;

	memmove(k, k + 1, (size_t)(&st->kept[--st->kept_count] - k) * sizeof(*k));
	for (uint32_t i = 0; i < st->kept_count; i++) {
		struct fmt_generation *g = &st->kept[i].g;

		if (g->base == gone.generation) {
			g->base = gone.base;
			g->base_freed += gone.base_freed;
		}
	}
}

uint32_t kept_fixed(const struct store *st)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < st->kept_count; i++)
		n += st->kept[i].listed && st->kept[i].flags & FIXED;
	return n;
}

static void report(struct store *st, const struct kept *k, int status, const char *why)
{
	if (st->report_count < STORE_SKIPPED_MAX)
		st->reports[st->report_count++] = (struct store_skipped){ k->g.generation, k->bad_map, status, why };
}

/* ---- Space ---- */

bool kept_must_stay(const struct store *st, const struct kept *k)
{
	return k->g.generation == st->last.generation || k->g.generation == st->super->generation ||
	       (k->listed && k->flags & FIXED);
}

/* Blocks of `far` that `near` does not use; the two are tied. */
static uint64_t tie_lost(const struct tied *near, const struct tied *far)
{
	uint64_t lost = far->used;

	if (near->base == far->generation && near->base_freed < lost)
		lost = near->base_freed;
	if (far->base == near->generation && far->used + far->base_freed < near->used)
		lost = 0;               /* contradicts itself: damage that has right sums */
	else if (far->base == near->generation && far->used + far->base_freed - near->used < lost)
		lost = far->used + far->base_freed - near->used;
	return lost;
}

enum part { ALL, PLANNED, MUST_STAY };

/* MUST_STAY: what shedding (shed.c) would leave, if everything had to go that may. */
static bool is_part(const struct store *st, const struct kept *k, enum part part)
{
	if (part == ALL || k->g.generation == st->last.generation)
		return true;
	return part == PLANNED ? k->planned : kept_must_stay(st, k);
}

/* The list, or a part of it, as a graph. Returns how many nodes it has. */
static uint32_t ties_make(struct store *st, enum part part)
{
	uint32_t n = 0;

	for (uint32_t i = st->kept_count; i-- > 0;) {
		const struct fmt_generation *g = &st->kept[i].g;
		struct tied *t = &st->ties[n];
		bool here = g->generation == st->last.generation;

		*t = (struct tied){ .generation = g->generation, .used = g->used, .base = g->base, .base_freed = g->base_freed,
				    .dead = g->delta_dead < DEAD_MAX ? g->delta_dead : DEAD_MAX, .root = g->map.root.block,
				    .full = !g->delta.block, .reached = here };
		if (!is_part(st, &st->kept[i], part))
			t->used = TIE_GONE;
		/* Oldest first: its base stands here already, and the base of that is one that stays. */
		for (uint32_t k = 0; k < n; k++)
			if (st->ties[k].generation == t->base && st->ties[k].used == TIE_GONE) {
				t->base_freed += st->ties[k].base_freed;
				t->base = st->ties[k].base;
				break;
			}
		n++;
	}
	return n;
}

static struct tied *base_of(struct tied *t, uint32_t n, const struct tied *of)
{
	for (uint32_t i = 0; i < n; i++)
		if (t[i].generation == of->base && t[i].used != TIE_GONE)
			return &t[i];
	return NULL;
}

/* The dead blocks of `of` were freed between its full generation and it. Are they counted on the ties from it down to one
 * that is as old as that? */
static bool dead_are_counted(struct tied *t, uint32_t n, const struct tied *of)
{
	const struct tied *near = of;

	for (uint32_t i = 0; i < n; i++) {
		const struct tied *base = base_of(t, n, near);

		if (!base || tie_lost(near, base) != near->base_freed)
			return false;
		if (base->root != of->root || base->full)
			return true;
		near = base;
	}
	return false;
}

/* Dead blocks of deltas that are not counted on ties. Those of a generation are dead in each that goes on with its chain,
 * too. `here`: the current state's parent, or NULL. */
static uint64_t held_dead(struct tied *t, uint32_t n, struct tied *here)
{
	uint64_t dead = 0;

	for (; here && !here->line; here = base_of(t, n, here))
		here->line = true;
	for (uint32_t i = 0; i < n; i++) {
		bool counted = t[i].used == TIE_GONE || !t[i].dead;

		for (uint32_t k = 0; k < n && !counted; k++)
			counted = t[k].base == t[i].generation && t[k].used != TIE_GONE && t[k].root == t[i].root && !t[k].full;
		if (!counted && !(t[i].line && dead_are_counted(t, n, &t[i])))
			dead += t[i].dead;
	}
	return dead;
}

/* Blocks that the generations of the list, or of a part, use and the one that the current state is made from does not. */
static uint64_t held_by(struct store *st, enum part part)
{
	uint32_t n = ties_make(st, part);
	struct tied *t = st->ties;
	struct tied *here = NULL;
	uint64_t held;
	bool more = true;

	for (uint32_t i = 0; i < n; i++)
		if (t[i].reached)
			here = &t[i];
	held = held_dead(t, n, here);
	while (more) {
		more = false;
		for (uint32_t far = 0; far < n; far++)
			for (uint32_t near = 0; near < n && !t[far].reached && t[far].used != TIE_GONE; near++) {
				if (!t[near].reached || (t[near].base != t[far].generation &&
							 t[far].base != t[near].generation))
					continue;
				held += tie_lost(&t[near], &t[far]);
				t[far].reached = more = true;
			}
	}
	for (uint32_t i = 0; i < n; i++)
		if (!t[i].reached && t[i].used != TIE_GONE)
			held += t[i].used;
	return held;
}

uint64_t kept_planned_hold(struct store *st)
{
	return held_by(st, PLANNED);
}

void kept_held(struct store *st)
{
	st->held = held_by(st, ALL);
	st->held_fixed = held_by(st, MUST_STAY);
}

/* ---- A commit ---- */

static bool other_roots(const struct store *st, const struct fmt_generation *g)
{
	return g->map.root.block != st->map.root.block &&
	       (g->clients.root.block != st->clients.root.block || !g->clients.root.block);
}

/* Generations with a delta share what a full commit writes anew, the roots to begin with: one lost block of it could
 * take them all. So two more are kept, the full generation they build on (it holds no block that they do not), and the
 * newest one that does not build on it. */
static uint32_t plan(struct store *st, uint32_t most)
{
	uint64_t full = st->delta.mode == DELTA_ON ? st->delta.full : 0;
	uint32_t n = 0, unnamed = 0;

	st->spare_planned = false;
	for (uint32_t i = 0; i < st->kept_count; i++) {
		struct kept *k = &st->kept[i];
		bool due = k->listed && (k->flags & FIXED || (k->flags != FMT_GEN_SPARE && unnamed++ < most));
		bool other = most && other_roots(st, &k->g);

		k->planned = k->listed && n < STORE_KEPT_MAX - 1 &&
			     (due || k->g.generation == full || (other && !st->spare_planned));
		st->spare_planned |= k->planned && other;
		k->g.flags = (k->flags & FIXED) | (k->planned && !due ? FMT_GEN_SPARE : 0);
		n += k->planned;
	}
	return n;
}

uint32_t kept_plan(struct store *st)
{
	uint32_t fixed = kept_fixed(st), most = st->keep - 1, n, room = STORE_KEPT_MAX - 1 - (st->delta.off ? 0 : 2);

	if (fixed + most > room)
		most = fixed < room ? room - fixed : 0;
	n = plan(st, most);
	while (most && space_short(st, held_by(st, PLANNED))) {
		most = n > fixed && n - fixed < most ? n - fixed : most;
		n = plan(st, --most);
	}
	for (uint32_t i = 0; i < st->kept_count; i++) {
		struct kept *k = &st->kept[i];

		memcpy(k->g.name, k->name, sizeof(k->g.name));
	}
	return n;
}

void kept_base(const struct store *st, struct fmt_generation *g)
{
	for (uint32_t i = 0; i < st->kept_count; i++) {
		const struct kept *k = &st->kept[i];

		/* Newest first: a base stands further on. */
		if (k->g.generation != g->base || k->planned)
			continue;
		g->base = k->g.base;
		g->base_freed += k->g.base_freed;
	}
}

uint32_t kept_records(const struct store *st, uint32_t first, struct fmt_generation *out, uint32_t max)
{
	uint32_t at = 0, n = 0;

	for (uint32_t i = 0; i < st->kept_count && n < max; i++) {
		if (!st->kept[i].planned || at++ < first)
			continue;
		out[n] = st->kept[i].g;
		kept_base(st, &out[n++]);
	}
	return n;
}

unsigned kept_named_by(struct store *st, unsigned slot)
{
	unsigned departed = 0;

	for (uint32_t i = st->kept_count; i-- > 0;) {
		struct kept *k = &st->kept[i];

		if (k->planned) {
			k->slots |= (uint8_t)(1u << slot);
			continue;
		}
		if (k->listed && k->flags & FIXED)
			report(st, k, STORE_TOO_MANY, "dropped: more are named and pinned than can be kept");
		k->slots &= (uint8_t)~(1u << slot);
		k->listed &= (k->flags & FIXED) != 0;   /* named since: the other superblock has it, and the next table */
		if (k->slots)
			continue;
		if (departed < k->age + 1u)
			departed = k->age + 1u;
		kept_remove(st, k);
	}
	return departed;
}

void kept_committed(struct store *st, const struct fmt_generation *g, unsigned slot)
{
	/* What kept_base wrote for the reader skips those that are on the list for a while yet. */
	struct fmt_generation own = *g;
	unsigned departed;

	own.base = own.base_freed = 0;
	for (uint32_t i = 0; i < st->kept_count; i++) {
		struct kept *k = &st->kept[i];

		if (k->age < STORE_OLD)
			k->age++;
		if (k->planned && !(k->flags & FIXED))
			k->flags = k->g.flags & FMT_GEN_SPARE;
	}
	departed = kept_named_by(st, slot);
	kept_add(st, &own, slot, true)->age = 0;
	alloc_departed(st, departed);
	kept_held(st);
}

/* ---- Damage ---- */

void kept_bad_map(struct store *st, struct kept *k, uint64_t block)
{
	if (k->bad_map)
		return;
	k->bad_map = block;
	report(st, k, STORE_DAMAGED, "allocation map does not match its checksum: its part of the partition is not used until the generation has gone");
}

bool kept_give_up(struct store *st)
{
	bool any = false;

	for (uint32_t i = 0; i < st->kept_count; i++) {
		struct kept *k = &st->kept[i];

		if (!k->bad_map || !k->listed)
			continue;
		k->listed = false;
		report(st, k, STORE_DAMAGED, "dropped: the room that its damaged allocation map holds up is needed");
		any = true;
	}
	kept_held(st);
	return any;
}

bool store_report(struct store *st, struct store_skipped *out)
{
	if (!st->report_count)
		return false;
	*out = st->reports[0];
	memmove(st->reports, st->reports + 1, --st->report_count * sizeof(*out));
	return true;
}

/* ---- Calls ---- */

static uint32_t generations(const struct store *st, struct store_generation *out, uint32_t max, bool spares)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < st->kept_count; i++) {
		const struct kept *k = &st->kept[i];
		struct store_generation *o = &out[n];

		if (!k->listed || (k->flags == FMT_GEN_SPARE && !spares) || n++ >= max)
			continue;
		o->generation = k->g.generation;
		o->parent = k->g.parent;
		o->boot = k->g.boot;
		o->used = k->g.used;
		o->freed = k->g.freed;
		o->flags = k->flags == FMT_GEN_SPARE ? STORE_GEN_SPARE : k->flags & FIXED;
		memcpy(o->name, k->name, sizeof(o->name));
		memcpy(o->user, k->g.user, sizeof(o->user));
	}
	return n;
}

uint32_t store_generations(const struct store *st, struct store_generation *out, uint32_t max)
{
	return generations(st, out, max, false);
}

uint32_t store_generations_all(const struct store *st, struct store_generation *out, uint32_t max)
{
	return generations(st, out, max, true);
}

int store_keep(struct store *st, uint32_t unnamed)
{
	if (!st->blocks || !unnamed || unnamed > STORE_KEEP_MAX)
		return STORE_EINVAL;
	st->keep = unnamed;
	return STORE_OK;
}

uint32_t store_kept(const struct store *st)
{
	return st->keep;
}

bool name_valid(const char *name)
{
	bool number = true;
	unsigned n;

	for (n = 0; name[n]; n++) {
		char c = name[n];
		bool digit = c >= '0' && c <= '9';

		if (!digit && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '.' && c != '_' && c != '-')
			return false;
		number &= digit;
		if (n == STORE_NAME_BYTES - 1)
			return false;
	}
	return n && !number;
}

/* Zero-padded, so that names can be compared and stored as a whole. */
static void name_copy(char to[STORE_NAME_BYTES], const char *from)
{
	memset(to, 0, STORE_NAME_BYTES);
	for (unsigned i = 0; from[i] && i < STORE_NAME_BYTES - 1; i++)
		to[i] = from[i];
}

struct kept *kept_named(struct store *st, const char *name)
{
	char padded[STORE_NAME_BYTES];

	name_copy(padded, name);
	for (uint32_t i = 0; i < st->kept_count && name_valid(name); i++)
		if (st->kept[i].listed && !memcmp(st->kept[i].name, padded, sizeof(padded)))
			return &st->kept[i];
	return NULL;
}

int store_name(struct store *st, uint64_t generation, const char *name)
{
	struct kept *k = kept_listed(st, generation), *owner;

	if (name && name[0] && !name_valid(name))
		return STORE_EINVAL;
	if (!k || (st->shed_left && !k->planned))
		return STORE_NO_GENERATION;     /* or soon: it is being shed */
	if (!name || !name[0]) {
		memset(k->name, 0, sizeof(k->name));
		k->flags &= ~FMT_GEN_NAMED;
		kept_held(st);
		return STORE_OK;
	}
	owner = kept_named(st, name);
	if (owner && owner != k)
		return STORE_EINVAL;
	if (!(k->flags & FIXED) && kept_fixed(st) >= STORE_FIXED_MAX)
		return STORE_TOO_MANY;
	name_copy(k->name, name);
	k->flags |= FMT_GEN_NAMED;
	kept_held(st);
	return STORE_OK;
}

int store_drop(struct store *st, uint64_t generation)
{
	struct kept *k = kept_listed(st, generation);

	if (!k)
		return STORE_NO_GENERATION;
	if (generation == st->last.generation)
		return STORE_EINVAL;
	k->listed = false;
	kept_held(st);
	return STORE_OK;
}
