/* SPDX-License-Identifier: BSD-2-Clause
 * Generations; see travel.h.
 */
#include "travel.h"

#include <stddef.h>

#include <l4/ckpt.h>
#include <l4/message.h>
#include <l4/print.h>
#include <l4/string.h>

#include "commit.h"
#include "log.h"
#include "pages.h"
#include "pending.h"
#include "snapshot.h"

#define LINE_BYTES      240u
#define DIFF_STEPS      16u             /* pages compared for one request */
#define WORDS(type)     (sizeof(type) / sizeof(uint64_t))

_Static_assert(L4_CKPT_NAME_BYTES == STORE_NAME_BYTES && OPTIONS_NAME_BYTES == STORE_NAME_BYTES, "one length of names");
_Static_assert(L4_CKPT_NAMED == STORE_GEN_NAMED && L4_CKPT_PINNED == STORE_GEN_PINNED && L4_CKPT_SPARE == STORE_GEN_SPARE, "one set of flags");
_Static_assert(L4_CKPT_KEEP_MAX <= STORE_KEEP_MAX && OPTIONS_KEEP_MAX == L4_CKPT_KEEP_MAX, "one limit");

static struct store_generation list[STORE_KEPT_MAX];
static unsigned listed;
static bool unsaved;

static void list_cut(void)
{
	if (listed > STORE_KEPT_MAX)
		listed = STORE_KEPT_MAX;
}

/* Newest first. */
static void list_read(struct store *st)
{
	listed = store_generations(st, list, STORE_KEPT_MAX);
	list_cut();
}

/* The spare ones, too. */
static void list_read_all(struct store *st)
{
	listed = store_generations_all(st, list, STORE_KEPT_MAX);
	list_cut();
}

static const struct store_generation *list_find(uint64_t generation)
{
	for (unsigned i = 0; i < listed; i++)
		if (list[i].generation == generation)
			return &list[i];
	return NULL;
}

/* ---- Which one to go on from ------------------------------------------------------------------------- */

/* The numbers, with the names that there are, in lines that are not too long. */
static void say_list(void)
{
	char line[LINE_BYTES];
	size_t n = 0;

	for (unsigned i = 0; i < listed; i++) {
		const struct store_generation *g = &list[i];

		n += (size_t)snprintf(line + n, sizeof line - n, " %lu%s%s", g->generation, *g->name ? "=" : "", g->name);
		if (n > sizeof line - 64 || i + 1 == listed) {
			log_line("[boot] kept:%s", line);
			n = 0;
		}
	}
	if (!listed)
		log_line("[boot] kept: none");
}

/* That one cannot be had: say why, and what there is. */
static int refuse(struct store *st, struct store_mount *mount, int status)
{
	const struct store_skipped *bad = &mount->skipped[0];

	if (status == STORE_DAMAGED && mount->skipped_count)
		log_error("ckpt.resume=%s: generation %lu is damaged: %s, block %lu", options.resume, bad->generation, bad->why,
			  bad->block);
	else if (status == STORE_TOO_MANY)
		log_error("ckpt.resume=%s: more generations would have to be kept than can be; drop some first", options.resume);
	else
		log_error("ckpt.resume=%s: no such generation is kept", options.resume);
	if (store_mount(st, 0, mount) == STORE_OK) {
		list_read(st);
		say_list();
	}
	return STORE_NO_GENERATION;
}

/* So many before the newest, in the order of the list. */
static int mount_back(struct store *st, struct store_mount *mount)
{
	int status = store_mount(st, 0, mount);

	if (status != STORE_OK || !options.resume_gen)
		return status;
	list_read(st);
	if (options.resume_gen >= listed)
		return STORE_NO_GENERATION;
	return store_mount(st, list[options.resume_gen].generation, mount);
}

int travel_mount(struct store *st, struct store_mount *mount)
{
	int status;

	switch (options.resume_kind) {
	case RESUME_GENERATION:
		status = options.resume_gen ? store_mount(st, options.resume_gen, mount) : STORE_NO_GENERATION;
		break;
	case RESUME_NAME:
		status = store_mount_named(st, options.resume, mount);
		break;
	case RESUME_BACK:
		status = mount_back(st, mount);
		break;
	default:
		return store_mount(st, 0, mount);
	}
	if (status == STORE_NO_GENERATION || status == STORE_EINVAL || status == STORE_DAMAGED || status == STORE_TOO_MANY)
		return refuse(st, mount, status);
	return status;
}

void travel_begin(const struct store_mount *mount)
{
	struct store *st = commit_store();
	unsigned newer = 0;

	if (options.keep)
		store_keep(st, options.keep);
	list_read(st);
	while (newer < listed && list[newer].generation > mount->generation)
		newer++;
	if (newer && options.resume_kind != RESUME_LATEST)
		log_line("[boot] turned-back gen=%lu newest=%lu newer=%u: those stay until they are dropped",
			 mount->generation, list[0].generation, newer);
}

/* ---- Names, drops, how many ---------------------------------------------------------------------------- */

static void changed(void)
{
	unsaved = true;
	snapshot_want();
}

bool travel_unsaved(void)
{
	return unsaved;
}

void travel_snapshot(void)
{
	unsaved = false;
}

uint64_t travel_name(uint64_t *generation, const uint64_t name[4])
{
	const char *text = (const char *)name;
	int status;

	list_read_all(commit_store());
	if (!*generation)
		*generation = commit_generation();
	if (text[STORE_NAME_BYTES - 1] || (*text && !options_name(text)))
		return L4_CKPT_BAD_REQUEST;
	if (!list_find(*generation))
		return L4_CKPT_NOT_KEPT;
	for (unsigned i = 0; i < listed; i++)
		if (*text && list[i].generation != *generation && !strcmp(list[i].name, text))
			return L4_CKPT_NAME_TAKEN;
	status = store_name(commit_store(), *generation, text);
	if (status == STORE_NO_GENERATION)
		return L4_CKPT_NOT_KEPT;
	if (status != STORE_OK)
		return status == STORE_TOO_MANY ? L4_CKPT_TABLE_FULL : L4_CKPT_FAILED;
	changed();
	return L4_CKPT_OK;
}

uint64_t travel_drop(uint64_t first, uint64_t last, uint64_t *dropped)
{
	bool in_use = false;

	*dropped = 0;
	(first == last ? list_read_all : list_read)(commit_store());
	for (unsigned i = 0; i < listed; i++) {
		uint64_t g = list[i].generation;

		if (g < first || g > last)
			continue;
		if (store_drop(commit_store(), g) == STORE_OK)
			++*dropped;
		else
			in_use = true;
	}
	if (!*dropped)
		return in_use ? L4_CKPT_IN_USE : L4_CKPT_NOT_KEPT;
	commit_space_given(true);
	changed();
	return L4_CKPT_OK;
}

uint64_t travel_keep(uint64_t unnamed, uint64_t *before)
{
	*before = store_kept(commit_store());
	if (!unnamed)
		return L4_CKPT_OK;
	if (unnamed > L4_CKPT_KEEP_MAX || store_keep(commit_store(), (uint32_t)unnamed) != STORE_OK)
		return L4_CKPT_BAD_REQUEST;
	changed();
	return L4_CKPT_OK;
}

/* ---- The list -------------------------------------------------------------------------------------------- */

static void describe(const struct store_generation *g, struct L4_CkptGeneration *to)
{
	const struct record *r = (const struct record *)g->user;

	*to = (struct L4_CkptGeneration){
		.generation = g->generation,
		.parent = g->parent,
		.boot = g->boot,
		.clock_us = r->clock_us,
		.wall_s = r->wall_s,
		.blocks = g->used,
		.freed = g->freed,
		.flags = g->flags,
	};
	memcpy(to->name, g->name, sizeof to->name);
}

enum send_result travel_send_list(L4_ThreadId_t client, uint64_t below)
{
	struct L4_CkptGeneration g[L4_CKPT_LIST_MAX];
	unsigned first = 0, n = 0;

	_Static_assert(3 + L4_CKPT_LIST_MAX * WORDS(*g) < L4_NUM_MRS, "fits a message");
	list_read_all(commit_store());
	while (below && first < listed && list[first].generation >= below)
		first++;
	while (n < L4_CKPT_LIST_MAX && first + n < listed) {
		describe(&list[first + n], &g[n]);
		n++;
	}
	L4_LoadMR(0, (uint64_t)L4_CKPT_LIST << 16 | (3 + n * WORDS(*g)));
	L4_LoadMR(1, L4_CKPT_OK);
	L4_LoadMR(2, commit_boot());
	L4_LoadMR(3, listed - first);
	L4_LoadMRs(4, (int)(n * WORDS(*g)), (const uint64_t *)g);
	return server_send(client);
}

uint64_t travel_kept(uint64_t *held)
{
	*held = 0;
	list_read(commit_store());
	for (unsigned i = 0; i < listed; i++)
		*held += (list[i].flags & (STORE_GEN_NAMED | STORE_GEN_PINNED)) != 0;
	return listed;
}

/* ---- Comparing --------------------------------------------------------------------------------------------- */

static struct {
	L4_ThreadId_t client;
	bool busy, answering;           /* somebody's request is under way; … and its answer is to be delivered */
	uint64_t from, to, status;
	unsigned steps, count;
	bool done;
	struct store_op op;
	struct L4_CkptChange change[L4_CKPT_DIFF_MAX];
} diff;

static void diff_answer(void)
{
	unsigned words = diff.count * WORDS(*diff.change);

	_Static_assert(6 + L4_CKPT_DIFF_MAX * WORDS(*diff.change) < L4_NUM_MRS, "fits a message");
	L4_LoadMR(0, (uint64_t)L4_CKPT_DIFF << 16 | (6 + words));
	L4_LoadMR(1, diff.status);
	L4_LoadMR(2, commit_boot());
	L4_LoadMR(3, diff.count);
	L4_LoadMR(4, diff.op.client);
	L4_LoadMR(5, diff.op.vpn);
	L4_LoadMR(6, diff.done);
	L4_LoadMRs(7, (int)words, (const uint64_t *)diff.change);
	diff.answering = server_send(diff.client) == SEND_LATER;
	diff.busy = diff.answering;
}

/* The page that was found joins the last run, or begins one. False: there is no room for it. */
static bool diff_note(void)
{
	const struct store_op *op = &diff.op;
	struct L4_CkptChange *last = diff.count ? &diff.change[diff.count - 1] : NULL;
	uint64_t kind = !op->old_block ? L4_CKPT_ADDED : !op->block ? L4_CKPT_GONE : L4_CKPT_CHANGED;

	if (op->old_block && op->block && op->old_sum == op->sum)
		return true;                    /* written anew with the same content */
	if (last && last->client == op->client && last->kind == kind && last->first + last->pages == op->vpn) {
		last->pages++;
		return true;
	}
	if (diff.count == L4_CKPT_DIFF_MAX)
		return false;
	diff.change[diff.count++] = (struct L4_CkptChange){ op->client, op->vpn, 1, kind };
	return true;
}

static void diff_finish(int status)
{
	diff.done = status == STORE_END;
	diff.status = status == STORE_OK || status == STORE_END ? L4_CKPT_OK :
		      status == STORE_NO_GENERATION ? L4_CKPT_NOT_KEPT :
		      status == STORE_EINVAL ? L4_CKPT_BAD_REQUEST : L4_CKPT_FAILED;
	diff_answer();
}

static void diff_advance(struct store_op *op)
{
	if (++op->vpn < STORE_VPN_END)
		return;
	op->vpn = 0;
	op->client++;
}

/* Takes the result of one store_diff, and makes further ones as long as they need no disk. A page for which there is
 * no room is where the next request goes on. */
static void diff_run(int status)
{
	while (status == STORE_OK && diff_note()) {
		diff_advance(&diff.op);
		if (++diff.steps == DIFF_STEPS)
			break;
		status = store_diff(commit_store(), &diff.op, diff.from, diff.to);
	}
	if (status != STORE_PENDING)
		diff_finish(status);
}

static void diff_found(struct store_op *op)
{
	diff_run(op->status);
}

bool travel_diff(L4_ThreadId_t client, uint64_t from, uint64_t to, uint64_t space, uint64_t page)
{
	if (diff.busy)
		return false;
	diff.busy = true;
	diff.client = client;
	diff.from = from;
	diff.to = to;
	diff.steps = diff.count = 0;
	diff.op.client = space < STORE_CLIENTS ? (uint32_t)space : STORE_CLIENTS;
	diff.op.vpn = page;
	diff.op.done = diff_found;
	diff_run(store_diff(commit_store(), &diff.op, from, to));
	return true;
}

void travel_retry(void)
{
	if (diff.answering)
		diff_answer();
}
