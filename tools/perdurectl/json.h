/* SPDX-License-Identifier: BSD-2-Clause
 * Writes JSON, to the standard output unless said otherwise. Objects and lists nest; a key is NULL inside a list and at the top. Numbers above
 * 2^53 lose digits in some readers, so ids, addresses and sums are strings in hexadecimal.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

void json_to(FILE *f);          /* from now on */
void json_object(const char *key);
void json_list(const char *key);
void json_end(void);            /* of the innermost object or list; after the last a newline follows */
void json_number(const char *key, uint64_t value);
void json_signed(const char *key, int64_t value);
void json_hex(const char *key, uint64_t value);
void json_bool(const char *key, bool value);
void json_string(const char *key, const char *value);   /* NULL: null */

#endif
