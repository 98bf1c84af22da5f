/* SPDX-License-Identifier: BSD-2-Clause
 * The on-disk format of the checkpoint store: the only statement of it in code (docs/on-disk-format.md
 * explains it byte by byte). Version 1.
 *
 * Everything is little-endian, in blocks of 4 KiB numbered from the start of the partition. Bytes called
 * reserved are written as zero and ignored when read, unless the text says otherwise: what must not
 * be ignored gets a bit in features_incompat, and whoever does not know that bit refuses the store.
 * Numbers and bits never change their meaning and are never used again.
 *
 * Fixed blocks (0 .. FMT_DATA_START-1; all others of them are reserved and zero):
 *       8  superblock slot 0          12  boot counter, copy 0
 *      24  superblock slot 1          28  boot counter, copy 1
 */
#ifndef STORE_FORMAT_H
#define STORE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the store is little-endian on disk and in memory"
#endif

#define FMT_VERSION             1u
#define FMT_BLOCK               4096u
#define FMT_DATA_START          32u             /* first block that can be allocated */
#define FMT_SUPER_BLOCK(slot)   (8u + 16u * (slot))
#define FMT_BOOT_BLOCK(copy)    (12u + 16u * (copy))

#define FMT_SUPER_MAGIC         0x5245505553445250ull   /* "PRDSUPER" */
#define FMT_BOOT_MAGIC          0x53544f4f42445250ull   /* "PRDBOOTS" */
#define FMT_GENS_MAGIC          0x42544e4547445250ull   /* "PRDGENTB" */
#define FMT_DELTA_MAGIC         0x41544c4544445250ull   /* "PRDDELTA" */

/* Reference to a block: where it is and the XXH3-64 (seed 0) of all its 4096 bytes. Block 0: a hole, i.e.
 * all zeros; its sum is 0. The upper 16 bits of `block` are flags; a reference with one set leads to
 * nothing that can be used. */
struct fmt_ref {
	uint64_t block;
	uint64_t sum;
};
#define FMT_BLOCK_MASK          0x0000ffffffffffffull
/* What the reference led to is lost with the damaged block it names: to look for it is an error, never a hole. */
#define FMT_REF_LOST            (1ull << 63)

/* Radix tree over page numbers. Height 0: root refers to page 0 itself. Height h: root refers to a node of
 * 256 references, of which entry i leads to the tree of height h-1 with the pages i*256^(h-1) ... */
#define FMT_FANOUT              256u
#define FMT_FANOUT_BITS         8u
#define FMT_MAX_HEIGHT          5u
struct fmt_tree {
	struct fmt_ref root;
	uint64_t pages;                 /* pages that exist in it */
	uint8_t  height;                /* 0 .. FMT_MAX_HEIGHT */
	uint8_t  flags;                 /* FMT_TREE_LOST, FMT_TREE_BOUND */
	uint8_t  reserved[6];
};

/* FMT_TREE_LOST: something of the tree is lost: `pages`, and the generation's index_blocks, are upper bounds.
 * FMT_TREE_BOUND: `pages` is one, for subtrees were cut off. */
#define FMT_TREE_LOST           1u
#define FMT_TREE_BOUND          2u

struct fmt_node {
	struct fmt_ref entry[FMT_FANOUT];
};

/* Client directory: a tree; its page p holds the records of clients 64 p .. 64 p + 63. Clients 65536 .. 65599 are
 * trash: subtrees that were cut off from others and have to be freed. */
struct fmt_client {
	struct fmt_tree tree;           /* the client's pages */
	uint64_t flags;                 /* bit 0: exists */
	uint64_t limit_pages;           /* 0: no limit. Of trash: the client it was cut from */
	struct fmt_ref volatiles;       /* reserved: table of ranges that are zero after recovery */
};
#define FMT_CLIENT_EXISTS       1u
#define FMT_CLIENTS_PER_PAGE    (FMT_BLOCK / sizeof(struct fmt_client))

/* Allocation map: a tree; bit b of byte a of its page p stands for block 32768 p + 8 a + b. 1: this generation
 * uses the block. A page that is a hole is all 0. The fixed blocks are not in the map. */
#define FMT_MAP_BITS            (FMT_BLOCK * 8u)
#define FMT_MAP_SHIFT           15u

/* All that is needed to go on from a generation. */
struct fmt_generation {
	uint64_t generation;            /* its number, from 1; 0 in a store nothing was committed to */
	uint64_t parent;                /* the generation it was made from */
	uint64_t boot;                  /* number of the boot in which it was committed */
	uint32_t flags;                 /* FMT_GEN_NAMED, FMT_GEN_PINNED */
	uint32_t delta_count;           /* pages and blocks its delta speaks of */
	struct fmt_tree clients;
	struct fmt_tree map;
	uint64_t used;                  /* bits set in the map, and blocks its delta takes beside them */
	uint64_t freed;                 /* blocks of the parent that it does not use (an upper bound) */
	uint64_t index_blocks;          /* nodes and pages of the directory, nodes of the clients' trees */
	struct fmt_ref delta;           /* newest block of its delta; hole: it is a full generation */
	char     name[32];              /* of a named generation, zero-padded */
	uint8_t  state_hash[16];        /* sum over all pages (state.c), 0: not known */
	struct fmt_ref table;           /* its generation table; hole: no other generation was kept */
	uint64_t base;                  /* nearest ancestor that is kept as well; 0: `parent` and `freed` say it all */
	uint64_t base_freed;            /* blocks of `base` that this generation does not use (an upper bound) */
	uint64_t delta_dead;            /* blocks that records of its chain name and it does not use; 0 in old stores */
	uint8_t  reserved[16];
	uint64_t delta_low, delta_high; /* the blocks its delta takes are all low <= b < high */
	uint8_t  user[256];             /* the caller's record */
};
#define FMT_GEN_NAMED           1u      /* has a name, and is kept until it is dropped or loses the name */
#define FMT_GEN_PINNED          2u      /* an older one was resumed: kept until it is dropped */
#define FMT_GEN_SPARE           4u      /* kept only in case a block is lost that those with deltas share */

/* Superblock. `magic` to `features_incompat` keep their places in all versions. The sum is the XXH3-64
 * of the block with `sum` as zero. All of a superblock of generation 0 that is not zero lies in its
 * first 512 bytes, so that formatting is a single sector's write. */
struct fmt_super {
	uint64_t magic;                 /* FMT_SUPER_MAGIC */
	uint32_t version;               /* FMT_VERSION */
	uint32_t slot;                  /* 0 or 1: where it was meant to go */
	uint64_t sum;
	uint8_t  uuid[16];
	uint64_t blocks;                /* of the partition when it was formatted: what the store uses */
	uint32_t block_size;            /* FMT_BLOCK */
	uint32_t kept;                  /* generations kept beside this one: records in the table */
	uint64_t generation;            /* = gen.generation */
	uint64_t features_compat;       /* may be ignored if unknown */
	uint64_t features_incompat;     /* if any bit is unknown: refuse */
	uint64_t boot;                  /* highest boot number when it was written */
	uint64_t alloc_hint;            /* map page at which to begin looking for free blocks */
	uint32_t keep;                  /* unnamed generations kept, the newest included; 0: not set */
	uint32_t revision;              /* of two superblocks of one generation the higher one counts */
	uint64_t dropped[32];           /* generations in the table that are not kept any more; 0: none */
	uint8_t  reserved1[152];
	struct fmt_generation gen;      /* at 512 */
	uint8_t  reserved2[3072];
};

#define FMT_DROPPED_MAX         32u

/* Set if there is a generation table. Then no block that a generation uses which either superblock or its table
 * names is written to. A reader that does not know the bit keeps less than the table names. */
#define FMT_INCOMPAT_TABLE      1u
/* Set if the generation, or one of its table, has a delta. */
#define FMT_INCOMPAT_DELTA      2u
#define FMT_INCOMPAT_KNOWN      (FMT_INCOMPAT_TABLE | FMT_INCOMPAT_DELTA)

/* Generation table: a chain of blocks, with the records of the kept generations that are not the
 * superblock's own, newest first. Numbers never repeat. */
#define FMT_GENS_PER_BLOCK      7u
struct fmt_gens {
	uint64_t magic;                 /* FMT_GENS_MAGIC */
	uint32_t version;
	uint32_t count;                 /* records in this block */
	struct fmt_ref next;            /* hole: the last block */
	uint8_t  reserved[480];
	struct fmt_generation gen[FMT_GENS_PER_BLOCK];
};

/* Delta. A generation with a delta has the client directory and the map of an earlier, *full* generation, and a
 * chain of blocks, newest first, with what has changed since. Of the records with one key in a chain the newest
 * counts. The generation takes the blocks that the map marks and, beside them, the blocks of its page
 * records, of the chain, and of its table. Of those that the map marks it does not use what page records with
 * FMT_RECORD_REPLACES replace, and the blocks of FMT_RECORD_UNUSED; they stay marked until the next full
 * generation. Records are sorted by key. */
#define FMT_DELTA_RECORDS       168u
#define FMT_DELTA_CHAIN_MAX     24u             /* blocks in a chain */
struct fmt_record {
	uint64_t key;                   /* bits 60-63: kind; page: 36-51 client, 0-35 page number; else 0-47 block */
	uint64_t block;                 /* page: bits 0-47 its block, 0: a hole; bit 63: see below. Else 0 */
	uint64_t sum;                   /* page: as in a reference. Else 0 */
};
#define FMT_RECORD_KIND_SHIFT   60u
#define FMT_RECORD_PAGE         0u              /* this page is there now */
#define FMT_RECORD_UNUSED       1u              /* this block, marked in the map, is not used any more */
#define FMT_RECORD_TABLE        2u              /* block of the generation's table; counts in the chain's newest block only */
#define FMT_RECORD_CLIENT_SHIFT 36u
#define FMT_RECORD_REPLACES     (1ull << 63)    /* the full generation has a block for this page */

struct fmt_delta {
	uint64_t magic;                 /* FMT_DELTA_MAGIC */
	uint32_t version;
	uint32_t count;                 /* records in this block */
	struct fmt_ref next;            /* the block before it in time */
	uint64_t generation;            /* that wrote it */
	uint64_t full;                  /* the full generation it builds on */
	uint8_t  reserved[16];
	struct fmt_record record[FMT_DELTA_RECORDS];
};

/* Boot counter: two copies, written in turn, the higher valid one counts. Only the first sector is not zero. */
struct fmt_boot {
	uint64_t magic;                 /* FMT_BOOT_MAGIC */
	uint32_t version;
	uint32_t copy;                  /* 0 or 1 */
	uint64_t sum;                   /* XXH3-64 of the block with this field as zero */
	uint8_t  uuid[16];
	uint64_t count;                 /* boots so far */
	uint8_t  reserved[4048];
};

#define FMT_AT(s, field, offset) \
	_Static_assert(offsetof(struct s, field) == (offset), #s "." #field " moved: the format is fixed")
#define FMT_BYTES(s, bytes) \
	_Static_assert(sizeof(struct s) == (bytes), "struct " #s " changed its size: the format is fixed")

FMT_BYTES(fmt_ref, 16);
FMT_BYTES(fmt_tree, 32);
FMT_AT(fmt_tree, pages, 16);
FMT_AT(fmt_tree, height, 24);
FMT_BYTES(fmt_node, FMT_BLOCK);
FMT_BYTES(fmt_client, 64);
FMT_AT(fmt_client, flags, 32);
FMT_AT(fmt_client, volatiles, 48);
FMT_BYTES(fmt_generation, 512);
FMT_AT(fmt_generation, flags, 24);
FMT_AT(fmt_generation, clients, 32);
FMT_AT(fmt_generation, map, 64);
FMT_AT(fmt_generation, used, 96);
FMT_AT(fmt_generation, delta, 120);
FMT_AT(fmt_generation, name, 136);
FMT_AT(fmt_generation, state_hash, 168);
FMT_AT(fmt_generation, table, 184);
FMT_AT(fmt_generation, base, 200);
FMT_AT(fmt_generation, base_freed, 208);
FMT_AT(fmt_generation, delta_dead, 216);
FMT_AT(fmt_generation, delta_low, 240);
FMT_AT(fmt_generation, user, 256);
FMT_BYTES(fmt_super, FMT_BLOCK);
FMT_AT(fmt_super, version, 8);
FMT_AT(fmt_super, slot, 12);
FMT_AT(fmt_super, sum, 16);
FMT_AT(fmt_super, uuid, 24);
FMT_AT(fmt_super, blocks, 40);
FMT_AT(fmt_super, block_size, 48);
FMT_AT(fmt_super, kept, 52);
FMT_AT(fmt_super, generation, 56);
FMT_AT(fmt_super, features_compat, 64);
FMT_AT(fmt_super, features_incompat, 72);
FMT_AT(fmt_super, boot, 80);
FMT_AT(fmt_super, alloc_hint, 88);
FMT_AT(fmt_super, keep, 96);
FMT_AT(fmt_super, dropped, 104);
FMT_AT(fmt_super, gen, 512);
FMT_AT(fmt_super, reserved2, 1024);
FMT_BYTES(fmt_gens, FMT_BLOCK);
FMT_AT(fmt_gens, next, 16);
FMT_AT(fmt_gens, gen, 512);
FMT_BYTES(fmt_record, 24);
FMT_BYTES(fmt_delta, FMT_BLOCK);
FMT_AT(fmt_delta, next, 16);
FMT_AT(fmt_delta, generation, 32);
FMT_AT(fmt_delta, full, 40);
FMT_AT(fmt_delta, record, 64);
FMT_BYTES(fmt_boot, FMT_BLOCK);
FMT_AT(fmt_boot, sum, 16);
FMT_AT(fmt_boot, count, 40);

#endif
