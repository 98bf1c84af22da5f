# SPDX-License-Identifier: BSD-2-Clause
"""The deliberate mistakes, see run. One is

    Mutant("what is wrong", "file", [("text", "replacement"), ...], ["killer", ...])

A text must occur once in the file; how it is broken into lines and indented does not matter. Killers are in the order in
which they are tried, cheapest first: `host/NAME ARGUMENT...`, a program of host tests; `guest/SUITE@VARIANT`, a job of tests/run; a list,
a command with its arguments. quick=True: also in the short list that `make test` runs, in which all are anyway whose first
killer is a host test that takes a second or two.

If a mutant no longer applies because the code has changed, find its place in the new code. If one turns out to change nothing that can be
seen, put another in its place.
"""
from dataclasses import dataclass

POWERCUT = ["tests/powercut", "--images", "300", "--boots", "0", "--seconds", "3"]
KILLRESUME = ["tests/killresume", "--kills", "10"]

STORE = ["host/store_test", "host/store_crash_test"]
CRASH = ["host/store_states_test --states 8000", "host/store_crash_test"]
GENS = ["host/store_gens_test"] + CRASH
BASIC, SEAMS, EVICTED = "guest/persist_basic@release", "guest/persist_seams@release", "guest/persist_evicted@release"
HASH = ["host/store_hash_test"]
FLUSH = ["host/store_flush_test"]
DELTA = ["host/store_delta_test", "host/store_crash_test"]


@dataclass
class Mutant:
    name: str
    file: str
    edits: list
    killers: list
    quick: bool = False

    def is_quick(self):
        return self.quick or str(self.killers[0]).startswith("host/") and self.killers[0] not in CRASH


MUTANTS = [
    # ---- The store: what is on disk, and in which order it gets there
    Mutant("no flush before the superblock", "ckptserver/store/commit.c",
           [("io_submit(st, BLK_FLUSH, 0, NULL); st->phase = COMMIT_FLUSH; return false;",
             "st->io_status = BLK_OK; st->phase = COMMIT_FLUSH; return true;")], CRASH + [POWERCUT]),
    Mutant("no flush after the superblock", "ckptserver/store/commit.c",
           [("io_submit(st, BLK_FLUSH, 0, NULL); st->phase = COMMIT_FLUSH_SUPER; return false;",
             "st->phase = COMMIT_FLUSH_SUPER; return true;")], CRASH + [POWERCUT]),
    Mutant("superblock written before pages and index", "ckptserver/store/commit.c",
           [("if (st->node_writes || st->puts_in_flight) return false;", "")], STORE),
    Mutant("other slot after a doubtful commit", "ckptserver/store/commit.c",
           [("commit_succeeded(st); return true; } st->phase = COMMIT_SUPER;",
             "commit_succeeded(st); return true; } st->slot = 1 - st->slot; st->phase = COMMIT_SUPER;")],
           ["host/store_flush_test"] + STORE),
    Mutant("commit although a page could not be written", "ckptserver/store/change.c",
           [("op->unwritten = true; st->unwritten++;", "")], STORE),
    Mutant("index block that could not be written is forgotten", "ckptserver/store/cache.c",
           [("n->state = NODE_FAILED; node_list_add(&st->failed, n, false);", "n->state = NODE_CLEAN;")], STORE),
    Mutant("boot counter not flushed", "ckptserver/store/super.c",
           [("} else if (!st->boot_flushing) {", "} else if (false) {")], STORE),
    Mutant("boot number taken from one copy only", "ckptserver/store/super.c",
           [("st->boot = count[0] > count[1] ? count[0] : count[1];", "st->boot = count[0];")], STORE),
    Mutant("index blocks not verified", "ckptserver/store/cache.c",
           [("} else if (store_sum(n->data) != n->sum) {", "} else if (false) {")], STORE),
    Mutant("pages not verified", "ckptserver/store/index.c",
           [("} else if (store_sum(op->buf) == op->sum) {", "} else if (true) {")], STORE),
    Mutant("superblocks not verified", "ckptserver/store/super.c",
           [("if (sum_without(s, &s->sum) != s->sum)", "if (false)")], STORE),
    Mutant("no falling back to an older generation", "ckptserver/store/recover.c",
           [("struct kept *k = newest_intact(st, res, s); if (k)",
             "struct kept *k = newest_intact(st, res, s); if (k && k->g.generation == s[0]->generation)")], STORE),
    Mutant("generation number used twice", "ckptserver/store/recover.c",
           [("st->newest++; table_distrust(st, s[0]);", "table_distrust(st, s[0]);")], STORE),
    Mutant("records trusted that a lost successor may have dropped", "ckptserver/store/recover.c",
           [("st->newest++; table_distrust(st, s[0]);", "st->newest++;")], GENS),
    Mutant("going back gives up what was newer", "ckptserver/store/recover.c",
           [("if (k->listed && k->flags != FMT_GEN_SPARE) k->flags |= FMT_GEN_PINNED;", "")], GENS),
    Mutant("block of a kept generation allocated", "ckptserver/store/alloc.c",
           [("w->opened_kept = w->errors = 0;", "w->opened_kept = st->kept_count; w->errors = 0;")], STORE),
    Mutant("block freed in this commit allocated in it", "ckptserver/store/alloc.c",
           [("st->frees_count++; st->freed++;",
             "st->frees_count++; st->freed++;"
             "if (st->win.page && block >> FMT_MAP_SHIFT == st->win.region) {"
             "        st->win.busy[block % FMT_MAP_BITS / 64] &= ~(1ull << block % 64); st->win.word = 0; st->win.free++; }")],
           STORE),
    Mutant("block freed twice", "ckptserver/store/change.c",
           [("if (ref->block && ref_valid(st, ref)) block_free(st, ref->block); else client->tree.pages++;",
             "if (ref->block && ref_valid(st, ref)) { block_free(st, ref->block); block_free(st, ref->block); } else client->tree.pages++;")], STORE),
    Mutant("replaced page's block not freed", "ckptserver/store/change.c",
           [("if (ref->block && ref_valid(st, ref)) block_free(st, ref->block); else client->tree.pages++;",
             "if (!ref->block) client->tree.pages++;")], STORE),
    Mutant("blocks of older deltas not protected", "ckptserver/store/delta.c",
           [("busy_set(st, w->chain.block); busy_block(st, n->data);", "")], DELTA),
    Mutant("delta block not verified", "ckptserver/store/delta.c",
           [("*status = ref_check(st, &ref, st->sync_page);", "*status = sync_io(st, BLK_READ, ref.block, st->sync_page);")], DELTA),
    Mutant("older records left out when the newest delta block is written anew", "ckptserver/store/delta.c",
           [("return e->fresh || (d->merge && e->home == d->chain_count);", "return e->fresh;")], DELTA),
    Mutant("older record of a delta wins", "ckptserver/store/delta.c",
           [("if (overlay_find(st, r->key)) continue;", "e = overlay_find(st, r->key); if (e) { e->r = *r; continue; }")], DELTA),
    Mutant("block of a folded page not marked in the map", "ckptserver/store/fold.c",
           [("if (at->block) block_mark(st, at->block);", "")], DELTA),
    Mutant("table of a full generation not given up by a delta", "ckptserver/store/overlay.c",
           [("overlay_touch(st, overlay_entry(st, (uint64_t)FMT_RECORD_UNUSED << FMT_RECORD_KIND_SHIFT | block));", "(void)block;")], DELTA),
    Mutant("no generation with other roots kept", "ckptserver/store/gens.c",
           [("(due || k->g.generation == full || (other && !st->spare_planned));", "due;")], DELTA),
    Mutant("page removed from a delta comes back", "ckptserver/store/overlay.c",
           [("at++;", "break;")], DELTA),
    Mutant("zero page not made a hole", "ckptserver/store/change.c",
           [("if (op->hole) return run_put_zero(st, op, wait);", "return run_put(st, op, wait);")], STORE),
    Mutant("page that is changed in a delta keeps its part of the state hash", "ckptserver/store/change.c",
           [("state_change(st, op->client, vpn, ref, (struct fmt_ref){ op->block, op->sum });",
             "state_change(st, op->client, vpn, (struct fmt_ref){ 0, 0 }, (struct fmt_ref){ op->block, op->sum });")], HASH),
    Mutant("trash is subtracted from the state hash under its own number", "ckptserver/store/state.c",
           [("return client < STORE_CLIENTS ? client : (uint32_t)c->limit_pages;", "(void)c; return client;")], HASH),
    Mutant("state hash believed although a damaged node has cost pages", "ckptserver/store/mend.c",
           [("state_lost(st);", "")], HASH),
    Mutant("pages not compared with the state hash", "ckptserver/store/check.c",
           [("if (!c->errors && state_differs(&state, g))", "if (false)")], HASH),
    Mutant("damaged map of an old generation keeps its region for ever", "ckptserver/store/alloc.c",
           [("if (status == STORE_DAMAGED) status = map_damaged(st, wait);", "")], GENS),
    Mutant("region used although a kept generation's map page is damaged", "ckptserver/store/alloc.c",
           [("kept_bad_map(st, k, bad); return STORE_END;", "kept_bad_map(st, k, bad); k->listed = false; st->win.opened_kept++; return STORE_AGAIN;")], GENS),
    Mutant("a generation named during a commit is left out", "ckptserver/store/gens.c",
           [("k->listed &= (k->flags & FIXED) != 0;", "k->listed = false;")], GENS),
    Mutant("a damaged generation's table is written over", "ckptserver/store/alloc.c",
           [("busy_add_guard(st); *wait", "*wait"), ("static void busy_add_guard", "__attribute__((unused)) static void busy_add_guard")],
           GENS),
    Mutant("dead blocks of a delta are not counted", "ckptserver/store/gens.c",
           [("dead += t[i].dead;", "dead += 0;")], DELTA),
    Mutant("window opened in a full cache waits for a node that is there", "ckptserver/store/alloc.c",
           [("busy_add_guard(st); *wait = NULL;", "busy_add_guard(st);")], ["host/store_calls_test"]),
    Mutant("nothing written again after a failed flush", "ckptserver/store/written.c",
           [("st->written.doubt = true; st->written.next", "st->written.next")], FLUSH),
    Mutant("what cannot be read back after a failed flush taken for written", "ckptserver/store/written.c",
           [("if (status == STORE_END) w->next++; else if (status == STORE_OK && read) keep_lost(st);",
             "if (status == STORE_END || (status == STORE_OK && read)) w->next++;")], FLUSH),
    Mutant("flush in between not waited for", "ckptserver/store/written.c",
           [("if (st->io_status != BLK_OK) { written_doubt(st); return fail_waiting(st); }", "")], FLUSH),
    Mutant("node whose write failed taken for durable after a flush in between", "ckptserver/store/written.c",
           [("if (st->failed.head) return write_failed(st);", "(void)write_failed;")], FLUSH),
    Mutant("node that a failed flush has cost mended and committed", "ckptserver/store/mend.c",
           [("written_mended(st, old.block);", "")], FLUSH),
    Mutant("superblock durable although another flush failed beside its own", "ckptserver/store/commit.c",
           [("if (st->flush_errors == st->super_errors)", "if (!failed)")], FLUSH),
    Mutant("boot counter durable although another flush failed beside its own", "ckptserver/store/super.c",
           [("st->flush_errors != st->boot_errors", "false")], FLUSH),
    Mutant("promise of space not noted", "ckptserver/store/alloc.c",
           [("st->reserved += pages; return STORE_OK;", "return STORE_OK;")], STORE),
    Mutant("last blocks taken by ordinary writes", "ckptserver/store/change.c",
           [("if (space_free(st) < space_slush(st) + (st->reserved ? 0 : need)) {", "if (false) {")], GENS + STORE),

    # ---- The checkpoint server: what is saved, and what is told
    Mutant("a page's copy-out skipped", "ckptserver/cow.c",
           [("if (!buffer[b].remove) page_copy(buffer[b].data, page_data(f));", "")], ["host/cow_test", BASIC]),
    Mutant("writer let in before the copy-out", "ckptserver/cow.c",
           [("if (!b) return NO_BUFFER; copy_out(f, b); fifo_put(&copied, b);",
             "if (!b) { list_remove(f); cow.snap--; make_dirty(f); return TAKEN; } copy_out(f, b); fifo_put(&copied, b);")],
           ["host/cow_test"]),
    Mutant("written early into a range that is to be removed", "ckptserver/cow.c",
           [("|| written_lately(f) || discard_hides(p->key))", "|| written_lately(f))")], ["host/cow_test"]),
    Mutant("page declared volatile is missing in the snapshot before", "ckptserver/cow.c",
           [("&& volatile_in_snapshot(p->key);", "&& volatile_page(p->key);")], ["guest/persist_part@release"]),
    Mutant("discarded page of the snapshot freed", "ckptserver/cow.c",
           [("if (is_snap(p)) { p->flags |= PG_DOOMED; return; }",
             "if (is_snap(p)) { list_remove(f); cow.snap--; page_drop(f); return; }")], ["host/cow_test"]),
    Mutant("discarded page stays in the store", "ckptserver/cow.c",
           [("buffer[b].remove = p->flags & PG_DEAD;", "buffer[b].remove = false;")], ["host/cow_test"]),
    Mutant("postponed answers never given", "ckptserver/cow.c",
           [("if ((p->flags & PG_DEAD) && !p->epoch) page_drop(f); permit_postponed();",
             "if ((p->flags & PG_DEAD) && !p->epoch) page_drop(f);")], ["host/cow_test"]),
    Mutant("discarded ranges become one across a page between them", "ckptserver/discard.c",
           [("s->range[past].first <= end; past++)", "s->range[past].first <= end + 1; past++)")], ["host/discard_test"]),
    Mutant("range discarded without an entry is answered OK", "ckptserver/discard.c",
           [("return all ? L4_CKPT_OK : L4_CKPT_BUSY;", "return L4_CKPT_OK;")], ["host/discard_test"]),
    Mutant("any program may switch the machine off", "ckptserver/requests.c",
           [("return number < L4_CONTROL_TNO_END ||", "return number ||")], ["tasks/release"]),
    Mutant("need of an object forgotten when there is no frame", "ckptserver/kobj.c",
           [("if (!bring(obj)) defer(obj, DEFER_NEED);", "(void)bring(obj);")], ["host/kobj_test"]),
    Mutant("partition table's checksum not looked at", "ckptserver/gpt.c",
           [("if (gpt_crc32(0, s, size) != crc || get64(s + 24) != at)", "if (crc == 1 || get64(s + 24) != at)")],
           ["host/gpt_test"]),
    Mutant("clock begins anew at recovery", "ckptserver/recover.c",
           [("fc_push(L4_FC_SET_CLOCK, 0, record.clock_us);", "fc_push(L4_FC_SET_CLOCK, 0, 0);")], [BASIC]),
    Mutant("committed is said before it is true", "ckptserver/commit.c",
           [("c.state = STORING; c.commit.done = commit_done;",
             'c.state = STORING; c.commit.done = commit_done;'
             'log_line("[ckpt] gen=%lu pages=0 bytes=0 pause_ns=0 write_us=0", store_generation(c.st) + 1);')], [POWERCUT]),

    # ---- The kernel: epochs, rights, objects
    Mutant("epoch check of user pages left out", "kernel/ptab.c",
           [("if (!pt->residual && !frame_is_current(*pfn)) return PTAB_STALE;", "")], ["host/mapdb_test", BASIC, SEAMS, KILLRESUME]),
    Mutant("epoch check left out when a page is mapped", "kernel/mapdb.c",
           [("if (!frame_is_current(pfn)) return false; ptab_make_current(dst);", "ptab_make_current(dst);")],
           ["host/mapdb_test", "host/mapdb_model_test"]),
    Mutant("page table made current by a map item without being protected", "kernel/mapdb.c",
           [("if (!frame_is_current(pfn)) return false; ptab_make_current(dst);", "if (!frame_is_current(pfn)) return false; dst->epoch = epoch;")],
           ["host/mapdb_test", "host/mapdb_model_test", EVICTED]),
    Mutant("page tables keep W across a snapshot", "kernel/ptab.c",
           [("m->writable = 0; pt->tlb_gen++;", "pt->tlb_gen++;"),
            ("pml4[i * 64 + (unsigned)__builtin_ctzl(used)] &= ~PTE_W;", "(void)pml4;")], ["host/mapdb_test", BASIC]),
    Mutant("TLB not flushed when a right is taken", "kernel/mapdb.c",
           [("ptab_of_space(entry_table(nd->pte)->space)->tlb_gen++;", "")], ["host/mapdb_test", "host/mapdb_model_test"]),
    Mutant("TLB not flushed when a mapping goes", "kernel/ptab.c",
           [("m = entry_table(e); } pt->tlb_gen++;", "m = entry_table(e); } (void)pt;")], ["host/mapdb_test", "host/mapdb_model_test"]),
    Mutant("TLB not flushed on the way back to the same space", "kernel/x86/switch.c",
           [("if (cpu->space && ptab_flush_needed(&cpu->space->pt)) load_space(cpu->space);", "")], ["guest/mapping@release"]),
    Mutant("epoch check of TCBs and UTCBs left out", "kernel/thread.c",
           [("if (!page_current(page)) { want_frame(w, page);", "if (!t && !page_current(page)) { want_frame(w, page);")],
           [BASIC, SEAMS, "guest/persist_basic@debug+ckpt", KILLRESUME]),
    Mutant("epoch check left out in the short way of IPC", "kernel/ipc_fast.c",
           [("return d->current_in == epoch && e->version", "return d->current_in && e->version")],
           [SEAMS, "guest/persist_seams@debug+ckpt", KILLRESUME]),
    Mutant("FPU state not saved before a snapshot", "kernel/framectl.c",
           [("fpu_disown(cpu->fpu_owner); epoch++;", "epoch++;")], ["guest/persist_basic@debug+ckpt", BASIC, KILLRESUME]),
    Mutant("FPU state not restored", "kernel/x86/fpu.c",
           [("restore(to->tcb->fpu); cpu->fpu_owner = to;", "cpu->fpu_owner = to;")], ["guest/fpu@release"]),
    Mutant("flags of a loaded TCB not checked", "kernel/object.c",
           [("(f->rflags & RFLAGS_ALWAYS) != RFLAGS_ALWAYS) return \"flags\";",
             "(f->rflags & RFLAGS_ALWAYS) != RFLAGS_ALWAYS) return NULL;")], ["host/kernel_test"]),
    Mutant("state of a loaded entry not checked", "kernel/object.c",
           [("if (e->state >= TS_COUNT || (e->kind", "if ((e->kind")], ["host/kernel_test"]),
    Mutant("selectors of a loaded TCB not checked", "kernel/object.c",
           [("if (f->cs != 0x23 || f->ss != 0x1b)", "if (f->cs != 0x23)")], ["host/kernel_test"]),
    Mutant("waiters of an answered event not released", "kernel/event.c",
           [("} while (t != end);", "} while (t == end);")], ["host/kernel_test"]),
    Mutant("question lost with the thread that asked it", "kernel/event.c",
           [("if (next != t) event_post(&next->park_event, t->park_key, 1);", "")], ["host/kernel_test"]),
    Mutant("wakeup queue out of order", "kernel/wakeup.c",
           [("get(child + 1)->wake_at < get(child)->wake_at", "get(child + 1)->wake_at > get(child)->wake_at")], ["host/kernel_test"]),

    # ---- The kernel: IPC, and what becomes of it at recovery
    Mutant("deadline lost at activation", "kernel/activate.c",
           [("else wakeup_set(t, e->deadline);", "")], ["host/activate_test", BASIC]),
    Mutant("what a pager is given is not held for who waits", "kernel/ticket.c",
           [("if (!first || (first != t && !serves_first(t)))", "if (first != t)")], ["host/kernel_test"]),
    Mutant("a pager that does not answer keeps the ticket", "kernel/ticket.c",
           [("else if (too_long(t) && pager_of(t)) ticket_leave(t);", "else if (too_long(t) && pager_of(t)) return t;")],
           ["host/kernel_test"]),
    Mutant("reply lost at activation", "kernel/activate.c",
           [("(dest->tte->flags & (TTE_ACTIVE | TTE_STOPPED)) != TTE_ACTIVE || ipc_accepts(dest, t)) {",
             "(dest->tte->flags & (TTE_ACTIVE | TTE_STOPPED)) != TTE_ACTIVE) {")], ["host/activate_test"]),
    Mutant("call to a residual server cancelled at recovery", "kernel/activate.c",
           [("if (e->kind & IPC_CALL_RESIDUAL || (e->kind", "if ((e->kind")], ["host/activate_test", SEAMS]),
    Mutant("abort noted before the cut is forgotten", "kernel/activate.c",
           [("if (e->state == TS_READY || e->pending)", "if (e->state == TS_READY)")], ["host/activate_test", EVICTED]),
    Mutant("committed send is sent again", "kernel/ipc.c",
           [("if (!thread_is_ckptserver(t) && w.count) { park(t, &w);",
             "if (!thread_is_ckptserver(t) && w.count) { if (t->tcb->ipc_to != L4_NILTHREAD) { t->tte->state = TS_SEND;"
             " t->tte->partner = t->tcb->ipc_to; } park(t, &w);")], [EVICTED]),
    Mutant("receive-pending does not count as waiting", "kernel/ipc.c",
           [("if (e->state != TS_RECV && e->state != TS_RECV_PENDING) return false;",
             "if (e->state != TS_RECV) return false;")], ["guest/ipc@release", SEAMS]),
    Mutant("receiver waits without its deadline", "kernel/ipc.c",
           [("if (t->tte->deadline != DEADLINE_NEVER) wakeup_set(t, t->tte->deadline);", "")], ["guest/ipc@release"]),
    Mutant("version of a thread id not looked at", "kernel/thread.h",
           [("if (unlikely(!t || t->tte->version != tid_version(id) ||", "if (unlikely(!t ||")],
           ["guest/threadcontrol@release", "guest/ipc@release"]),
]
