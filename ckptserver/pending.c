/* SPDX-License-Identifier: BSD-2-Clause
 * The table of waiting clients; see pending.h.
 */
#include "pending.h"

#include <l4/ckpt.h>
#include <l4/message.h>

#include "commit.h"
#include "pagefault.h"
#include "pages.h"
#include "requests.h"
#include "server.h"
#include "travel.h"

#define ENTRIES         4096u
#define FOR_REPLIES     1024u           /* of these nothing else may take: a reply that is lost is a thread that hangs */

static struct pending *table;           /* entry 0 is not used */
static uint16_t free_list, active;
static unsigned used, saves;

bool pending_init(void)
{
	table = server_alloc(ENTRIES * sizeof *table);
	if (!table)
		return false;
	for (unsigned i = ENTRIES - 1; i; i--) {
		table[i].next = free_list;
		free_list = (uint16_t)i;
	}
	return true;
}

unsigned pending_count(void)
{
	return used;
}

bool pending_waits(uint64_t key)
{
	for (uint16_t i = active; i; i = table[i].next)
		if (table[i].kind == PENDING_FAULT && table[i].key == key)
			return true;
	return false;
}

bool pending_saves(void)
{
	return saves;
}

static bool is_save(const struct pending *p)
{
	return p->kind == PENDING_SAVE || p->kind == PENDING_DONE || p->kind == PENDING_STOP;
}

struct pending *pending_add(enum pending_kind kind, L4_ThreadId_t client)
{
	uint16_t i = free_list;

	if (!i || (kind != PENDING_REPLY && used >= ENTRIES - FOR_REPLIES))
		return NULL;
	free_list = table[i].next;
	table[i] = (struct pending){ .client = client, .kind = (uint8_t)kind, .next = active };
	active = i;
	used++;
	saves += is_save(&table[i]);
	return &table[i];
}

/* Takes the entry that *link names out of the active list. */
static void release(uint16_t *link)
{
	uint16_t i = *link;

	*link = table[i].next;
	saves -= is_save(&table[i]);
	used--;
	table[i].kind = PENDING_FREE;
	table[i].next = free_list;
	free_list = i;
}

static enum send_result send_words(L4_ThreadId_t client, uint64_t label, unsigned count, const uint64_t *words)
{
	L4_LoadMR(0, label << 16 | count);
	L4_LoadMRs(1, (int)count, words);
	return server_send(client);
}

void pending_reply(L4_ThreadId_t client, uint64_t label, unsigned count, const uint64_t *words)
{
	struct pending *p;

	if (send_words(client, label, count, words) != SEND_LATER)
		return;
	p = pending_add(PENDING_REPLY, client);
	if (!p)
		return;
	p->label = label;
	p->count = (uint8_t)count;
	for (unsigned i = 0; i < count; i++)
		p->words[i] = words[i];
}

/* Goes through the active list; visit returns true when the entry is done with. Sending asks for objects, which
 * never changes this list. */
static void for_each(bool (*visit)(struct pending *p, void *ctx), void *ctx)
{
	uint16_t *link = &active;

	while (*link) {
		struct pending *p = &table[*link];

		if (visit(p, ctx))
			release(link);
		else
			link = &p->next;
	}
}

struct page_event {
	uint64_t key;
	bool there;
};

static bool visit_page(struct pending *p, void *ctx)
{
	const struct page_event *e = ctx;

	if (p->kind != PENDING_FAULT || p->key != e->key)
		return false;
	if (!e->there)
		return pagefault_damaged(p) != SEND_LATER;
	return pagefault_answer(p) != SEND_LATER;
}

void pending_page(uint64_t key, bool there)
{
	struct page_event e = { key, there };

	if (used)
		for_each(visit_page, &e);
}

/* A save that was committed becomes a reply; a failed one too. */
static bool visit_commit(struct pending *p, void *ctx)
{
	const struct page_event *e = ctx;       /* key: snapshot */
	uint64_t value = p->words[0];

	if (!is_save(p) || (e->there && p->epoch > e->key))
		return false;
	if (e->there && p->kind == PENDING_STOP)
		server_stop((unsigned)p->words[0], p->words[1]);
	saves--;
	if (p->kind != PENDING_DONE)
		value = commit_generation();
	p->kind = PENDING_REPLY;
	p->words[0] = e->there ? L4_CKPT_OK : L4_CKPT_FAILED;
	p->words[1] = commit_boot();
	p->words[2] = value;
	p->count = 3;
	return send_words(p->client, p->label, p->count, p->words) != SEND_LATER;
}

void pending_commit(uint64_t snapshot, bool ok)
{
	struct page_event e = { snapshot, ok };

	if (saves)
		for_each(visit_commit, &e);
}

static bool visit_retry(struct pending *p, void *ctx)
{
	(void)ctx;
	if (p->kind == PENDING_REPLY)
		return send_words(p->client, p->label, p->count, p->words) != SEND_LATER;
	if (p->kind == PENDING_STAT)
		return request_send_stat(p->client) != SEND_LATER;
	if (p->kind == PENDING_LIST)
		return travel_send_list(p->client, p->words[0]) != SEND_LATER;
	if (p->kind == PENDING_FAULT)
		return pagefault_try(p) != SEND_LATER;
	return false;
}

void pending_retry(void)
{
	travel_retry();
	if (used > saves)
		for_each(visit_retry, NULL);
}
