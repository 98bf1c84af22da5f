/* SPDX-License-Identifier: BSD-2-Clause
 * virtio-blk, modern PCI transport (virtio 1.x, sections 2.7, 4.1 and 5.2), one split queue.
 *
 * Each 4 KiB block of a request is a device request of its own and takes three descriptors (header, data,
 * status) at fixed places: slot i owns descriptors 3i .. 3i+2, so nothing is allocated at run time.
 * Requests whose blocks do not all have a slot wait in a list, in order.
 * In a waiting or running request dev_priv[0] counts blocks not yet completed, dev_priv[1] those started.
 * FLUSH is negotiated: without feature bit 9 a device silently turns write-through.
 *
 * States. What a slot names belongs to the device until it says that the block is done, or that it was reset.
 *
 *   NONE -> RUNNING             [disk_init]
 *   RUNNING -> RESETTING        [reset_begin]   the device asks for it, or has not answered in time
 *   RESETTING -> RUNNING        [device_back]   it was set up anew, and has everything that was under way once more
 *   RUNNING, RESETTING -> GONE  [device_gone]   not there, or useless: whatever is asked of it fails at once
 *   GONE -> RESETTING           [reset_begin]   looked for again, after a pause that doubles
 *
 * A request is told to fail only when the device can no longer touch its buffers. Nothing here waits, except
 * before recovery.
 */
#include "disk.h"

#include <linux/pci_regs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <l4/bootinfo.h>
#include <l4/print.h>
#include <stddef.h>

#include "io.h"
#include "log.h"
#include "pages.h"
#include "pci.h"
#include "server.h"

#define VENDOR_VIRTIO   0x1af4
#define DEVICE_BLK      0x1042          /* modern */
#define DEVICE_BLK_TRANS 0x1001         /* transitional, has the modern capabilities too */
#define QUEUE_MAX       256
#define LOOK_US         100000ul        /* between two looks at the device while it works */
#define CAPACITY_US     500000ul        /* between two looks at its size */
#define CAPACITY_TRIES  100u
#define RESET_US        2000000ul       /* a reset that takes longer is complained of, and asked for again */
#define ABSENT_US       100000ul        /* between two looks for a device that is gone: from … */
#define ABSENT_MAX_US   5000000ul       /* … to */
#define RESETS_MAX      3u              /* in a row, without one block done: the requests fail */
#define STATUS_GONE     0xff            /* what reading a device that is not there gives */

enum vb_state { VB_NONE, VB_RUNNING, VB_RESETTING, VB_GONE };
#define ANNOUNCE        8u              /* writes that are announced together */

struct slot {
	struct virtio_blk_outhdr hdr;   /* 16 bytes */
	uint8_t  status;
	uint8_t  pad[7];
	struct blkreq *req;
};
_Static_assert(sizeof(struct slot) == 32, "slots share pages");

static struct {
	enum vb_state state;
	struct pci_dev pci;
	uintptr_t common, device, notify_base, notify;
	uint32_t notify_mult;
	uint64_t sectors;
	bool can_flush, read_only;
	char name[24];

	unsigned qsize, slots;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t used_seen;
	uint64_t queue_phys;
	struct slot *slot;
	uint64_t slot_phys;
	uint64_t since[QUEUE_MAX / 3];  /* when the slot's block was given to the device */
	uint16_t free_slot[QUEUE_MAX / 3];
	unsigned free_slots;

	struct blkreq *wait_head, *wait_tail;
	unsigned unannounced;           /* started blocks that the device was not told of */
	bool read_unannounced;          /* ... with a read or a flush among them */
	unsigned in_flight;
	uint64_t completed, reads;
	uint64_t first_sector;          /* of the partition */
	uint64_t part_blocks;

	uint64_t look_tsc;              /* next look at the device */
	uint64_t capacity_tsc;          /* … at its size; 0: a request has failed */
	uint64_t pause_us;              /* RESETTING, GONE: until the one after that */
	unsigned resets_in_row;
	struct disk_failure failure;
	struct blkreq sector_req;       /* of disk_read_sector */
	void *sector_buf;
} vb;

static void vb_submit(struct blkdev *dev, struct blkreq *r);
static unsigned vb_poll(struct blkdev *dev);
static void vb_wait(struct blkdev *dev);

struct blkdev disk_dev = { 0, vb_submit, vb_poll, vb_wait };

static bool is_virtio_blk(struct pci_dev d)
{
	uint16_t dev = pci_read16(d, PCI_DEVICE_ID);

	return pci_read16(d, PCI_VENDOR_ID) == VENDOR_VIRTIO &&
	       (dev == DEVICE_BLK || dev == DEVICE_BLK_TRANS);
}

static bool map_capabilities(void)
{
	unsigned cap = 0;

	vb.common = vb.device = vb.notify_base = 0;
	while ((cap = pci_find_cap(vb.pci, PCI_CAP_ID_VNDR, cap)) != 0) {
		unsigned type = pci_read8(vb.pci, cap + VIRTIO_PCI_CAP_CFG_TYPE);
		unsigned bar = pci_read8(vb.pci, cap + VIRTIO_PCI_CAP_BAR);
		uint32_t off = pci_read32(vb.pci, cap + VIRTIO_PCI_CAP_OFFSET);
		uint64_t base;

		if (type != VIRTIO_PCI_CAP_COMMON_CFG && type != VIRTIO_PCI_CAP_NOTIFY_CFG &&
		    type != VIRTIO_PCI_CAP_DEVICE_CFG)
			continue;
		base = pci_bar(vb.pci, bar);
		if (!base)
			continue;
		base += SIGMA0_PHYS_BASE + off;
		if (type == VIRTIO_PCI_CAP_COMMON_CFG && !vb.common)
			vb.common = base;
		if (type == VIRTIO_PCI_CAP_DEVICE_CFG && !vb.device)
			vb.device = base;
		if (type == VIRTIO_PCI_CAP_NOTIFY_CFG && !vb.notify_base) {
			vb.notify_base = base;
			vb.notify_mult = pci_read32(vb.pci, cap + VIRTIO_PCI_NOTIFY_CAP_MULT);
		}
	}
	return vb.common && vb.device && vb.notify_base;
}

static uint32_t features_read(uint32_t half)
{
	mmio_write32(vb.common + VIRTIO_PCI_COMMON_DFSELECT, half);
	return mmio_read32(vb.common + VIRTIO_PCI_COMMON_DF);
}

static void features_write(uint32_t half, uint32_t v)
{
	mmio_write32(vb.common + VIRTIO_PCI_COMMON_GFSELECT, half);
	mmio_write32(vb.common + VIRTIO_PCI_COMMON_GF, v);
}

static uint8_t status_read(void)
{
	return mmio_read8(vb.common + VIRTIO_PCI_COMMON_STATUS);
}

static void status_add(uint8_t bit)
{
	mmio_write8(vb.common + VIRTIO_PCI_COMMON_STATUS, status_read() | bit);
}

/* The device has been reset: its status reads 0. */
static bool negotiate(void)
{
	uint32_t low, high;

	status_add(VIRTIO_CONFIG_S_ACKNOWLEDGE);
	status_add(VIRTIO_CONFIG_S_DRIVER);
	low = features_read(0);
	high = features_read(1);
	vb.can_flush = low & (1u << VIRTIO_BLK_F_FLUSH);
	vb.read_only = low & (1u << VIRTIO_BLK_F_RO);
	if (!(high & (1u << (VIRTIO_F_VERSION_1 - 32))))
		return false;
	features_write(0, low & (1u << VIRTIO_BLK_F_FLUSH | 1u << VIRTIO_BLK_F_RO));
	features_write(1, 1u << (VIRTIO_F_VERSION_1 - 32) |
		       (high & (1u << (VIRTIO_F_ACCESS_PLATFORM - 32))));
	status_add(VIRTIO_CONFIG_S_FEATURES_OK);
	return status_read() & VIRTIO_CONFIG_S_FEATURES_OK;
}

static void write64(unsigned reg, uint64_t v)
{
	mmio_write32(vb.common + reg, (uint32_t)v);
	mmio_write32(vb.common + reg + 4, (uint32_t)(v >> 32));
}

/* Rings in one page each, slots in two: at most 256 descriptors, 85 slots. Once, for good. */
static bool queue_alloc(void)
{
	uint64_t phys = server_alloc_phys(5);

	if (!phys)
		return false;
	vb.queue_phys = phys;
	vb.desc = phys_to_virt(phys);
	vb.avail = phys_to_virt(phys + 4096);
	vb.used = phys_to_virt(phys + 2 * 4096);
	vb.slot = phys_to_virt(phys + 3 * 4096);
	vb.slot_phys = phys + 3 * 4096;
	return true;
}

/* Its size is fixed the first time: slots may be in use when the device comes back. */
static bool queue_size(void)
{
	uint16_t n = mmio_read16(vb.common + VIRTIO_PCI_COMMON_Q_SIZE);

	if (vb.qsize)
		return n >= vb.qsize;
	if (n < 3)
		return false;
	vb.qsize = n < QUEUE_MAX ? n : QUEUE_MAX;
	vb.slots = vb.qsize / 3u;
	for (unsigned i = 0; i < vb.slots; i++)
		vb.free_slot[vb.free_slots++] = (uint16_t)i;
	return true;
}

/* An empty queue, which knows nothing of what was under way. */
static bool queue_start(void)
{
	mmio_write16(vb.common + VIRTIO_PCI_COMMON_Q_SELECT, 0);
	if (!queue_size())
		return false;
	vb.avail->idx = vb.used->idx = vb.used_seen = 0;
	vb.avail->flags = vb.used->flags = 0;
	mmio_write16(vb.common + VIRTIO_PCI_COMMON_Q_SIZE, (uint16_t)vb.qsize);
	write64(VIRTIO_PCI_COMMON_Q_DESCLO, vb.queue_phys);
	write64(VIRTIO_PCI_COMMON_Q_AVAILLO, vb.queue_phys + 4096);
	write64(VIRTIO_PCI_COMMON_Q_USEDLO, vb.queue_phys + 2 * 4096);
	mmio_write16(vb.common + VIRTIO_PCI_COMMON_Q_MSIX, 0);
	if (mmio_read16(vb.common + VIRTIO_PCI_COMMON_Q_MSIX) != 0)
		return false;
	vb.notify = vb.notify_base + (uintptr_t)mmio_read16(vb.common + VIRTIO_PCI_COMMON_Q_NOFF) * vb.notify_mult;
	mmio_write16(vb.common + VIRTIO_PCI_COMMON_Q_ENABLE, 1);
	return true;
}

/* The whole disk's size, and with it how much of the partition there is. In two halves: it may change in between. False: it
 * does, so look again later. */
static bool read_capacity(void)
{
	uint8_t generation = mmio_read8(vb.common + VIRTIO_PCI_COMMON_CFGGENERATION);
	uint64_t sectors = mmio_read32(vb.device) | (uint64_t)mmio_read32(vb.device + 4) << 32, blocks;

	if (generation != mmio_read8(vb.common + VIRTIO_PCI_COMMON_CFGGENERATION))
		return false;
	vb.sectors = sectors;
	blocks = sectors > vb.first_sector ? (sectors - vb.first_sector) / (BLK_SIZE / 512) : 0;
	if (blocks > vb.part_blocks)
		blocks = vb.part_blocks;
	if (blocks < vb.part_blocks && blocks != disk_dev.blocks)
		log_error("disk %s: its partition has %lu blocks, of which %lu can be reached", vb.name, vb.part_blocks,
			  blocks);
	else if (blocks != disk_dev.blocks)
		log_line("[ckpt] disk %s: all %lu blocks of its partition can be reached again", vb.name, blocks);
	disk_dev.blocks = blocks;
	return true;
}

/* A disk may become smaller, or larger again, while it works. */
static void look_capacity(uint64_t now)
{
	if (now >= vb.capacity_tsc && read_capacity())
		vb.capacity_tsc = now + time_ticks(CAPACITY_US);
}

/* From a reset device to one that takes requests. NULL, or what is wrong. */
static const char *device_start(void)
{
	if (!negotiate() || !pci_msix_enable(vb.pci, 0, DISK_IRQ) || !queue_start()) {
		mmio_write8(vb.common + VIRTIO_PCI_COMMON_STATUS, VIRTIO_CONFIG_S_FAILED);
		return "cannot be set up";
	}
	if (vb.read_only)
		return "read-only";
	for (unsigned tries = 0; tries < CAPACITY_TRIES && !read_capacity(); tries++)
		;
	status_add(VIRTIO_CONFIG_S_DRIVER_OK);
	return NULL;
}

/* The first time, and the only one that waits. */
static const char *device_first(void)
{
	uint64_t end = rdtsc() + time_ticks(RESET_US);

	if (!map_capabilities())
		return "no modern virtio interface";
	pci_enable(vb.pci);
	mmio_write8(vb.common + VIRTIO_PCI_COMMON_STATUS, 0);
	while (status_read())                   /* reset is done when it reads 0 */
		if (rdtsc() > end)
			return "cannot be reset";
	return device_start();
}

bool disk_init(void)
{
	const char *why;

	if (!pci_find(is_virtio_blk, &vb.pci))
		return false;
	snprintf(vb.name, sizeof vb.name, "virtio-blk:%02x:%02x.%u", vb.pci.bus, vb.pci.dev, vb.pci.fn);
	vb.sector_buf = server_alloc(PAGE_BYTES);
	if (!vb.sector_buf || !queue_alloc() || !server_take_irq(DISK_IRQ))
		return false;
	why = device_first();
	if (why) {
		log_error("disk %s: %s", vb.name, why);
		return false;
	}
	vb.state = VB_RUNNING;
	return true;
}

uint64_t disk_sectors(void)
{
	return vb.sectors;
}

const char *disk_name(void)
{
	return vb.name;
}

void disk_set_partition(uint64_t first_sector, uint64_t last_sector)
{
	vb.first_sector = first_sector;
	vb.part_blocks = disk_dev.blocks = (last_sector - first_sector + 1) / (BLK_SIZE / 512);
}

unsigned disk_in_flight(void)
{
	return vb.in_flight;
}

uint64_t disk_completed(void)
{
	return vb.completed;
}

uint64_t disk_reads(void)
{
	return vb.reads;
}

const struct disk_failure *disk_failure(void)
{
	return &vb.failure;
}

bool disk_works(void)
{
	return vb.state == VB_RUNNING;
}

static void announce(unsigned slot)
{
	vb.slot[slot].status = 0xff;
	vb.since[slot] = rdtsc();
	vb.avail->ring[vb.avail->idx % vb.qsize] = (uint16_t)(3u * slot);
	/* The device must see the entry before the index that announces it. */
	__atomic_store_n(&vb.avail->idx, (uint16_t)(vb.avail->idx + 1), __ATOMIC_RELEASE);
}

static void desc_set(unsigned i, uint64_t addr, uint32_t len, uint16_t flags, unsigned next)
{
	vb.desc[i] = (struct vring_desc){ .addr = addr, .len = len, .flags = flags,
					  .next = (uint16_t)next };
}

/* Puts one block of r, or its flush, or the sector of disk_read_sector, into a free slot. */
static void start_block(struct blkreq *r, uint32_t index)
{
	uint16_t n = vb.free_slot[--vb.free_slots];
	struct slot *s = &vb.slot[n];
	uint64_t sp = vb.slot_phys + n * sizeof(struct slot);
	unsigned d = 3u * n;

	s->req = r;
	s->hdr.ioprio = 0;
	if (r->op == BLK_FLUSH) {
		s->hdr.type = VIRTIO_BLK_T_FLUSH;
		s->hdr.sector = 0;
		desc_set(d, sp, sizeof s->hdr, VRING_DESC_F_NEXT, d + 2);
	} else {
		bool sector = r == &vb.sector_req;

		s->hdr.type = r->op == BLK_READ ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT;
		s->hdr.sector = sector ? r->block :
				vb.first_sector + (r->block + index) * (BLK_SIZE / 512);
		desc_set(d, sp, sizeof s->hdr, VRING_DESC_F_NEXT, d + 1);
		desc_set(d + 1, virt_to_phys(r->bufs[index]), sector ? 512 : BLK_SIZE,
			 VRING_DESC_F_NEXT | (r->op == BLK_READ ? VRING_DESC_F_WRITE : 0), d + 2);
	}
	desc_set(d + 2, sp + offsetof(struct slot, status), 1, VRING_DESC_F_WRITE, 0);
	announce(n);
}

/* Tells the device, unless it says that it is looking anyway. The fence orders our index before
 * the read of its flag; the device does the reverse. */
static void kick(void)
{
	vb.unannounced = 0;
	vb.read_unannounced = false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(__atomic_load_n(&vb.used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY))
		mmio_write16(vb.notify, 0);
}

/* It costs more than everything else that a request does. A device that is being reset is told of all it has afterwards. */
void disk_announce(bool more)
{
	if (vb.unannounced && vb.state == VB_RUNNING && (!more || vb.read_unannounced || vb.unannounced >= ANNOUNCE))
		kick();
}

static uint32_t units(const struct blkreq *r)
{
	return r->op == BLK_FLUSH ? 1 : r->count;
}

/* A flush that the device does not need, an access beyond the partition, anything while there is no device: decided
 * without it, but completed from poll like any other. Its blocks count as started. */
static bool decided(struct blkreq *r)
{
	if (vb.state == VB_GONE) {
		r->status = BLK_EIO;
		return true;
	}
	if (r == &vb.sector_req)
		return false;
	if (r->op == BLK_FLUSH)
		return !vb.can_flush;
	if (r->count && r->block < disk_dev.blocks && r->count <= disk_dev.blocks - r->block)
		return false;
	r->status = BLK_ERANGE;
	return true;
}

static void start_waiting(void)
{
	while (vb.state == VB_RUNNING && vb.wait_head && vb.free_slots) {
		struct blkreq *r = vb.wait_head;

		if (r->dev_priv[1] == units(r))
			break;                          /* decided: poll completes it */
		start_block(r, (uint32_t)r->dev_priv[1]++);
		vb.unannounced++;
		vb.read_unannounced |= r->op != BLK_WRITE;
		if (r->dev_priv[1] == units(r))
			vb.wait_head = r->link;
	}
}

bool disk_needs_poll(void)
{
	return vb.wait_head && vb.wait_head->dev_priv[1] == units(vb.wait_head);
}

static void vb_submit(struct blkdev *dev, struct blkreq *r)
{
	(void)dev;
	r->status = BLK_OK;
	r->link = NULL;
	r->dev_priv[0] = units(r);
	r->dev_priv[1] = decided(r) ? units(r) : 0;
	vb.in_flight += units(r);
	if (vb.wait_head)
		vb.wait_tail->link = r;
	else
		vb.wait_head = r;
	vb.wait_tail = r;
	start_waiting();
}

static void remember_failure(enum blk_op op, uint64_t block)
{
	vb.failure.op = op;
	vb.failure.block = block;
	vb.failure.count++;
}

static void unit_done(struct blkreq *r, bool ok, uint64_t block)
{
	vb.in_flight--;
	if (ok) {
		vb.completed++;
		vb.reads += r->op == BLK_READ;
	} else {
		r->status = BLK_EIO;
		remember_failure(r->op, block);
	}
	if (--r->dev_priv[0] == 0)
		r->done(r);
}

/* Block of the partition, or sector of the disk for the one request that reads sectors. */
static uint64_t slot_block(const struct slot *s)
{
	return s->req == &vb.sector_req ? s->hdr.sector : (s->hdr.sector - vb.first_sector) / (BLK_SIZE / 512);
}

/* The block of a slot is done, or will never be. False: there is none. */
static bool slot_done(unsigned n, bool ok)
{
	struct slot *s = &vb.slot[n];
	struct blkreq *r = s->req;
	uint64_t block;

	if (!r)
		return false;
	block = r->op == BLK_FLUSH ? 0 : slot_block(s);
	s->req = NULL;
	vb.free_slot[vb.free_slots++] = (uint16_t)n;
	unit_done(r, ok, block);
	return true;
}

/* What the device has put on the used ring. */
static unsigned complete_used(void)
{
	unsigned n = 0;

	while (__atomic_load_n(&vb.used->idx, __ATOMIC_ACQUIRE) != vb.used_seen) {
		uint32_t id = vb.used->ring[vb.used_seen++ % vb.qsize].id;

		if (id % 3 || id / 3 >= vb.slots)
			continue;                       /* the device talks nonsense */
		if (vb.slot[id / 3].status != VIRTIO_BLK_S_OK)
			vb.capacity_tsc = 0;
		n += slot_done(id / 3, vb.slot[id / 3].status == VIRTIO_BLK_S_OK);
	}
	if (n)
		vb.resets_in_row = 0;
	return n;
}

/* Requests at the head of the list that were decided at submission. */
static unsigned complete_decided(void)
{
	unsigned n = 0;

	while (vb.wait_head && vb.wait_head->dev_priv[1] == units(vb.wait_head)) {
		struct blkreq *r = vb.wait_head;

		vb.wait_head = r->link;
		vb.in_flight -= (unsigned)r->dev_priv[0];
		if (r->status != BLK_OK)
			remember_failure(r->op, r->block);
		r->done(r);
		n++;
	}
	return n;
}

unsigned disk_interrupt(void)
{
	unsigned n = 0;

	if (vb.state == VB_NONE)
		return 0;
	if (vb.state == VB_RUNNING)
		n += complete_used();
	do {
		n += complete_decided();
		start_waiting();
	} while (disk_needs_poll());
	return n;
}

/* ---- Trouble ----------------------------------------------------------------------------------- */

static const char *op_name(enum blk_op op)
{
	return op == BLK_READ ? "read" : op == BLK_WRITE ? "write" : "flush";
}

/* Requests in the list, whole or in part. What they ask for anew meanwhile is not of these. */
static void fail_waiting(void)
{
	struct blkreq *list = vb.wait_head;

	vb.wait_head = NULL;
	while (list) {
		struct blkreq *r = list;

		list = r->link;
		vb.in_flight -= (unsigned)r->dev_priv[0];
		if (r->status == BLK_OK)
			r->status = BLK_EIO;
		remember_failure(r->op, r->block);
		r->done(r);
	}
}

/* The device does not touch memory any more: everything asked of it fails. */
static void fail_all(void)
{
	for (unsigned i = 0; i < vb.slots; i++) {
		struct slot *s = &vb.slot[i];

		/* Of a request that still waits for a slot the started blocks fail with it, once. */
		if (s->req && s->req == vb.wait_head && s->req->dev_priv[1] < units(s->req)) {
			s->req = NULL;
			vb.free_slot[vb.free_slots++] = (uint16_t)i;
		}
	}
	for (unsigned i = 0; i < vb.slots; i++)
		slot_done(i, false);
	fail_waiting();
}

static void device_gone(uint64_t now, const char *why)
{
	if (vb.state != VB_GONE) {
		log_error("disk %s: %s; requests under way fail: %u", vb.name, why, vb.in_flight);
		vb.pause_us = ABSENT_US;
	} else {
		vb.pause_us = vb.pause_us < ABSENT_MAX_US / 2 ? vb.pause_us * 2 : ABSENT_MAX_US;
	}
	vb.state = VB_GONE;
	vb.look_tsc = now + time_ticks(vb.pause_us);
	fail_all();
}

static void reset_begin(uint64_t now)
{
	mmio_write8(vb.common + VIRTIO_PCI_COMMON_STATUS, 0);
	vb.state = VB_RESETTING;
	vb.pause_us = RESET_US;
	vb.look_tsc = now + time_ticks(RESET_US);
}

/* It is reset: what it had finished before is done, the rest it gets again. Every operation may be made twice. */
static void device_back(uint64_t now)
{
	unsigned again = 0;
	const char *why;

	complete_used();
	if (vb.resets_in_row++ >= RESETS_MAX) {
		vb.resets_in_row = 0;
		device_gone(now, "was reset in vain");
		return;
	}
	why = device_start();
	if (why) {
		device_gone(now, why);
		return;
	}
	vb.state = VB_RUNNING;
	vb.look_tsc = now + time_ticks(LOOK_US);
	for (unsigned i = 0; i < vb.slots; i++) {
		if (vb.slot[i].req) {
			announce(i);
			again++;
		}
	}
	if (again)
		kick();
	log_line("[ckpt] disk %s: works again, requests made again: %u", vb.name, again);
	start_waiting();
}

/* The slot whose block has been with the device for longest; vb.slots: none has. */
static unsigned oldest_slot(void)
{
	unsigned oldest = vb.slots;

	for (unsigned i = 0; i < vb.slots; i++)
		if (vb.slot[i].req && (oldest == vb.slots || vb.since[i] < vb.since[oldest]))
			oldest = i;
	return oldest;
}

static void look_patience(uint64_t now, unsigned slot)
{
	static struct log_limit limit;
	const struct slot *s = &vb.slot[slot];
	uint64_t us = now > vb.since[slot] ? time_us(now - vb.since[slot]) : 0;
	bool over = us >= options.disk_timeout_us;
	unsigned repeated;

	if (over || (us >= options.disk_timeout_us / 3 && log_limited(&limit, &repeated)))
		log_error("disk %s: no answer for %lu ms to the %s of block=%lu; requests under way: %u%s", vb.name, us / 1000,
			  op_name(s->req->op), s->req->op == BLK_FLUSH ? 0 : slot_block(s), vb.in_flight,
			  over ? "; reset" : "");
	if (over)
		reset_begin(now);
}

static void look_running(uint64_t now)
{
	uint8_t status = status_read();
	unsigned oldest;

	vb.look_tsc = now + time_ticks(LOOK_US);
	if (status == STATUS_GONE) {
		device_gone(now, "is gone");
		return;
	}
	if (status & VIRTIO_CONFIG_S_NEEDS_RESET || !(status & VIRTIO_CONFIG_S_DRIVER_OK)) {
		log_error("disk %s: asks for a reset; requests under way: %u", vb.name, vb.in_flight);
		reset_begin(now);
		return;
	}
	oldest = oldest_slot();
	if (oldest < vb.slots)
		look_patience(now, oldest);
}

static void look_resetting(uint64_t now)
{
	uint8_t status = status_read();

	if (!status) {
		device_back(now);
	} else if (status == STATUS_GONE) {
		device_gone(now, "is gone");
	} else if (now >= vb.look_tsc) {
		log_error("disk %s: does not take a reset; requests under way: %u", vb.name, vb.in_flight);
		mmio_write8(vb.common + VIRTIO_PCI_COMMON_STATUS, 0);
		vb.pause_us *= 2;
		vb.look_tsc = now + time_ticks(vb.pause_us);
	}
}

static void look_gone(uint64_t now)
{
	if (now < vb.look_tsc)
		return;
	if (!is_virtio_blk(vb.pci) || !map_capabilities()) {
		device_gone(now, NULL);
		return;
	}
	pci_enable(vb.pci);
	if (status_read() == STATUS_GONE)
		device_gone(now, NULL);
	else
		reset_begin(now);
}

bool disk_tick(uint64_t now)
{
	uint64_t before = vb.completed + vb.failure.count;

	switch (vb.state) {
	case VB_NONE:
		return false;
	case VB_RUNNING:
		disk_interrupt();               /* should an interrupt have been lost */
		if (vb.in_flight && now >= vb.look_tsc)
			look_running(now);
		if (vb.state == VB_RUNNING)
			look_capacity(now);
		break;
	case VB_RESETTING:
		look_resetting(now);
		break;
	case VB_GONE:
		look_gone(now);
		break;
	}
	if (vb.state == VB_RESETTING)
		look_resetting(now);            /* most devices are reset at once */
	return vb.completed + vb.failure.count != before;
}

void disk_break(void)
{
	if (vb.state != VB_RUNNING)
		return;
	/* A chain that begins with a descriptor there is not. */
	vb.avail->ring[vb.avail->idx % vb.qsize] = (uint16_t)vb.qsize;
	__atomic_store_n(&vb.avail->idx, (uint16_t)(vb.avail->idx + 1), __ATOMIC_RELEASE);
	kick();
}

bool disk_wants_tick(void)
{
	return vb.in_flight || vb.state == VB_RESETTING || vb.state == VB_GONE;
}

static unsigned vb_poll(struct blkdev *dev)
{
	(void)dev;
	return disk_interrupt();
}

static void vb_wait(struct blkdev *dev)
{
	(void)dev;
	disk_announce(false);
	while (vb.in_flight && !disk_interrupt() && !disk_tick(rdtsc())) {
		disk_announce(false);
		server_wait_irq(DISK_IRQ);
	}
}

static void sector_done(struct blkreq *r)
{
	r->owner = NULL;
}

int disk_read_sector(uint64_t sector, void *buf)
{
	struct blkreq *r = &vb.sector_req;
	const uint8_t *from = vb.sector_buf;
	uint8_t *to = buf;

	*r = (struct blkreq){ .op = BLK_READ, .count = 1, .block = sector, .bufs = &vb.sector_buf,
			      .done = sector_done, .owner = r };
	vb_submit(&disk_dev, r);
	while (r->owner)
		vb_wait(&disk_dev);
	for (unsigned i = 0; i < 512; i++)
		to[i] = from[i];
	return r->status == BLK_OK ? 0 : -1;
}
