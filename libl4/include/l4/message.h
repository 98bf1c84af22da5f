/* SPDX-License-Identifier: BSD-2-Clause
 * Messages (X.2 5.1 to 5.5): tags, map, grant and string items, message buffers in memory, acceptors.
 *
 * A message is built in an L4_Msg_t and loaded into the message registers just before it is sent, or
 * stored from them just after it was received: every other use of IPC in between overwrites the
 * registers. The functions do not check for overflow: a message has 64 words with its tag.
 */
#ifndef L4_MESSAGE_H
#define L4_MESSAGE_H

#include <l4/types.h>
#include <l4/amd64/vregs.h>
#include <l4/amd64/specials.h>

#define __L4_NUM_MRS		L4_NUM_MRS
#define __L4_NUM_BRS		L4_NUM_BRS

/* ---- Message tag (5.1): u bits 0..5, t 6..11, flags 12..15, label 16..63 ------------------------- */

typedef union {
	L4_Word_t raw;
	struct {
		L4_Word_t u : 6;
		L4_Word_t t : 6;
		L4_Word_t flags : 4;
		L4_Word_t label : 48;
	} X;
} L4_MsgTag_t;

#define L4_Niltag		__L4_RAW(L4_MsgTag_t, 0UL)

#define __L4_TAG_U		0x3fUL
#define __L4_TAG_T_SHIFT	6
#define __L4_TAG_LABEL_SHIFT	16

L4_INLINE L4_Bool_t L4_IsMsgTagEqual(const L4_MsgTag_t l, const L4_MsgTag_t r)
{
	return l.raw == r.raw;
}

L4_INLINE L4_Bool_t L4_IsMsgTagNotEqual(const L4_MsgTag_t l, const L4_MsgTag_t r)
{
	return l.raw != r.raw;
}

L4_INLINE L4_Word_t L4_Label(L4_MsgTag_t t)
{
	return t.raw >> __L4_TAG_LABEL_SHIFT;
}

L4_INLINE L4_Word_t L4_UntypedWords(L4_MsgTag_t t)
{
	return t.raw & __L4_TAG_U;
}

L4_INLINE L4_Word_t L4_TypedWords(L4_MsgTag_t t)
{
	return (t.raw >> __L4_TAG_T_SHIFT) & __L4_TAG_U;
}

/* Replaces the label (its low 48 bits). */
L4_INLINE void L4_Set_Label(L4_MsgTag_t *t, L4_Word_t label)
{
	t->raw = (t->raw & 0xffffUL) | (label << __L4_TAG_LABEL_SHIFT);
}

L4_INLINE L4_MsgTag_t L4_MsgTagAddLabel(const L4_MsgTag_t t, int label)
{
	L4_MsgTag_t tag = t;

	L4_Set_Label(&tag, (L4_Word_t)label);
	return tag;
}

L4_INLINE L4_MsgTag_t L4_MsgTagAddLabelTo(L4_MsgTag_t *t, int label)
{
	L4_Set_Label(t, (L4_Word_t)label);
	return *t;
}

/* The tag in MR0. */
L4_INLINE L4_MsgTag_t L4_MsgTag(void)
{
	L4_MsgTag_t t;

	L4_StoreMR(0, &t.raw);
	return t;
}

L4_INLINE void L4_Set_MsgTag(L4_MsgTag_t t)
{
	L4_LoadMR(0, t.raw);
}

/* Items are copied and searched as words whatever members they were written through. */
typedef L4_Word_t __attribute__((may_alias)) __L4_ItemWord_t;

L4_INLINE void __L4_CopyWords(void *to, const void *from, L4_Word_t n)
{
	__L4_ItemWord_t *t = (__L4_ItemWord_t *)to;
	const __L4_ItemWord_t *f = (const __L4_ItemWord_t *)from;

	while (n-- > 0)
		*t++ = *f++;
}

/* ---- Map and grant items (5.3): C bit 0, type bits 1..3, base bits 10..63; then the fpage ------------ */

#define __L4_ITEM_C		1UL
#define __L4_ITEM_TYPE_SHIFT	1
#define __L4_ITEM_MAP		4UL
#define __L4_ITEM_GRANT		5UL
#define __L4_ITEM_CTRLXFER	6UL

typedef union {
	L4_Word_t raw[2];
	struct {
		L4_Word_t  C : 1;
		L4_Word_t  __type : 3;
		L4_Word_t  __zeros : 6;
		L4_Word_t  snd_base : 54;
		L4_Fpage_t snd_fpage;
	} X;
} L4_MapItem_t;

typedef union {
	L4_Word_t raw[2];
	struct {
		L4_Word_t  C : 1;
		L4_Word_t  __type : 3;
		L4_Word_t  __zeros : 6;
		L4_Word_t  snd_base : 54;
		L4_Fpage_t snd_fpage;
	} X;
} L4_GrantItem_t;

/* Maps fpage f, with its rights. SndBase is the hot spot: it says which part goes where when f and the
 * receive window differ in size. */
L4_INLINE L4_MapItem_t L4_MapItem(L4_Fpage_t f, L4_Word_t SndBase)
{
	L4_MapItem_t m;

	m.raw[0] = (SndBase & __L4_FPAGE_BASE_MASK) | (__L4_ITEM_MAP << __L4_ITEM_TYPE_SHIFT);
	m.raw[1] = f.raw;
	return m;
}

L4_INLINE L4_Bool_t L4_IsMapItem(L4_MapItem_t m)
{
	return ((m.raw[0] >> __L4_ITEM_TYPE_SHIFT) & 7) == __L4_ITEM_MAP;
}

L4_INLINE L4_Fpage_t L4_MapItemSndFpage(L4_MapItem_t m)
{
	return __L4_RAW(L4_Fpage_t, m.raw[1]);
}

L4_INLINE L4_Word_t L4_MapItemSndBase(L4_MapItem_t m)
{
	return m.raw[0] & __L4_FPAGE_BASE_MASK;
}

/* As L4_MapItem; the sender loses the pages. */
L4_INLINE L4_GrantItem_t L4_GrantItem(L4_Fpage_t f, L4_Word_t SndBase)
{
	L4_GrantItem_t g;

	g.raw[0] = (SndBase & __L4_FPAGE_BASE_MASK) | (__L4_ITEM_GRANT << __L4_ITEM_TYPE_SHIFT);
	g.raw[1] = f.raw;
	return g;
}

L4_INLINE L4_Bool_t L4_IsGrantItem(L4_GrantItem_t g)
{
	return ((g.raw[0] >> __L4_ITEM_TYPE_SHIFT) & 7) == __L4_ITEM_GRANT;
}

L4_INLINE L4_Fpage_t L4_GrantItemSndFpage(L4_GrantItem_t g)
{
	return __L4_RAW(L4_Fpage_t, g.raw[1]);
}

L4_INLINE L4_Word_t L4_GrantItemSndBase(L4_GrantItem_t g)
{
	return g.raw[0] & __L4_FPAGE_BASE_MASK;
}

/* ---- String items (5.4): C bit 0, hint 1..2, type bit 3 clear, j 4..8, c 9, length 10..63 ------------- */

typedef union {
	L4_Word_t raw[2];
	struct {
		L4_Word_t C : 1;
		L4_Word_t __type : 3;
		L4_Word_t j : 5;
		L4_Word_t c : 1;
		L4_Word_t string_length : 54;
		union {
			void *string_ptr;
			void *substring_ptr[1];		/* j + 1 of them */
		} str;
	} X;
} L4_StringItem_t;

#define __L4_STRING_J_SHIFT	4
#define __L4_STRING_c		(1UL << 9)
#define __L4_STRING_LEN_SHIFT	10

/* A simple string of so many bytes. */
L4_INLINE L4_StringItem_t L4_StringItem(int size, void *address)
{
	L4_StringItem_t s;

	s.raw[0] = (L4_Word_t)size << __L4_STRING_LEN_SHIFT;
	s.raw[1] = (L4_Word_t)address;
	return s;
}

L4_INLINE L4_Bool_t L4_IsStringItem(const L4_StringItem_t *s)
{
	return (s->raw[0] & 8) == 0;
}

L4_INLINE L4_Bool_t L4_CompoundString(const L4_StringItem_t *s)
{
	return (s->raw[0] & __L4_STRING_c) != 0;
}

/* Number of substrings of the same length at this item's head: 1..32. */
L4_INLINE L4_Word_t L4_Substrings(const L4_StringItem_t *s)
{
	return ((s->raw[0] >> __L4_STRING_J_SHIFT) & 0x1f) + 1;
}

/* Address of the n-th of them, counted from 1. */
L4_INLINE void *L4_Substring(const L4_StringItem_t *s, L4_Word_t n)
{
	return (void *)((const __L4_ItemWord_t *)s)[n];
}

/* Words of one compound string, from its first header to its last pointer. *last: offset of the last header. */
L4_INLINE L4_Word_t __L4_StringWords(const void *string, L4_Word_t *last)
{
	const __L4_ItemWord_t *w = (const __L4_ItemWord_t *)string;
	L4_Word_t n = 0;

	do {
		*last = n;
		n += 2 + ((w[n] >> __L4_STRING_J_SHIFT) & 0x1f);
	} while (w[*last] & __L4_STRING_c);
	return n;
}

/* Appends the (compound) string substr to the compound string dest, whose memory must have room. Returns where it was put. */
L4_INLINE L4_StringItem_t *L4_AddSubstringTo(L4_StringItem_t *dest, L4_StringItem_t *substr)
{
	__L4_ItemWord_t *w = (__L4_ItemWord_t *)dest;
	L4_Word_t last, unused, n = __L4_StringWords(w, &last);

	w[last] |= __L4_STRING_c;
	__L4_CopyWords(w + n, substr, __L4_StringWords(substr, &unused));
	return (L4_StringItem_t *)(w + n);
}

/* Appends one more substring of the last length. Returns the end of the string. */
L4_INLINE L4_StringItem_t *L4_AddSubstringAddressTo(L4_StringItem_t *dest, void *substring_addr)
{
	__L4_ItemWord_t *w = (__L4_ItemWord_t *)dest;
	L4_Word_t last, n = __L4_StringWords(w, &last);

	w[last] += 1UL << __L4_STRING_J_SHIFT;
	w[n] = (L4_Word_t)substring_addr;
	return (L4_StringItem_t *)(w + n + 1);
}

typedef struct {
	L4_Word_t raw;
} L4_CacheAllocationHint_t;

#define L4_UseDefaultCacheAllocation	__L4_RAW(L4_CacheAllocationHint_t, 0UL)
#define __L4_HINT_MASK			6UL

L4_INLINE L4_CacheAllocationHint_t L4_CacheAllocationHint(const L4_StringItem_t s)
{
	return __L4_RAW(L4_CacheAllocationHint_t, s.raw[0] & __L4_HINT_MASK);
}

L4_INLINE L4_Bool_t L4_IsCacheAllocationHintEqual(const L4_CacheAllocationHint_t l, const L4_CacheAllocationHint_t r)
{
	return (l.raw & __L4_HINT_MASK) == (r.raw & __L4_HINT_MASK);
}

L4_INLINE L4_Bool_t L4_IsCacheAllocationHintNotEqual(const L4_CacheAllocationHint_t l, const L4_CacheAllocationHint_t r)
{
	return (l.raw & __L4_HINT_MASK) != (r.raw & __L4_HINT_MASK);
}

L4_INLINE L4_StringItem_t L4_AddCacheAllocationHint(const L4_StringItem_t dest, const L4_CacheAllocationHint_t h)
{
	L4_StringItem_t s = dest;

	s.raw[0] |= h.raw & __L4_HINT_MASK;
	return s;
}

L4_INLINE L4_StringItem_t L4_AddCacheAllocationHintTo(L4_StringItem_t *dest, const L4_CacheAllocationHint_t h)
{
	return *dest = L4_AddCacheAllocationHint(*dest, h);
}

/* ---- Messages in memory -------------------------------------------------------------------------------- */

typedef union {
	L4_Word_t   raw[__L4_NUM_MRS];
	L4_Word_t   msg[__L4_NUM_MRS];
	L4_MsgTag_t tag;
} L4_Msg_t;

L4_INLINE L4_Word_t __L4_MsgU(const L4_Msg_t *msg)
{
	return msg->raw[0] & __L4_TAG_U;
}

L4_INLINE L4_Word_t __L4_MsgT(const L4_Msg_t *msg)
{
	return (msg->raw[0] >> __L4_TAG_T_SHIFT) & __L4_TAG_U;
}

/* Makes a message of u untyped words and t words of items. */
L4_INLINE void L4_MsgPut(L4_Msg_t *msg, L4_Word_t label, int u, const L4_Word_t *Untyped, int t, const void *Items)
{
	__L4_CopyWords(&msg->raw[1], Untyped, (L4_Word_t)u);
	__L4_CopyWords(&msg->raw[1 + u], Items, (L4_Word_t)t);
	msg->raw[0] = (label << __L4_TAG_LABEL_SHIFT) | ((L4_Word_t)t << __L4_TAG_T_SHIFT) | (L4_Word_t)u;
}

/* Takes a message apart; the arrays must have room for all its words. */
L4_INLINE void L4_MsgGet(const L4_Msg_t *msg, L4_Word_t *Untyped, void *Items)
{
	L4_Word_t u = __L4_MsgU(msg);

	__L4_CopyWords(Untyped, &msg->raw[1], u);
	__L4_CopyWords(Items, &msg->raw[1 + u], __L4_MsgT(msg));
}

L4_INLINE L4_MsgTag_t L4_MsgMsgTag(const L4_Msg_t *msg)
{
	return msg->tag;
}

L4_INLINE void L4_Set_MsgMsgTag(L4_Msg_t *msg, L4_MsgTag_t t)
{
	msg->tag = t;
}

L4_INLINE L4_Word_t L4_MsgLabel(const L4_Msg_t *msg)
{
	return L4_Label(msg->tag);
}

L4_INLINE void L4_Set_MsgLabel(L4_Msg_t *msg, L4_Word_t label)
{
	L4_Set_Label(&msg->tag, label);
}

/* Copies the message to the message registers. */
L4_INLINE void L4_MsgLoad(const L4_Msg_t *msg)
{
	L4_LoadMRs(0, (int)(__L4_MsgU(msg) + __L4_MsgT(msg) + 1), &msg->raw[0]);
}

/* Copies a received message, whose tag is t, from the message registers. */
L4_INLINE void L4_MsgStore(L4_MsgTag_t t, L4_Msg_t *msg)
{
	L4_StoreMRs(1, (int)(L4_UntypedWords(t) + L4_TypedWords(t)), &msg->raw[1]);
	msg->tag = t;
}

L4_INLINE void L4_MsgClear(L4_Msg_t *msg)
{
	msg->raw[0] = 0;
}

/* Appends an untyped word; typed items already there move up. */
L4_INLINE void L4_MsgAppendWord(L4_Msg_t *msg, L4_Word_t w)
{
	L4_Word_t u = __L4_MsgU(msg), i;

	for (i = u + __L4_MsgT(msg); i > u; i--)
		msg->raw[i + 1] = msg->raw[i];
	msg->raw[u + 1] = w;
	msg->raw[0]++;
}

L4_INLINE void __L4_MsgAppendItem(L4_Msg_t *msg, const void *item, L4_Word_t words)
{
	__L4_CopyWords(&msg->raw[1 + __L4_MsgU(msg) + __L4_MsgT(msg)], item, words);
	msg->raw[0] += words << __L4_TAG_T_SHIFT;
}

L4_INLINE void L4_MsgAppendMapItem(L4_Msg_t *msg, L4_MapItem_t m)
{
	__L4_MsgAppendItem(msg, m.raw, 2);
}

L4_INLINE void L4_MsgAppendGrantItem(L4_Msg_t *msg, L4_GrantItem_t g)
{
	__L4_MsgAppendItem(msg, g.raw, 2);
}

L4_INLINE L4_StringItem_t __L4_SimpleString(L4_StringItem_t s)
{
	s.raw[0] &= ~(__L4_STRING_c | (0x1fUL << __L4_STRING_J_SHIFT));
	return s;
}

L4_INLINE void L4_MsgAppendSimpleStringItem(L4_Msg_t *msg, L4_StringItem_t s)
{
	s = __L4_SimpleString(s);
	__L4_MsgAppendItem(msg, s.raw, 2);
}

/* Appends a compound string. */
L4_INLINE void L4_MsgAppendStringItem(L4_Msg_t *msg, L4_StringItem_t *s)
{
	L4_Word_t last;

	__L4_MsgAppendItem(msg, s, __L4_StringWords(s, &last));
}

/* The Put functions replace: untyped word u (from 0), or the item at typed word t (from 0). */
L4_INLINE void L4_MsgPutWord(L4_Msg_t *msg, L4_Word_t u, L4_Word_t w)
{
	msg->raw[u + 1] = w;
}

L4_INLINE void L4_MsgPutMapItem(L4_Msg_t *msg, L4_Word_t t, L4_MapItem_t m)
{
	__L4_CopyWords(&msg->raw[1 + __L4_MsgU(msg) + t], m.raw, 2);
}

L4_INLINE void L4_MsgPutGrantItem(L4_Msg_t *msg, L4_Word_t t, L4_GrantItem_t g)
{
	__L4_CopyWords(&msg->raw[1 + __L4_MsgU(msg) + t], g.raw, 2);
}

L4_INLINE void L4_MsgPutSimpleStringItem(L4_Msg_t *msg, L4_Word_t t, L4_StringItem_t s)
{
	s = __L4_SimpleString(s);
	__L4_CopyWords(&msg->raw[1 + __L4_MsgU(msg) + t], s.raw, 2);
}

L4_INLINE void L4_MsgPutStringItem(L4_Msg_t *msg, L4_Word_t t, L4_StringItem_t *s)
{
	L4_Word_t last;

	__L4_CopyWords(&msg->raw[1 + __L4_MsgU(msg) + t], s,
		       __L4_StringWords(s, &last));
}

/* The Get functions read, in the same way; those for items return the item's size in words. */
L4_INLINE L4_Word_t L4_MsgWord(const L4_Msg_t *msg, L4_Word_t u)
{
	return msg->raw[u + 1];
}

L4_INLINE void L4_MsgGetWord(const L4_Msg_t *msg, L4_Word_t u, L4_Word_t *w)
{
	*w = msg->raw[u + 1];
}

L4_INLINE L4_Word_t L4_MsgGetMapItem(const L4_Msg_t *msg, L4_Word_t t, L4_MapItem_t *m)
{
	__L4_CopyWords(m->raw, &msg->raw[1 + __L4_MsgU(msg) + t], 2);
	return 2;
}

L4_INLINE L4_Word_t L4_MsgGetGrantItem(const L4_Msg_t *msg, L4_Word_t t, L4_GrantItem_t *g)
{
	__L4_CopyWords(g->raw, &msg->raw[1 + __L4_MsgU(msg) + t], 2);
	return 2;
}

/* s must have room for the whole compound string. */
L4_INLINE L4_Word_t L4_MsgGetStringItem(const L4_Msg_t *msg, L4_Word_t t, L4_StringItem_t *s)
{
	const L4_Word_t *w = &msg->raw[1 + __L4_MsgU(msg) + t];
	L4_Word_t last, n = __L4_StringWords(w, &last);

	__L4_CopyWords(s, w, n);
	return n;
}

/* ---- Acceptors and buffer registers (5.5) -------------------------------------------------------------- */

typedef union {
	L4_Word_t raw;
	struct {
		L4_Word_t s : 1;
		L4_Word_t c : 1;
		L4_Word_t __zeros : 2;
		L4_Word_t RcvWindow : 60;
	} X;
} L4_Acceptor_t;

typedef union {
	L4_Word_t	raw[__L4_NUM_BRS - 1];
	L4_StringItem_t	string[1];
} L4_MsgBuffer_t;

#define __L4_ACCEPT_STRINGS	1UL
#define __L4_ACCEPT_CTRLXFER	2UL
#define __L4_ACCEPT_WINDOW	(~0xfUL)

#define L4_UntypedWordsAcceptor	__L4_RAW(L4_Acceptor_t, 0UL)
#define L4_StringItemsAcceptor	__L4_RAW(L4_Acceptor_t, __L4_ACCEPT_STRINGS)
#define L4_CtrlXferAcceptor	__L4_RAW(L4_Acceptor_t, __L4_ACCEPT_CTRLXFER)

/* Accepts map and grant items inside the window. */
L4_INLINE L4_Acceptor_t L4_MapGrantItems(L4_Fpage_t RcvWindow)
{
	return __L4_RAW(L4_Acceptor_t, RcvWindow.raw & __L4_ACCEPT_WINDOW);
}

/* Accepts what either accepts; r's window counts if both have one. */
L4_INLINE L4_Acceptor_t L4_AddAcceptor(const L4_Acceptor_t l, const L4_Acceptor_t r)
{
	L4_Word_t window = (r.raw & __L4_ACCEPT_WINDOW) ? r.raw : l.raw;

	return __L4_RAW(L4_Acceptor_t, (window & __L4_ACCEPT_WINDOW) | ((l.raw | r.raw) & ~__L4_ACCEPT_WINDOW));
}

/* The manual gives the accumulating forms by value; the result is what counts. */
L4_INLINE L4_Acceptor_t L4_AddAcceptorTo(L4_Acceptor_t l, const L4_Acceptor_t r)
{
	return L4_AddAcceptor(l, r);
}

L4_INLINE L4_Acceptor_t L4_RemoveAcceptor(const L4_Acceptor_t l, const L4_Acceptor_t r)
{
	L4_Acceptor_t a = __L4_RAW(L4_Acceptor_t, l.raw & ~(r.raw & ~__L4_ACCEPT_WINDOW));

	if (r.raw & __L4_ACCEPT_WINDOW)
		a.raw &= ~__L4_ACCEPT_WINDOW;
	return a;
}

L4_INLINE L4_Acceptor_t L4_RemoveAcceptorFrom(L4_Acceptor_t l, const L4_Acceptor_t r)
{
	return L4_RemoveAcceptor(l, r);
}

L4_INLINE L4_Bool_t L4_HasStringItems(const L4_Acceptor_t a)
{
	return (a.raw & __L4_ACCEPT_STRINGS) != 0;
}

L4_INLINE L4_Bool_t L4_HasMapGrantItems(const L4_Acceptor_t a)
{
	return (a.raw & __L4_ACCEPT_WINDOW) != 0;
}

L4_INLINE L4_Fpage_t L4_RcvWindow(const L4_Acceptor_t a)
{
	return __L4_RAW(L4_Fpage_t, a.raw & __L4_ACCEPT_WINDOW);
}

/* Sets BR0: what the next receive operations take. It stays in force until changed. */
L4_INLINE void L4_Accept(const L4_Acceptor_t a)
{
	L4_LoadBR(0, a.raw);
}

/* Number of words of all strings of a message buffer. */
L4_INLINE L4_Word_t __L4_MsgBufferWords(const L4_MsgBuffer_t *b, L4_Word_t *last_string)
{
	L4_Word_t n = 0, last;

	do {
		*last_string = n;
		n += __L4_StringWords(&b->raw[n], &last);
	} while (b->raw[*last_string] & __L4_ITEM_C);
	return n;
}

/* As L4_Accept, with buffers for received strings: sets BR0 and BR1 onwards. */
L4_INLINE void L4_AcceptStrings(const L4_Acceptor_t a, const L4_MsgBuffer_t *b)
{
	L4_Word_t last;

	L4_LoadBR(0, a.raw);
	L4_LoadBRs(1, (int)__L4_MsgBufferWords(b, &last), b->raw);
}

L4_INLINE L4_Acceptor_t L4_Accepted(void)
{
	L4_Acceptor_t a;

	L4_StoreBR(0, &a.raw);
	return a;
}

L4_INLINE void L4_MsgBufferClear(L4_MsgBuffer_t *b)
{
	b->raw[0] = 0;
	b->raw[1] = 0;
}

/* Appends a buffer for one more (compound) string. */
L4_INLINE void L4_MsgBufferAppendRcvString(L4_MsgBuffer_t *b, L4_StringItem_t *s)
{
	L4_Word_t at = 0, words, last;

	if (b->raw[0] || b->raw[1]) {
		at = __L4_MsgBufferWords(b, &last);
		b->raw[last] |= __L4_ITEM_C;
	}
	words = __L4_StringWords(s, &last);
	__L4_CopyWords(&b->raw[at], s, words);
	b->raw[at] &= ~__L4_ITEM_C;
}

L4_INLINE void L4_MsgBufferAppendSimpleRcvString(L4_MsgBuffer_t *b, L4_StringItem_t s)
{
	s = __L4_SimpleString(s);
	L4_MsgBufferAppendRcvString(b, &s);
}

/* ---- C++ operators and overloads, by the manual's names ------------------------------------------------ */
#ifdef __cplusplus

static inline L4_Bool_t operator==(const L4_MsgTag_t &l, const L4_MsgTag_t &r) { return l.raw == r.raw; }
static inline L4_Bool_t operator!=(const L4_MsgTag_t &l, const L4_MsgTag_t &r) { return l.raw != r.raw; }
static inline L4_MsgTag_t operator+(const L4_MsgTag_t &t, int label) { return L4_MsgTagAddLabel(t, label); }
static inline L4_MsgTag_t operator+=(L4_MsgTag_t &t, int label) { return L4_MsgTagAddLabelTo(&t, label); }

L4_INLINE L4_Bool_t L4_MapItem(L4_MapItem_t m) { return L4_IsMapItem(m); }
L4_INLINE L4_Fpage_t L4_SndFpage(L4_MapItem_t m) { return L4_MapItemSndFpage(m); }
L4_INLINE L4_Word_t L4_SndBase(L4_MapItem_t m) { return L4_MapItemSndBase(m); }
L4_INLINE L4_Bool_t L4_GrantItem(L4_GrantItem_t g) { return L4_IsGrantItem(g); }
L4_INLINE L4_Fpage_t L4_SndFpage(L4_GrantItem_t g) { return L4_GrantItemSndFpage(g); }
L4_INLINE L4_Word_t L4_SndBase(L4_GrantItem_t g) { return L4_GrantItemSndBase(g); }

L4_INLINE L4_Bool_t L4_StringItem(L4_StringItem_t *s) { return L4_IsStringItem(s); }
static inline L4_StringItem_t *operator+=(L4_StringItem_t &dest, L4_StringItem_t &substring)
{
	(void)L4_AddSubstringTo(&dest, &substring);
	return &dest;
}
static inline L4_StringItem_t *operator+=(L4_StringItem_t &dest, const L4_StringItem_t &temporary)
{
	L4_StringItem_t substring = temporary;

	substring.raw[0] &= ~__L4_STRING_c;
	(void)L4_AddSubstringTo(&dest, &substring);
	return &dest;
}
static inline L4_StringItem_t *operator+=(L4_StringItem_t &dest, void *substring_addr)
{
	(void)L4_AddSubstringAddressTo(&dest, substring_addr);
	return &dest;
}

static inline L4_Bool_t operator==(const L4_CacheAllocationHint_t &l, const L4_CacheAllocationHint_t &r) { return L4_IsCacheAllocationHintEqual(l, r); }
static inline L4_Bool_t operator!=(const L4_CacheAllocationHint_t &l, const L4_CacheAllocationHint_t &r) { return L4_IsCacheAllocationHintNotEqual(l, r); }
static inline L4_StringItem_t operator+(const L4_StringItem_t &dest, const L4_CacheAllocationHint_t &h) { return L4_AddCacheAllocationHint(dest, h); }
static inline L4_StringItem_t operator+=(L4_StringItem_t &dest, const L4_CacheAllocationHint_t &h) { return L4_AddCacheAllocationHintTo(&dest, h); }

L4_INLINE void L4_Put(L4_Msg_t *msg, L4_Word_t label, int u, const L4_Word_t *Untyped, int t, const void *Items) { L4_MsgPut(msg, label, u, Untyped, t, Items); }
L4_INLINE void L4_Get(const L4_Msg_t *msg, L4_Word_t *Untyped, void *Items) { L4_MsgGet(msg, Untyped, Items); }
L4_INLINE L4_MsgTag_t L4_MsgTag(const L4_Msg_t *msg) { return L4_MsgMsgTag(msg); }
L4_INLINE void L4_Set_MsgTag(L4_Msg_t *msg, L4_MsgTag_t t) { L4_Set_MsgMsgTag(msg, t); }
L4_INLINE L4_Word_t L4_Label(const L4_Msg_t *msg) { return L4_MsgLabel(msg); }
L4_INLINE void L4_Set_Label(L4_Msg_t *msg, L4_Word_t label) { L4_Set_MsgLabel(msg, label); }
L4_INLINE void L4_Load(const L4_Msg_t *msg) { L4_MsgLoad(msg); }
L4_INLINE void L4_Store(L4_MsgTag_t t, L4_Msg_t *msg) { L4_MsgStore(t, msg); }
L4_INLINE void L4_Clear(L4_Msg_t *msg) { L4_MsgClear(msg); }
L4_INLINE void L4_Append(L4_Msg_t *msg, L4_Word_t w) { L4_MsgAppendWord(msg, w); }
L4_INLINE void L4_Append(L4_Msg_t *msg, int w) { L4_MsgAppendWord(msg, (L4_Word_t)w); }
L4_INLINE void L4_Append(L4_Msg_t *msg, L4_MapItem_t m) { L4_MsgAppendMapItem(msg, m); }
L4_INLINE void L4_Append(L4_Msg_t *msg, L4_GrantItem_t g) { L4_MsgAppendGrantItem(msg, g); }
L4_INLINE void L4_Append(L4_Msg_t *msg, L4_StringItem_t s) { L4_MsgAppendSimpleStringItem(msg, s); }
L4_INLINE void L4_Append(L4_Msg_t *msg, L4_StringItem_t *s) { L4_MsgAppendStringItem(msg, s); }
L4_INLINE void L4_Put(L4_Msg_t *msg, L4_Word_t u, L4_Word_t w) { L4_MsgPutWord(msg, u, w); }
L4_INLINE void L4_Put(L4_Msg_t *msg, L4_Word_t t, L4_MapItem_t m) { L4_MsgPutMapItem(msg, t, m); }
L4_INLINE void L4_Put(L4_Msg_t *msg, L4_Word_t t, L4_GrantItem_t g) { L4_MsgPutGrantItem(msg, t, g); }
L4_INLINE void L4_Put(L4_Msg_t *msg, L4_Word_t t, L4_StringItem_t s) { L4_MsgPutSimpleStringItem(msg, t, s); }
L4_INLINE void L4_Put(L4_Msg_t *msg, L4_Word_t t, L4_StringItem_t *s) { L4_MsgPutStringItem(msg, t, s); }
L4_INLINE L4_Word_t L4_Get(const L4_Msg_t *msg, L4_Word_t u) { return L4_MsgWord(msg, u); }
L4_INLINE void L4_Get(const L4_Msg_t *msg, L4_Word_t u, L4_Word_t *w) { L4_MsgGetWord(msg, u, w); }
L4_INLINE L4_Word_t L4_Get(const L4_Msg_t *msg, L4_Word_t t, L4_MapItem_t *m) { return L4_MsgGetMapItem(msg, t, m); }
L4_INLINE L4_Word_t L4_Get(const L4_Msg_t *msg, L4_Word_t t, L4_GrantItem_t *g) { return L4_MsgGetGrantItem(msg, t, g); }
L4_INLINE L4_Word_t L4_Get(const L4_Msg_t *msg, L4_Word_t t, L4_StringItem_t *s) { return L4_MsgGetStringItem(msg, t, s); }

static inline L4_Acceptor_t operator+(const L4_Acceptor_t &l, const L4_Acceptor_t &r) { return L4_AddAcceptor(l, r); }
static inline L4_Acceptor_t operator+=(L4_Acceptor_t &l, const L4_Acceptor_t &r) { return l = L4_AddAcceptor(l, r); }
static inline L4_Acceptor_t operator-(const L4_Acceptor_t &l, const L4_Acceptor_t &r) { return L4_RemoveAcceptor(l, r); }
static inline L4_Acceptor_t operator-=(L4_Acceptor_t &l, const L4_Acceptor_t &r) { return l = L4_RemoveAcceptor(l, r); }
L4_INLINE L4_Bool_t L4_StringItems(const L4_Acceptor_t a) { return L4_HasStringItems(a); }
L4_INLINE L4_Bool_t L4_MapGrantItems(const L4_Acceptor_t a) { return L4_HasMapGrantItems(a); }
L4_INLINE void L4_Accept(const L4_Acceptor_t a, const L4_MsgBuffer_t *b) { L4_AcceptStrings(a, b); }
L4_INLINE void L4_Clear(L4_MsgBuffer_t *b) { L4_MsgBufferClear(b); }
L4_INLINE void L4_Append(L4_MsgBuffer_t *b, L4_StringItem_t s) { L4_MsgBufferAppendSimpleRcvString(b, s); }
L4_INLINE void L4_Append(L4_MsgBuffer_t *b, L4_StringItem_t *s) { L4_MsgBufferAppendRcvString(b, s); }

#endif
#endif
