/* SPDX-License-Identifier: BSD-2-Clause
 * queue: a producer and a consumer, two tasks with a ring of items in shared memory. Property: memory that tasks share belongs to the
 * same instant as both tasks: no item is missing, none comes twice, none is torn. A message says that there is something
 * new; it may be missed, for the consumer looks again by itself. */
#include <l4/print.h>
#include "stress.h"

enum { SLOTS = 512, WORDS = 7, SIZE_PAGES = 9, LOOK_US = 3000, FULL_US = 500, BURST = 64 };

struct item { unsigned long number, word[WORDS]; };
struct queue {
	volatile unsigned long head, tail;      /* numbers of the last item put in, and taken out */
	unsigned long pad[510];
	struct item item[SLOTS];
};
_Static_assert(sizeof(struct queue) == SIZE_PAGES * 4096, "pages");

static void name_of(char *text, unsigned long size, L4_Word_t producer)
{
	snprintf(text, size, "queue-%lx", producer);
}

/* a = the producer. */
static void consumer(void)
{
	L4_ThreadId_t producer = { stress_option("a", 0) };
	L4_Word_t address = 0;
	struct queue *q;
	char name[TASK_NAME_MAX];

	name_of(name, sizeof name, producer.raw);
	if (task_share_attach(name, L4_RIGHT_R | L4_RIGHT_W, &address, 0) != TASK_OK)
		stress_fail("part=consumer no shared memory");
	q = (struct queue *)address;
	for (unsigned long number = 1;; number++) {
		const struct item *item = &q->item[number % SLOTS];

		while (q->head < number)
			(void)L4_Receive_Timeout(producer, L4_TimePeriod(LOOK_US));
		if (item->number != number || q->tail != number - 1)
			stress_fail("part=consumer expected=%lu got=%lu tail=%lu head=%lu", number, item->number, q->tail, q->head);
		for (unsigned long i = 0; i < WORDS; i++)
			if (item->word[i] != stress_mix(number, i))
				stress_fail("part=consumer number=%lu word=%lu is 0x%lx", number, i, item->word[i]);
		q->tail = number;
	}
}

static void produce(struct queue *q, unsigned long number)
{
	struct item *item = &q->item[number % SLOTS];

	while (number - q->tail > SLOTS)
		L4_Sleep(L4_TimePeriod(FULL_US));
	if (q->tail >= number || q->head != number - 1)
		stress_fail("part=producer number=%lu tail=%lu head=%lu", number, q->tail, q->head);
	item->number = number;
	for (unsigned long i = 0; i < WORDS; i++)
		item->word[i] = stress_mix(number, i);
	q->head = number;
}

void stress_queue(void)
{
	L4_Word_t address = 0;
	L4_ThreadId_t other;
	char name[TASK_NAME_MAX];
	long error;

	if (stress_role()[0])
		consumer();
	name_of(name, sizeof name, L4_Myself().raw);
	error = task_share_create(name, sizeof(struct queue), L4_RIGHT_R | L4_RIGHT_W, &address);
	if (error != TASK_OK)
		stress_fail("no shared memory, error=%ld", error);
	other = stress_part("consumer", L4_Myself().raw, 0);
	for (unsigned long number = 1;; number++) {
		produce((struct queue *)address, number);
		if (number % (1 + stress_mix(number, 9) % BURST) == 0) {
			L4_Set_MsgTag((L4_MsgTag_t){ 0 });
			(void)L4_Send_Timeout(other, L4_ZeroTime);
		}
		if (number % BURST == 0) {
			stress_round();
			L4_Sleep(L4_TimePeriod(2000));
		}
	}
}
