/* SPDX-License-Identifier: BSD-2-Clause */
#define RECOVERY_PAGES  (1UL << 18)
#include "recovery.h"

const char test_suite[] = "recovery_1g";
