/* SPDX-License-Identifier: BSD-2-Clause
 * One message is kept back at most: `pending`. It goes out when another one is to be kept, or with the next
 * receive.
 */
#include "reply.h"

#include <l4/string.h>

#include <l4/ipc.h>

#include "mem.h"

static struct {
	L4_ThreadId_t to;       /* nil: nothing is kept back */
	L4_Word_t mr[64];
	unsigned count;         /* words, tag included */
} pending;

static void pending_load(void)
{
	L4_LoadMRs(0, (int)pending.count, pending.mr);
}

/* Has the last message not been sent because a page of ours that was to be mapped cannot be read? */
static int item_damaged(void)
{
	return L4_ErrorCode() == L4_IPC_XFER_TIMEOUT_INVOKER << 1;
}

static void damaged_load(void)
{
	L4_LoadMR(0, (L4_Word_t)L4_LABEL_DAMAGED << 20);
}

int reply_flush(void)
{
	int taken;

	if (L4_IsNilThread(pending.to))
		return 0;
	pending_load();
	taken = !L4_IpcFailed(L4_Send_Timeout(pending.to, L4_ZeroTime));
	if (!taken && item_damaged()) {
		damaged_load();
		(void)L4_Send_Timeout(pending.to, L4_ZeroTime);
	}
	pending.to = L4_nilthread;
	return taken;
}

/* Has the last receive ended because nothing came? */
static int nothing_came(void)
{
	return (L4_ErrorCode() & 0xf) == (L4_IPC_TIMEOUT << 1 | 1);
}

int reply_wait(struct message *message, L4_Time_t timeout)
{
	L4_MsgTag_t tag;

	do {
		L4_ThreadId_t to = pending.to;

		if (!L4_IsNilThread(to))
			pending_load();
		pending.to = L4_nilthread;
		tag = L4_Ipc(to, L4_anythread, L4_Timeouts(L4_ZeroTime, timeout), &message->from);
		if (L4_IpcFailed(tag) && item_damaged())
			reply_damaged(to);
		else if (L4_IpcFailed(tag) && nothing_came())
			return 0;
	} while (L4_IpcFailed(tag));    /* the send failed: nobody waits for it; receive */
	message->tag = tag;
	L4_StoreMRs(1, (int)L4_UntypedWords(tag), message->mr + 1);
	return 1;
}

void reply_message(L4_ThreadId_t to, L4_Word_t label, const L4_Word_t *words, unsigned count)
{
	L4_MsgTag_t tag = L4_Niltag;

	(void)reply_flush();
	L4_Set_Label(&tag, label);
	pending.to = to;
	pending.mr[0] = tag.raw | count;
	pending.count = count + 1;
	if (count)
		memcpy(pending.mr + 1, words, count * sizeof *words);
}

void reply_words(L4_ThreadId_t to, long error, const L4_Word_t *words, unsigned count)
{
	reply_message(to, 0, NULL, 0);
	pending.mr[0] = count + 1;
	pending.mr[1] = (L4_Word_t)error;
	pending.count = count + 2;
	if (count)
		memcpy(pending.mr + 2, words, count * sizeof *words);
}

void reply_map(L4_ThreadId_t to, L4_Word_t store_page, L4_Word_t address, L4_Word_t rights)
{
	L4_Fpage_t page = L4_FpageLog2(store_page * MEM_PAGE, 12);
	L4_MapItem_t item;

	L4_Set_Rights(&page, rights);
	item = L4_MapItem(page, address);
	reply_message(to, 0, NULL, 0);
	pending.mr[0] = 2 << 6;         /* two typed words */
	pending.mr[1] = item.raw[0];
	pending.mr[2] = item.raw[1];
	pending.count = 3;
}

void reply_damaged(L4_ThreadId_t to)
{
	reply_message(to, 0, NULL, 0);
	pending.mr[0] = (L4_Word_t)L4_LABEL_DAMAGED << 20;
}
