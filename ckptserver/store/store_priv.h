/* SPDX-License-Identifier: BSD-2-Clause
 * Inside of the checkpoint store: what its files share. The invariants by number and the state diagram are at the
 * top of store.c. Each prototype stands under the name of the file that has the function.
 */
#ifndef STORE_PRIV_H
#define STORE_PRIV_H

#include "format.h"
#include "store.h"

#define STORE_TABLE_BLOCKS      ((STORE_KEPT_MAX - 1 + FMT_GENS_PER_BLOCK - 1) / FMT_GENS_PER_BLOCK)
#define STORE_RECORDS           (2 * STORE_KEPT_MAX)    /* generations both superblocks and their tables can name */
#define STORE_OLD               UINT8_MAX               /* age: so many commits, or more, or not known */
#define STORE_MIN_NODES         64u
#define STORE_NEED_MAX          24u     /* blocks and nodes the longest single change can take */
#define STORE_FREES_MIN         2048u   /* entries of the list of blocks to free */
#define STORE_FREES_ROOM        384u    /* room in it that one change can use up */
#define DELTA_AGE               32u     /* a delta whose full generation is so many numbers back is folded, … */
#define DELTA_LEVELS            6u      /* of the overlay's skip list */
#define DELTA_CHAIN             16u     /* a chain with more blocks is folded, if there is room for that */
#define DELTA_FRESH             4u      /* blocks' worth of records one interval can change before it is folded */
#define DELTA_MADE_MAX          16u     /* delta blocks one commit can write */
#define DELTA_SPARE             (2 * STORE_TABLE_BLOCKS)        /* records about tables one commit can bring */
#define NO_REGION               UINT64_MAX
#define STORE_AGAIN             2       /* internal status: a unit was done, call again */

/* Cached block: index node, directory page or map page. */
enum node_state {
	NODE_FREE,              /* on the free list */
	NODE_LOADING,           /* read under way */
	NODE_BAD,               /* read failed: status says how */
	NODE_CLEAN,             /* equals its block on disk; may be evicted */
	NODE_DIRTY,             /* changed in the commit being prepared; has a new block, not yet written */
	NODE_WRITING,           /* write under way; content fixed */
	NODE_FAILED,            /* write failed; content fixed, must be written again */
};
enum node_kind { NODE_INDEX, NODE_MAP };

struct node {
	uint64_t      block;            /* key */
	uint64_t      sum;              /* of the content, as references to it have it; 0 while DIRTY */
	void         *data;             /* one page */
	struct store *st;
	struct node  *hash_next;
	struct node  *prev, *next;      /* free list (next only), dirty list, failed list */
	struct node  *parent;           /* DIRTY: node that holds the reference to this one; NULL: the store */
	struct fmt_ref *ref;            /* DIRTY: that reference */
	struct store_op *waiters;       /* LOADING: reads to go on with */
	uint64_t      touched;          /* serial of the step that relies on its being here */
	uint32_t      dirty_kids;       /* DIRTY: children that are DIRTY */
	int           status;           /* BAD: STORE_EIO, STORE_DAMAGED */
	uint8_t       state, kind, used_bit, orphan;
	struct blkreq req;
	void         *req_buf[1];
};

struct node_list { struct node *head, *tail; };

/* The allocation window: the region (32,768 blocks, one map page) new blocks come from. */
struct window {
	uint64_t     region;            /* NO_REGION: none open */
	uint64_t     next_region;       /* first that was not tried in this commit, or since the window was rewound */
	uint64_t     high;              /* regions below had been opened in this commit */
	uint64_t     opening;           /* region being opened, else NO_REGION */
	uint32_t     errors;            /* opening: reads that failed */
	uint32_t     opened_kept;       /* opening: kept generations whose map is in `busy` already */
	uint64_t     added;             /* opening: the last of their map pages */
	uint64_t     bad;               /* opening: the block of a map that was looked for last */
	uint32_t     word;              /* where to go on looking */
	uint32_t     free;              /* clear bits in busy */
	uint32_t     early_count;       /* blocks taken before the region's map page was writable */
	uint64_t     early[STORE_NEED_MAX];
	struct node *page;              /* the current map's page for the region, DIRTY while open */
	bool         plain;             /* open without a page: what is allocated goes into a delta */
	bool         in_chain;          /* opening: a delta is being walked, … */
	struct fmt_ref chain;           /* … from here on, … */
	uint32_t     chain_left;        /* … at most so many blocks */
	uint32_t     seen_next, seen_count;
	uint64_t     seen[FMT_DELTA_CHAIN_MAX];         /* blocks of chains walked before: they and all beyond are in busy */
	uint64_t    *busy;              /* 512 words; 1: may not be allocated */
};

enum region_flag {
	REGION_FULL = 1,                /* nothing to be had here, until a generation older than the last blocks freed goes */
	REGION_FREED_NOW = 2,           /* blocks were freed in this commit */
	REGION_RETRY = 4,               /* passed over: look again in the next commit */
	REGION_BAD = 8,                 /* the current map's page is damaged: never allocate here */
	REGION_UNKNOWN = 16,            /* a kept generation's is: not before one has gone (FULL is set, too) */
};

/* A generation that one of the superblocks on the disk names, itself or in its table: its blocks are not overwritten. */
struct kept {
	struct fmt_generation g;        /* base: nearest ancestor that is in the list too */
	char         name[STORE_NAME_BYTES];    /* as it will be from the next commit on; g.name: as it was … */
	uint32_t     flags;             /* … and FMT_GEN_* */
	uint8_t      slots;             /* superblocks that name it: bit 0, bit 1 */
	uint8_t      age;               /* commits since its own, or STORE_OLD */
	bool         listed;            /* is to be kept; false: waits for the superblock that names it to be overwritten */
	bool         planned;           /* the commit, or the shedding, under way keeps it */
	bool         tried;             /* mounting */
	uint64_t     bad_map;           /* a block of its map that is damaged; 0: none is known */
};

/* The same, seen as a node of a graph: gens.c. */
struct tied {
	uint64_t generation, used, base, base_freed;
	uint64_t dead;                  /* its delta_dead */
	uint64_t root;                  /* of its map: the same for all that build on one full generation */
	bool     reached, full;
	bool     line;                  /* the current state's parent, or an ancestor of it */
};

/* A page, or a block of the full generation's tables, that has changed since the full generation. */
struct delta_entry {
	struct fmt_record r;
	uint16_t next[DELTA_LEVELS];
	uint8_t  home;                  /* its newest record is in chain[home - 1]; 0: in none */
	bool     fresh;                 /* changed since the last commit */
};

enum delta_mode {
	DELTA_OFF,                      /* changes go to the trees: the next commit is a full one */
	DELTA_ON,                       /* changes go to the overlay; the trees are those of the full generation */
	DELTA_FOLDING,                  /* the overlay is being applied to the trees; nothing else is changed */
};

struct delta {
	enum delta_mode mode;
	struct delta_entry *entry;      /* room + 1: entry 0 is the list's head */
	uint32_t     room, count, fresh;
	uint32_t     limit, max;        /* entries that may be used; more than max are folded when there is room */
	uint32_t     fresh_max, chain_max, per_block, age_max;
	bool         off;               /* full commits only */
	uint64_t     full;              /* number of the full generation */
	struct fmt_ref chain[FMT_DELTA_CHAIN_MAX];      /* of `last`, oldest first */
	uint8_t      chain_names[FMT_DELTA_CHAIN_MAX];  /* blocks that the records of each name */
	uint32_t     chain_count;
	bool         table_outside;     /* the last table's blocks stand in no map */
	/* the commit under way */
	struct fmt_ref made[DELTA_MADE_MAX];
	uint8_t      made_names[DELTA_MADE_MAX];
	uint32_t     made_count, made_done;
	bool         merge;             /* the chain's newest block is written anew with the fresh records */
	uint16_t     cursor;            /* next entry to be written, or folded; 0: none */
	uint64_t     folds;
};

enum commit_phase {
	COMMIT_NONE,                    /* changes may be made */
	COMMIT_TABLE,                   /* find a block for the generation table */
	COMMIT_FREES,                   /* clear the bits of blocks no longer used */
	COMMIT_NODES,                   /* checksum and submit dirty nodes, children first; or delta blocks */
	COMMIT_SETTLE,                  /* wait for all writes; table */
	COMMIT_FLUSH,                   /* wait for the first flush */
	COMMIT_SUPER,                   /* superblock under way */
	COMMIT_FLUSH_SUPER,             /* wait for the second flush */
};

enum op_kind { OP_NONE, OP_LOOKUP, OP_READ, OP_NEXT, OP_DIFF, OP_PUT, OP_REMOVE, OP_RANGE, OP_DROP, OP_COMMIT, OP_BOOT };

/* written.c */
struct written {
	uint64_t block, sum;
	uint64_t key;                   /* of a page; else the block is a node's */
};
struct written_list {
	struct written *list;
	uint32_t     size, count;
	uint32_t     lost;              /* that many at the beginning are lost, and were needed when that was found */
	uint32_t     next;              /* to be written again */
	uint32_t     flush_count;       /* entries that the flush under way is for */
	bool         doubt;             /* a flush has failed since all of it was written */
	bool         flushing;          /* in between */
	bool         hopeless;          /* the current state cannot be committed any more */
	bool         tried;             /* nodes whose writes failed are being written again, for a flush in between */
	/* VOID: the request under way is of before the last failure */
	enum { WRITTEN_IDLE, WRITTEN_READING, WRITTEN_WRITING, WRITTEN_VOID } doing;
	void        *page;
};

/* state.c */
struct store_state {
	unsigned __int128 hash;         /* of all pages of the current state */
	bool known;
};
void state_add(struct store_state *s, uint32_t client, uint64_t vpn, uint64_t sum);

struct store {
	struct blkdev *dev;
	uint64_t       blocks;          /* used by the store; 0 while not mounted */
	uint64_t       regions;         /* map pages that can be */
	uint64_t       serial;          /* of the present step, for node.touched */

	/* node cache */
	struct node   *nodes;
	uint32_t       node_count, hash_mask, free_count, clock_hand;
	struct node  **hash;
	struct node   *free_nodes;
	struct node_list dirty, failed;
	uint32_t       node_writes;     /* nodes in WRITING */
	struct node   *delivering;      /* load whose waiters are being told */
	struct store_op *starved_reads; /* reads that wait for any node to become free */
	struct store_op *again_reads;   /* reads that gave way in the middle of a walk */
	struct store_op *late_reads, **late_reads_end;  /* reads that have not begun, for too many have */
	uint32_t       reads_walking, reads_walking_max;
	bool           no_load;         /* node_get starts no load */
	bool           reading;         /* this step changes nothing: it waits for room, and asks nothing of the disk for it */

	/* the current state, built on `last` */
	struct fmt_tree clients, map;
	uint64_t       used, freed, index_blocks;
	struct fmt_ref table;
	uint64_t       table_blocks[STORE_TABLE_BLOCKS];        /* the chain */
	uint32_t       table_count;

	struct store_state state;

	/* generations */
	struct fmt_generation last;     /* the current state's parent: last committed, or mounted */
	struct kept    kept[STORE_RECORDS];     /* all that must stay intact, `last` included; newest first */
	uint32_t       kept_count;
	uint32_t       keep;            /* unnamed ones wanted */
	/* Blocks of the tables that mounting read, if a superblock's own generation cannot protect its table … */
	uint64_t       guard[2 * STORE_TABLE_BLOCKS];
	uint32_t       guard_count, guard_left;         /* … for so many commits, then both superblocks are new */
	bool           spare_planned;   /* the commit under way keeps one that shares no root with the current state */
	uint64_t       held;            /* blocks that only they use, apart from `freed`: see kept_held */
	uint64_t       held_fixed;      /* … when all that may go is gone */
	uint32_t       shed_left;       /* superblocks that still name what is to go; 0: no shedding under way */
	bool           shed_flushing;
	int            shed_status;     /* of the last one: STORE_OK, STORE_EIO */
	struct tied    ties[STORE_RECORDS];     /* scratch */
	struct store_skipped reports[STORE_SKIPPED_MAX];        /* for store_report, oldest first */
	uint32_t       report_count;
	uint64_t       newest;          /* highest number ever seen */
	uint32_t       slot;            /* superblock slot that must not be overwritten */
	uint8_t        uuid[STORE_UUID_BYTES];

	/* allocation */
	struct window  win;
	uint8_t       *region;          /* flags per region */
	uint8_t       *region_age;      /* commits since blocks were freed there, or STORE_OLD */
	uint64_t       hint;            /* regions below it count as full for the superblock said so: nobody has looked */
	bool           look_again;      /* the window found nothing: after this commit no region counts as full */
	uint64_t      *frees;           /* ring of blocks to be cleared in the map */
	uint32_t       frees_size, frees_first, frees_count;
	uint64_t       reserved;        /* pages promised */
	uint64_t       recycled;        /* blocks allocated and freed in this commit, since the window was last rewound */

	struct delta   delta;
	struct written_list written;

	/* queue of changes */
	struct store_op *queue, **queue_end;
	struct store_op *later, **later_end;    /* put off until the commit that failed has been repeated */
	struct node   *blocked_on;      /* the first change waits for this node's I/O */
	bool           reads_starved;
	bool           starved;         /* … or for any node to become free */
	bool           frees_failed;    /* the list of blocks to free waits for the next commit */
	uint32_t       puts_in_flight, unwritten;

	/* trash */
	enum { TRASH_UNKNOWN, TRASH_NONE, TRASH_SOME, TRASH_CLEARING } trash;
	struct store_op trash_op;
	uint32_t       cut_after;       /* leaves a removal clears before it cuts subtrees off */

	/* commit */
	enum commit_phase phase;
	bool           begun, commit_queued;
	uint8_t        user[STORE_USER_BYTES];
	struct store_op *commit_op;     /* NULL while failed and not yet repeated */
	int            io_status;       /* of the commit's own request */
	bool           io_busy;
	uint32_t       flush_errors;    /* flushes that failed, … */
	uint32_t       super_errors;    /* … when the superblock under way was submitted, … */
	uint64_t       new_table[STORE_TABLE_BLOCKS];   /* blocks for the table being made … */
	uint32_t       new_table_count, new_table_left; /* … and how many of them are not written yet */
	uint32_t       new_kept;        /* records in it */
	struct blkreq  io;
	void          *io_buf[1];
	struct fmt_super *super, *super_other;  /* one page each */
	struct fmt_gens  *gens;

	/* boot counter */
	struct fmt_boot *boot_page;
	uint64_t       boot, boot_next, super_boot;
	uint32_t       boot_copy;       /* to be written next */
	struct store_op *boot_op;
	bool           boot_flushing;
	uint32_t       boot_errors;     /* … when the boot counter was */

	/* synchronous I/O while mounting */
	void          *sync_page;

	uint64_t commits, commit_errors, pages_put, pages_zero, pages_read;
	uint64_t blocks_written, blocks_read, flushes, cache_hits, cache_misses, leaked, mended;
	uint64_t now_pages, now_index, now_map, last_pages, last_index, last_map;
};

/* ---- sum.c ---- */
bool     store_is_zero(const void *block);
uint64_t sum_plain(const void *block);

/* ---- sum_avx2.c ---- */
bool     sum_avx2_usable(void);
uint64_t sum_avx2(const void *block);

/* ---- cache.c ---- */
void     node_init(struct store *st);
/* Node of a block that is in the cache, whatever its state, or NULL. */
struct node *node_find(struct store *st, uint64_t block);
/* The block's node, if it is there: STORE_OK, and it stays for this step. Else its load is started (or its
 * cause named): STORE_PENDING with *wait = the node to wait for, or NULL: wait until any node is free; or an error. */
int      node_get(struct store *st, const struct fmt_ref *ref, enum node_kind kind, struct node **out,
		  struct node **wait);
/* Make at least `count` nodes free. STORE_OK; STORE_PENDING: wait until a write completes; STORE_EIO: it waits for writes
 * that failed, which are being made again (never in a read). */
int      node_make_room(struct store *st, uint32_t count);
/* A free node with that key, state DIRTY, content undefined. There must be one. */
struct node *node_take(struct store *st, uint64_t block, enum node_kind kind);
void     node_rekey(struct store *st, struct node *n, uint64_t block);
void     node_release(struct store *st, struct node *n);        /* to the free list */
void     node_set_dirty(struct store *st, struct node *n, struct node *parent, struct fmt_ref *ref);
void     node_unlink_dirty(struct store *st, struct node *n);   /* off the list, parent's count down */
void     node_forget(struct store *st, uint64_t block);         /* block got a new content */
void     node_write(struct store *st, struct node *n);          /* checksum, tell the parent, submit */
void     node_write_again(struct store *st, struct node *n);
void     node_write_failed(struct store *st, struct node *n);   /* … one of the list of those that failed */
bool     node_spill(struct store *st);                          /* write some dirty node early */
void     node_list_add(struct node_list *l, struct node *n, bool front);
void     node_list_remove(struct node_list *l, struct node *n);

/* ---- index.c ---- */
bool     ref_valid(const struct store *st, const struct fmt_ref *ref);
uint32_t tree_height_for(uint64_t index);
/* Find page `index` of a tree: *out = its reference (hole: all zero). OK, PENDING, errors. */
int      tree_find(struct store *st, const struct fmt_tree *t, uint64_t index, enum node_kind kind,
		   struct fmt_ref *out, uint64_t *bad, struct node **wait);
/* First page >= *index; as tree_find. STORE_END. */
int      tree_next(struct store *st, const struct fmt_tree *t, uint64_t *index, struct fmt_ref *out,
		   uint64_t *bad, struct node **wait);
/* Is all that a change of page `index` needs cached? Adds to *need the blocks it will take. With `leaf`
 * the pages of the tree are cached blocks themselves. */
int      tree_prepare(struct store *st, const struct fmt_tree *t, uint64_t index, enum node_kind kind, bool leaf,
		      uint32_t *need, uint64_t *bad, struct node **wait);
/* Make the path to page `index` DIRTY, after tree_prepare. Returns the reference to the page, *holder the node
 * that has it (NULL: the tree's owner). */
struct fmt_ref *tree_open(struct store *st, struct fmt_tree *t, struct node *owner, uint64_t index,
			  enum node_kind kind, struct node **holder);
/* The same down to the reference to the node at `level` only, which is covered by the tree. *holder: its owner. */
struct fmt_ref *tree_open_above(struct store *st, struct fmt_tree *t, uint64_t index, uint32_t level,
				struct node **holder);
/* Make the cached block behind a reference DIRTY (a hole: a new block of zeros). */
struct node *tree_dirty(struct store *st, struct fmt_ref *ref, struct node *holder, enum node_kind kind);
/* The reference in `holder` became a hole: free nodes that became empty, up to the root. */
void     tree_prune(struct store *st, struct fmt_tree *t, struct node *owner, struct node *holder);
int      client_find(struct store *st, uint32_t client, struct fmt_client *out, uint64_t *bad, struct node **wait);
/* The same in any directory. */
int      client_in(struct store *st, const struct fmt_tree *clients, uint32_t client, struct fmt_client *out,
		   uint64_t *bad, struct node **wait);
int      index_run(struct store *st, struct store_op *op);      /* look-up, read, next: one try */
int      index_begin(struct store *st, struct store_op *op);    /* … the first, in a step of its own */
void     index_resume(struct store *st, struct store_op *op);   /* … after a load */

/* ---- diff.c ---- */
int      diff_try(struct store *st, struct store_op *op, struct node **wait);   /* may return STORE_AGAIN */

/* ---- alloc.c ---- */
int      window_ensure(struct store *st, uint32_t blocks, struct node **wait);
uint64_t window_alloc(struct store *st);
void     window_reset(struct store *st);
void     window_rewind(struct store *st);               /* begin again with the first region, in the same commit */
void     block_free(struct store *st, uint64_t block);          /* puts it on the list */
void     block_mark(struct store *st, uint64_t block);          /* same list: allocated, but not in the map yet */
int      frees_step(struct store *st, struct node **wait);      /* clears, or sets, some bits */
uint32_t frees_room(const struct store *st);
void     alloc_committed(struct store *st);
void     alloc_departed(struct store *st, unsigned departed);   /* as kept_named_by returned it */
uint64_t space_held(const struct store *st);
uint64_t space_free(const struct store *st);
uint64_t space_slush(const struct store *st);
bool     space_short(const struct store *st, uint64_t held);    /* would it be, with so many held? */
uint64_t space_index(const struct store *st, uint64_t pages);   /* index and map blocks that so many changes may cost */

/* ---- overlay.c ---- */
uint32_t delta_room(uint64_t blocks);           /* entries for a store of that size */
void     delta_limits(struct store *st);        /* by the store's size */
/* No changes since generation `full`; 0: there is none, the next commit will be full. */
void     delta_reset(struct store *st, uint64_t full);
/* First entry at or after key; the next; the first of all; that of key. NULL: none. */
struct delta_entry *overlay_from(const struct store *st, uint64_t key);
struct delta_entry *overlay_after(const struct store *st, const struct delta_entry *e);
struct delta_entry *overlay_first(const struct store *st);
struct delta_entry *overlay_find(const struct store *st, uint64_t key);
struct delta_entry *overlay_entry(struct store *st, uint64_t key);      /* makes it if there is none, and there is room */
void     overlay_touch(struct store *st, struct delta_entry *e);        /* it has changed */
bool     entry_is_of(const struct delta_entry *e, uint32_t client);     /* is it a page of the client? */
/* As client_find and tree_find, or tree_next, but with the overlay. overlay_next also STORE_AGAIN: nothing is there before the
 * new *vpn. */
int      overlay_lookup(struct store *st, uint32_t client, uint64_t vpn, struct fmt_ref *out, uint64_t *bad,
		   struct node **wait);
int      overlay_next(struct store *st, uint32_t client, uint64_t *vpn, struct fmt_ref *out, uint64_t *bad,
		   struct node **wait);
/* Mode DELTA_ON. Is there room in the overlay for a change of this page? Does it have the page? */
bool     delta_takes(const struct store *st, uint32_t client, uint64_t vpn);
bool     delta_knows(const struct store *st, uint32_t client, uint64_t vpn);
/* The page is at `ref` (a hole: nowhere) from now on. `replaces`: the full generation has a block for it (for a
 * page that delta_knows it need not be said again). */
void     delta_set(struct store *st, uint32_t client, uint64_t vpn, struct fmt_ref ref, bool replaces);
void     delta_free_table(struct store *st);    /* table_blocks are not used any more */
void     delta_release(struct store *st, uint64_t block);       /* a block that stands in no map is not used any more */
void     delta_recycle(struct store *st, uint64_t block);       /* … and was allocated since the last commit */
void     delta_give_up(struct store *st, const struct delta_entry *e);  /* whichever is right for the entry's block */
void     busy_overlay(struct store *st);        /* OR into win.busy what the overlay takes */

/* ---- fold.c ---- */
/* Apply some of the overlay to the trees. STORE_OK: all is done, mode DELTA_OFF; STORE_AGAIN; PENDING; errors. */
int      delta_fold(struct store *st, uint64_t *bad, struct node **wait);

/* ---- delta.c ---- */
/* Must, or should, the commit be a full one, if its table has so many blocks? */
bool     delta_folds(const struct store *st, uint32_t tables);
uint32_t delta_blocks(struct store *st, uint32_t tables);       /* to be written by a commit with so many table blocks */
void     delta_take(struct store *st, uint32_t blocks);         /* allocate them, after window_ensure */
int      delta_write(struct store *st);         /* submit one of them. STORE_OK: all are submitted; STORE_AGAIN; PENDING */
void     delta_unmake(struct store *st);        /* the commit begins anew */
void     delta_seal(struct store *st, struct fmt_generation *g);        /* fill in the delta's part of the record */
void     delta_committed(struct store *st, uint64_t generation);
/* OR into win.busy what a generation's delta takes, one block of its chain at a time. STORE_OK: done; STORE_AGAIN;
 * PENDING; errors. */
int      busy_delta(struct store *st, const struct fmt_generation *g, struct node **wait);
/* Read a generation's delta into the overlay. NULL, or what is wrong, with status and block. Blocks; uses sync_page. */
const char *delta_load(struct store *st, const struct fmt_generation *g, int *status, uint64_t *bad);
/* For walks of a generation that is not mounted: first page record at or after `key` in a chain, the newest of its
 * key. STORE_OK; STORE_END, and out->key is UINT64_MAX; PENDING; errors. */
int      chain_next(struct store *st, const struct fmt_ref *newest, uint64_t key, struct fmt_record *out,
		    uint64_t *bad, struct node **wait);

/* ---- gens.c ---- */
struct kept *kept_find(struct store *st, uint64_t generation);  /* NULL: not in the list */
struct kept *kept_named(struct store *st, const char *name);    /* that is listed, or NULL */
/* Put a record found in, or written to, superblock `slot` or its table on the list, or note that this one names it
 * too. NULL: the list is full. */
struct kept *kept_add(struct store *st, const struct fmt_generation *g, unsigned slot, bool listed);
void     kept_remove(struct store *st, struct kept *k);
uint32_t kept_fixed(const struct store *st);            /* how many are named or pinned */
bool     kept_must_stay(const struct store *st, const struct kept *k);  /* even when space is short */
uint64_t kept_planned_hold(struct store *st);           /* blocks that would be held if only those planned were left */
/* Choose what the commit under way keeps beside the new generation; how many. */
uint32_t kept_plan(struct store *st);
/* Copy the planned records first .. first + max - 1 as they go into the table; how many there were. */
uint32_t kept_records(const struct store *st, uint32_t first, struct fmt_generation *out, uint32_t max);
/* Set base and base_freed of a record, so that base is a planned generation. */
void     kept_base(const struct store *st, struct fmt_generation *g);
/* A superblock that names what is planned, and nothing else, is durable in `slot`. Returns the age of the oldest
 * generation that is not protected any more, plus one; 0: there is none. */
unsigned kept_named_by(struct store *st, unsigned slot);
void     kept_committed(struct store *st, const struct fmt_generation *g, unsigned slot);      /* it is a new one's */
void     kept_held(struct store *st);                   /* works out st->held, held_fixed */
/* A block of its map is damaged: nobody knows any more which blocks are its own. It goes when room is needed. */
void     kept_bad_map(struct store *st, struct kept *k, uint64_t block);
bool     kept_give_up(struct store *st);                /* it is: shed() lets go of all of these. False: there is none */
bool     name_valid(const char *name);

/* ---- shed.c ---- */
/* Space is short: let go of what only old, unnamed generations hold. STORE_PENDING: under way, try again when
 * st->starved is false; STORE_FULL: there is nothing to let go of; STORE_EIO. */
int      shed(struct store *st);
bool     shed_step(struct store *st);                   /* true: there is more to do at once */

/* ---- trash.c ---- */
/* Cut off the largest subtree around `vpn` whose pages are all in [op->vpn, op->end); *past: the page behind it.
 * `tree` is a copy of the client's, and `vpn` was found in it in this step. STORE_END: there is none worth it, or no room in
 * the trash. */
int      trash_cut(struct store *st, struct store_op *op, const struct fmt_tree *tree, uint64_t vpn, uint64_t *past,
		   struct node **wait);
int      trash_step(struct store *st, struct node **wait);      /* clears a leaf; STORE_END: there is no trash */

/* ---- mend.c ---- */
/* Replace the damaged node on the path to (client, vpn), by a hole if all its pages are in [from, end). STORE_AGAIN: done,
 * try again what met it; STORE_DAMAGED: not on this path, or in the directory. */
int      mend(struct store *st, uint32_t of, uint64_t vpn, uint64_t from, uint64_t end, uint64_t *bad,
	      struct node **wait);

/* ---- change.c ---- */
int      change_run(struct store *st, struct store_op *op, struct node **wait);
void     change_queue(struct store *st, struct store_op *op);   /* behind all others */
void     op_finish(struct store_op *op, int status);

int      change_prepare(struct store *st, uint32_t client, uint64_t vpn, uint64_t *bad, uint32_t *need,
			struct node **wait);
uint32_t change_count(struct store *st, uint32_t client, uint64_t vpn);
int      change_provide(struct store *st, uint32_t need, struct node **wait);
struct fmt_client *change_client(struct store *st, uint32_t client, struct node **page);

/* ---- commit.c ---- */
bool     commit_step(struct store *st);
void     commit_start(struct store *st, struct store_op *op);
void     queue_after_commit(struct store *st);
void     commit_fail(struct store *st, int status);     /* ends the caller's operation */
/* The store's own request, one at a time: st->io_busy until it is done, then st->io_status. block: none for a flush. */
void     io_submit(struct store *st, enum blk_op op, uint64_t block, void *page);

/* ---- store.c ---- */
/* What a step returned: does it wait? Then for `wait`, or, NULL, for any node to become free. */
bool     step_waits(struct store *st, int status, struct node *wait);
struct store_op *queue_take(struct store *st);          /* the first change off the queue */

/* ---- written.c ---- */
uint32_t written_room(uint64_t blocks);         /* entries for a store of that size */
void     written_page(struct store *st, const struct store_op *op);     /* is being written to op->block */
void     written_node(struct store *st, const struct node *n);
bool     written_full(const struct store *st);          /* nothing is to be written before written_step has made room */
bool     written_no_room(const struct store *st);
void     written_doubt(struct store *st);               /* a flush has failed */
void     written_mended(struct store *st, uint64_t block);      /* the node there was damaged, and is replaced */
void     written_flushed(struct store *st, uint32_t upto);      /* one succeeded: entries below are durable */
/* After a failed flush: write one more block again. STORE_OK: that was all; STORE_AGAIN; PENDING (st->io_busy, writes under way, or
 * *wait); STORE_EIO. */
int      written_again(struct store *st, struct node **wait);
/* Is something lost that the current state needs? STORE_OK: no; STORE_UNWRITTEN: a page, op says which; STORE_DAMAGED: a node;
 * STORE_EIO: what the next try makes anew; PENDING. */
int      written_lost(struct store *st, struct store_op *op, struct node **wait);
bool     written_step(struct store *st);                /* the list is full: flush */

/* ---- super.c ---- */
int      sync_io(struct store *st, enum blk_op op, uint64_t block, void *page);
void     super_seal(struct fmt_super *s);
/* Read and judge one superblock; what is wrong goes to res->slots[slot]. True: *s is valid. */
bool     super_read(struct store *st, struct store_mount *res, unsigned slot, struct fmt_super *s);
/* STORE_EMPTY, STORE_FOREIGN or STORE_EIO: is there anything in the places where others put theirs? */
int      super_probe(struct store *st);
/* Read both boot counters into st->boot, st->boot_copy. */
void     boot_read(struct store *st);

/* ---- recover.c ---- */
/* Read the block behind ref into `page` and verify it; blocks. STORE_OK, STORE_EIO, STORE_DAMAGED. */
int      ref_check(struct store *st, const struct fmt_ref *ref, void *page);
void     store_forget(struct store *st);        /* back to the state after store_init */

/* Which entry of a node at `level` (1: it refers to pages) leads to page `index`. */
static inline unsigned tree_slot(uint64_t index, uint32_t level)
{
	return (unsigned)(index >> (FMT_FANOUT_BITS * (level - 1))) & (FMT_FANOUT - 1);
}

static inline uint64_t *map_words(struct node *n) { return n->data; }

static inline unsigned record_kind(uint64_t key) { return (unsigned)(key >> FMT_RECORD_KIND_SHIFT); }
static inline uint32_t record_client(uint64_t key) { return (uint32_t)(key >> FMT_RECORD_CLIENT_SHIFT); }
static inline uint64_t record_vpn(uint64_t key) { return key & (STORE_VPN_END - 1); }
/* The block an entry's page is in now; 0: a hole, or not a page. */
static inline uint64_t entry_block(const struct delta_entry *e)
{
	return record_kind(e->r.key) == FMT_RECORD_PAGE ? e->r.block & FMT_BLOCK_MASK : 0;
}
static inline void busy_set(struct store *st, uint64_t block)           /* in the region being opened */
{
	if (block >> FMT_MAP_SHIFT == st->win.opening)
		st->win.busy[block % FMT_MAP_BITS / 64] |= 1ull << (block % 64);
}

/* ---- state.c ---- */
/* The client that a page of `client` counts as: for trash the one it was cut from. */
uint32_t state_client(uint32_t client, const struct fmt_client *c);
/* A page's reference becomes another. */
void state_change(struct store *st, uint32_t client, uint64_t vpn, struct fmt_ref old, struct fmt_ref now);
/* Pages were lost that nobody knows: the hash is unknown from now on. */
void state_lost(struct store *st);
void state_mounted(struct store *st, const struct fmt_generation *g);
void state_record(const struct store *st, struct fmt_generation *g);
/* Does g have a state hash, and is it another than the one found? */
bool state_differs(const struct store_state *found, const struct fmt_generation *g);

#endif
