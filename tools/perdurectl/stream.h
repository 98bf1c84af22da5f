/* SPDX-License-Identifier: BSD-2-Clause
 * The stream that export writes and import reads. Little-endian. A header; then pages in the order of (client, page
 * number), each a record and, for a page with content, its 4096 bytes; then a record of kind END. An incremental
 * stream has only what differs from its base generation; what is not there any more is a record GONE.
 *
 * `contents` are hashes over the (client, page number, sum) of all pages of a generation (world_hash): import
 * checks the base before it begins, and the result before it commits.
 */
#ifndef STREAM_H
#define STREAM_H

#include <stdint.h>

#define STREAM_MAGIC    0x4d52545344525046ull
#define STREAM_VERSION  1u

struct stream_header {
	uint64_t magic;                 /* STREAM_MAGIC */
	uint32_t version;
	uint32_t header_bytes;          /* of this structure */
	uint8_t  uuid[16];              /* of the store */
	uint64_t generation, parent;
	uint64_t base;                  /* 0: a full stream */
	uint64_t base_contents;
	uint64_t contents;
	uint64_t pages;                 /* of the generation */
	uint64_t boot;                  /* boots so far */
	uint64_t blocks;                /* of the store it comes from */
	uint64_t reserved[3];
	uint8_t  user[256];             /* the checkpoint server's record */
	uint64_t sum;                   /* XXH3-64 of all before */
};
_Static_assert(sizeof(struct stream_header) == 384, "the stream's format is fixed");

enum stream_kind { STREAM_PAGE = 1, STREAM_GONE = 2, STREAM_END = 3 };

struct stream_record {
	uint32_t kind;
	uint32_t client;
	uint64_t vpn;                   /* END: number of records before it */
	uint64_t sum;                   /* PAGE: XXH3-64 of its content; END: of everything since the header */
};
_Static_assert(sizeof(struct stream_record) == 24, "the stream's format is fixed");

#endif
