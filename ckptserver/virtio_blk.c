/* SPDX-License-Identifier: BSD-2-Clause
 * virtio-blk, modern PCI transport (virtio 1.x, sections 2.7, 4.1 and 5.2), one split queue.
 *
 * Each 4 KiB block of a request is a device request of its own and takes three descriptors (header, data,
 * status) at fixed places: slot i owns descriptors 3i .. 3i+2, so nothing is allocated at run time.
 * Requests whose blocks do not all have a slot wait in a list, in order.
 * In a waiting or running request dev_priv[0] counts blocks not yet completed, dev_priv[1] those started.
 * FLUSH is negotiated: without feature bit 9 a device silently turns write-through.
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
#define NO_SLOT         0xffff

struct slot {
	struct virtio_blk_outhdr hdr;   /* 16 bytes */
	uint8_t  status;
	uint8_t  pad[7];
	struct blkreq *req;
};
_Static_assert(sizeof(struct slot) == 32, "slots share pages");

static struct {
	struct pci_dev pci;
	uintptr_t common, device, notify;
	uint32_t notify_mult;
	uint64_t sectors;
	bool can_flush, read_only;
	char name[24];

	unsigned qsize, slots;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t used_seen;
	struct slot *slot;
	uint64_t slot_phys;
	uint16_t free_slot[QUEUE_MAX / 3];
	unsigned free_slots;

	struct blkreq *wait_head, *wait_tail;
	unsigned in_flight;
	uint64_t completed;
	uint64_t first_sector;          /* of the partition */
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
		if (type == VIRTIO_PCI_CAP_NOTIFY_CFG && !vb.notify) {
			vb.notify = base;
			vb.notify_mult = pci_read32(vb.pci, cap + VIRTIO_PCI_NOTIFY_CAP_MULT);
		}
	}
	return vb.common && vb.device && vb.notify;
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

static void status_add(uint8_t bit)
{
	uint8_t s = mmio_read8(vb.common + VIRTIO_PCI_COMMON_STATUS);

	mmio_write8(vb.common + VIRTIO_PCI_COMMON_STATUS, s | bit);
}

static bool negotiate(void)
{
	uint32_t low, high;

	mmio_write8(vb.common + VIRTIO_PCI_COMMON_STATUS, 0);
	while (mmio_read8(vb.common + VIRTIO_PCI_COMMON_STATUS))
		;                               /* reset is done when it reads 0 */
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
	return mmio_read8(vb.common + VIRTIO_PCI_COMMON_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK;
}

static void write64(unsigned reg, uint64_t v)
{
	mmio_write32(vb.common + reg, (uint32_t)v);
	mmio_write32(vb.common + reg + 4, (uint32_t)(v >> 32));
}

/* Rings in one page each, slots in two: at most 256 descriptors, 85 slots. */
static bool queue_init(void)
{
	uint64_t phys = server_alloc_phys(5);
	uint16_t n;

	if (!phys)
		return false;
	mmio_write16(vb.common + VIRTIO_PCI_COMMON_Q_SELECT, 0);
	n = mmio_read16(vb.common + VIRTIO_PCI_COMMON_Q_SIZE);
	if (n > QUEUE_MAX)
		n = QUEUE_MAX;
	if (n < 3)
		return false;
	vb.qsize = n;
	vb.slots = n / 3u;
	vb.desc = phys_to_virt(phys);
	vb.avail = phys_to_virt(phys + 4096);
	vb.used = phys_to_virt(phys + 2 * 4096);
	vb.slot = phys_to_virt(phys + 3 * 4096);
	vb.slot_phys = phys + 3 * 4096;
	for (unsigned i = 0; i < vb.slots; i++)
		vb.free_slot[vb.free_slots++] = (uint16_t)(vb.slots - 1 - i);
	mmio_write16(vb.common + VIRTIO_PCI_COMMON_Q_SIZE, n);
	write64(VIRTIO_PCI_COMMON_Q_DESCLO, phys);
	write64(VIRTIO_PCI_COMMON_Q_AVAILLO, phys + 4096);
	write64(VIRTIO_PCI_COMMON_Q_USEDLO, phys + 2 * 4096);
	mmio_write16(vb.common + VIRTIO_PCI_COMMON_Q_MSIX, 0);
	if (mmio_read16(vb.common + VIRTIO_PCI_COMMON_Q_MSIX) != 0)
		return false;
	vb.notify += (uintptr_t)mmio_read16(vb.common + VIRTIO_PCI_COMMON_Q_NOFF) * vb.notify_mult;
	mmio_write16(vb.common + VIRTIO_PCI_COMMON_Q_ENABLE, 1);
	return true;
}

/* The device is found and its queue stands. */
static bool device_start(void)
{
	if (!map_capabilities()) {
		log_error("disk %s: no modern virtio interface", vb.name);
		return false;
	}
	pci_enable(vb.pci);
	if (!negotiate() || !pci_msix_enable(vb.pci, 0, DISK_IRQ) || !queue_init()) {
		log_error("disk %s: cannot be set up", vb.name);
		mmio_write8(vb.common + VIRTIO_PCI_COMMON_STATUS, VIRTIO_CONFIG_S_FAILED);
		return false;
	}
	if (vb.read_only) {
		log_error("disk %s: read-only", vb.name);
		return false;
	}
	status_add(VIRTIO_CONFIG_S_DRIVER_OK);
	return true;
}

bool disk_init(void)
{
	if (!pci_find(is_virtio_blk, &vb.pci))
		return false;
	snprintf(vb.name, sizeof vb.name, "virtio-blk:%02x:%02x.%u", vb.pci.bus, vb.pci.dev, vb.pci.fn);
	vb.sector_buf = server_alloc(PAGE_BYTES);
	if (!vb.sector_buf || !server_take_irq(DISK_IRQ) || !device_start())
		return false;
	vb.sectors = mmio_read32(vb.device) | (uint64_t)mmio_read32(vb.device + 4) << 32;
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
	disk_dev.blocks = (last_sector - first_sector + 1) / (BLK_SIZE / 512);
}

unsigned disk_in_flight(void)
{
	return vb.in_flight;
}

uint64_t disk_completed(void)
{
	return vb.completed;
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
	s->status = 0xff;
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
	vb.avail->ring[vb.avail->idx % vb.qsize] = (uint16_t)d;
	/* The device must see the entry before the index that announces it. */
	__atomic_store_n(&vb.avail->idx, (uint16_t)(vb.avail->idx + 1), __ATOMIC_RELEASE);
}

/* Tells the device, unless it says that it is looking anyway. The fence orders our index before
 * the read of its flag; the device does the reverse. */
static void kick(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(__atomic_load_n(&vb.used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY))
		mmio_write16(vb.notify, 0);
}

static uint32_t units(const struct blkreq *r)
{
	return r->op == BLK_FLUSH ? 1 : r->count;
}

/* A flush that the device does not need, or an access beyond the partition: decided without the device,
 * but completed from poll like any other. Its blocks count as started. */
static bool decided(struct blkreq *r)
{
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
	bool any = false;

	while (vb.wait_head && vb.free_slots) {
		struct blkreq *r = vb.wait_head;

		if (r->dev_priv[1] == units(r))
			break;                          /* decided: poll completes it */
		start_block(r, (uint32_t)r->dev_priv[1]++);
		any = true;
		if (r->dev_priv[1] == units(r))
			vb.wait_head = r->link;
	}
	if (any)
		kick();
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

static void unit_done(struct blkreq *r, bool ok)
{
	vb.in_flight--;
	vb.completed++;
	if (!ok)
		r->status = BLK_EIO;
	if (--r->dev_priv[0] == 0)
		r->done(r);
}

static struct blkreq *slot_release(uint32_t id, bool *ok)
{
	struct slot *s;
	struct blkreq *r;

	if (id % 3 || id / 3 >= vb.slots)
		return NULL;                            /* the device talks nonsense */
	s = &vb.slot[id / 3];
	r = s->req;
	if (!r)
		return NULL;
	s->req = NULL;
	*ok = s->status == VIRTIO_BLK_S_OK;
	vb.free_slot[vb.free_slots++] = (uint16_t)(id / 3);
	return r;
}

/* Requests at the head of the list that were decided at submission. */
static unsigned complete_decided(void)
{
	unsigned n = 0;

	while (vb.wait_head && vb.wait_head->dev_priv[1] == units(vb.wait_head)) {
		struct blkreq *r = vb.wait_head;

		vb.wait_head = r->link;
		vb.in_flight -= (unsigned)r->dev_priv[0];
		r->done(r);
		n++;
	}
	return n;
}

unsigned disk_interrupt(void)
{
	unsigned n = 0;

	if (!vb.used)
		return 0;
	while (__atomic_load_n(&vb.used->idx, __ATOMIC_ACQUIRE) != vb.used_seen) {
		uint32_t id = vb.used->ring[vb.used_seen++ % vb.qsize].id;
		bool ok = false;
		struct blkreq *r = slot_release(id, &ok);

		if (r) {
			unit_done(r, ok);
			n++;
		}
	}
	do {
		n += complete_decided();
		start_waiting();
	} while (disk_needs_poll());
	return n;
}

static unsigned vb_poll(struct blkdev *dev)
{
	(void)dev;
	return disk_interrupt();
}

static void vb_wait(struct blkdev *dev)
{
	(void)dev;
	while (vb.in_flight && !disk_interrupt())
		server_wait_irq(DISK_IRQ);
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
