/* SPDX-License-Identifier: BSD-2-Clause
 * A program that takes part in checkpoints, as an example (docs/programming.md): it sells tickets by number.
 *
 * Nobody may be given a ticket that a recovery could sell again: so the sale is ordered to be saved, the ticket is
 * printed meanwhile, and handed out only when the order is carried out. What the tickets look like is kept in memory that is
 * not worth saving: after a recovery it is empty, and made anew. A serial number contains the boot number, so it is
 * never used twice, even for a sale that a recovery undid.
 */
#include <l4/ckpt.h>
#include <l4/ipc.h>
#include <l4/schedule.h>
#include <l4/task.h>
#include <l4/term.h>

#define PAUSE_US        200000
#define PICTURE_WORDS   1024
#define SEED            0x9e3779b97f4a7c15UL

static unsigned long sold;              /* lives as long as the disk does */

/* The cache: the number of the boot it was made in, then the picture. A recovery may come between any two instructions, and
 * then all of it is zero; the boot number, read before it is made and compared after it was used, tells. */
static void picture_draw(volatile unsigned long *picture)
{
	unsigned long boot = L4_CheckpointBoot();

	for (unsigned int i = 1; i < PICTURE_WORDS; i++)
		picture[i] = i * SEED;
	picture[0] = boot;
}

static unsigned long picture_sum(volatile unsigned long *picture)
{
	unsigned long sum;

	do {
		if (picture[0] != L4_CheckpointBoot()) {
			L4_TermPrintf("[part] boot=%lu the picture is drawn\n", L4_CheckpointBoot());
			picture_draw(picture);
		}
		sum = 0;
		for (unsigned int i = 1; i < PICTURE_WORDS; i++)
			sum ^= picture[i];
	} while (picture[0] != L4_CheckpointBoot());
	return sum;
}

/* Sell one ticket. */
static void sell(volatile unsigned long *picture)
{
	struct L4_CkptOrder order;
	unsigned long generation, sum;

	sold++;
	if (L4_OrderSave(&sold, sizeof sold, &order) != L4_CKPT_OK)
		return (void)L4_TermPrintf("[part] not for sale: this machine keeps nothing\n");
	sum = picture_sum(picture);             /* the work that goes on meanwhile */
	while (L4_AwaitSave(&order, &generation) != L4_CKPT_OK)
		L4_Sleep(L4_TimePeriod(PAUSE_US));      /* a disk error: nothing is handed out as long as it lasts */
	L4_TermPrintf("[part] ticket=%lu serial=%lu.%lu generation=%lu picture=%lx\n", sold, L4_CheckpointBoot(), sold,
		      generation, sum);
}

int main(int argc, char **argv)
{
	L4_Word_t picture = 0;
	long error = task_map(PICTURE_WORDS * sizeof(unsigned long), L4_RIGHT_R | L4_RIGHT_W | TASK_VOLATILE,
			      &picture);

	if (error != TASK_OK) {
		L4_TermPrintf("%s: no volatile memory, error %ld\n", argc ? argv[0] : "part", error);
		return 1;
	}
	for (;;) {
		sell((volatile unsigned long *)picture);
		L4_Sleep(L4_TimePeriod(PAUSE_US));
	}
}
