/* SPDX-License-Identifier: BSD-2-Clause
 * Property: whatever a power cut, and a disk with a volatile cache, make of the writes of a commit, of a recovery, or of
 * the recovery after that one, the store comes back with a whole generation not older than the last acknowledged one;
 * whatever else a disk does, nothing wrong is ever read as right. Guards ckptserver/store.
 *
 * This is the bulk: optimized, without sanitizers, one process. store_crash_test.c has some of each with them.
 *
 * Usage: store_states_test [--states N] [--seed S]
 * Prints TAP, and `# crash_states=N`: different disks that were mounted and judged whole.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store_sim.h"
#include "store_states.h"

#define STATES_DEFAULT  120000u

static struct states total;
static unsigned tests, failures;

static void report(bool well, const char *name)
{
	failures += !well;
	printf("%s %u - %s\n", well ? "ok" : "not ok", ++tests, name);
	fflush(stdout);
}

/* Worlds of one kind after the other, until the share of each has been seen. */
static void crash_states(uint64_t seed, uint64_t states)
{
	struct states kind[STATES_KINDS];
	bool well[STATES_KINDS];
	char name[96];

	memset(kind, 0, sizeof(kind));
	for (unsigned k = 0; k < STATES_KINDS; k++) {
		kind[k].budget = 1000;
		well[k] = true;
		for (uint64_t n = 0; well[k] && kind[k].crash_states < states / STATES_KINDS; n++)
			well[k] = states_world(&kind[k], k, seed * 100000 + n);
		snprintf(name, sizeof(name), "crash states: %s", states_kind_names[k]);
		printf("#   %llu worlds, %llu crash states, in recovery %llu, %llu, %llu; %llu fell back, %llu pages read\n",
		       (unsigned long long)kind[k].worlds, (unsigned long long)kind[k].crash_states,
		       (unsigned long long)kind[k].deep[0], (unsigned long long)kind[k].deep[1],
		       (unsigned long long)kind[k].deep[2], (unsigned long long)kind[k].fell_back,
		       (unsigned long long)kind[k].reads);
		report(well[k], name);
		total.crash_states += kind[k].crash_states;
		for (unsigned d = 0; d < 3; d++)
			total.deep[d] += kind[k].deep[d];
	}
	report(total.deep[0] && total.deep[1] && total.deep[2], "crash states: recoveries were cut, three deep");
}

static void faults(uint64_t seed, unsigned worlds)
{
	struct states flips = { 0 }, lies = { 0 }, errors = { 0 };
	bool well = true;

	for (unsigned n = 0; well && n < worlds; n++)
		well = states_flips(&flips, seed * 1000 + n, 1000);
	printf("#   %llu bits flipped, %llu detected\n", (unsigned long long)flips.judgements, (unsigned long long)flips.detected);
	report(well && flips.detected > 100, "faults: every flipped bit is detected, or nobody reads it");

	well = true;
	for (unsigned n = 0; well && n < 40 * worlds; n++)
		well = states_lying_disk(&lies, seed * 10000 + n);
	printf("#   %llu disks, %llu damaged\n", (unsigned long long)lies.judgements, (unsigned long long)lies.detected);
	report(well && lies.detected > 100, "faults: lost flushes, lost and misdirected writes never give wrong data");

	report(states_every_error(&errors, seed + 1, 1, 1), "faults: every operation fails once");
	well = true;
	for (unsigned n = 0; well && n < worlds; n++)
		well = states_recovery_errors(&errors, seed * 1000 + n);
	report(well, "faults: every read of a recovery fails, once and for good");
	well = true;
	for (unsigned room = 0; well && room < 160; room++)
		well = states_full(&errors, seed + room, room);
	report(well, "faults: room ends at every block");
	report(states_memory(&errors, seed), "faults: arenas of every size");
}

int main(int argc, char **argv)
{
	uint64_t seed = 1, states = STATES_DEFAULT;

	for (int i = 1; i < argc; i += 2) {
		uint64_t *to = !strcmp(argv[i], "--states") ? &states : !strcmp(argv[i], "--seed") ? &seed : NULL;
		char *end;

		if (!to || i + 1 == argc || (*to = strtoull(argv[i + 1], &end, 0), *end)) {
			fprintf(stderr, "usage: %s [--states N] [--seed S]\n", argv[0]);
			return 2;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("# seed=%llu\n", (unsigned long long)seed);
	crash_states(seed, states);
	faults(seed, states < STATES_DEFAULT ? 2 : (unsigned)(10 * states / STATES_DEFAULT));
	printf("1..%u\n# crash_states=%llu\n", tests, (unsigned long long)total.crash_states);
	return failures != 0;
}
