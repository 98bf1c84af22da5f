/* SPDX-License-Identifier: BSD-2-Clause
 * Seeds of random tests.
 */
#ifndef HOST_TEST_SEED_H
#define HOST_TEST_SEED_H

#include <stdio.h>
#include <stdlib.h>

/* random() begins with SEED=N of the environment, else with this seed. Prints which. */
static inline void seed_random(unsigned usual)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : usual;

	printf("# SEED=%u\n", seed);
	srandom(seed);
}

#endif
