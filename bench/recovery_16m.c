/* SPDX-License-Identifier: BSD-2-Clause */
#define RECOVERY_PAGES  (16UL << 8)
#include "recovery.h"

const char test_suite[] = "recovery_16m";
