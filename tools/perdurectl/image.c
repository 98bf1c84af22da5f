/* SPDX-License-Identifier: BSD-2-Clause
 * The block device over a file: requests are carried out when submitted and completed at the next poll or wait,
 * as the rules of blkdev.h want it. A machine that runs on the image is noticed by its file lock (QEMU keeps one).
 */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gpt.h"
#include "tool.h"

/* All bytes, or false with errno set. */
static bool transfer(const struct image *img, bool write, void *buf, size_t bytes, uint64_t at)
{
	while (bytes) {
		ssize_t n = write ? pwrite(img->fd, buf, bytes, (off_t)at) : pread(img->fd, buf, bytes, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		buf = (char *)buf + n;
		at += (uint64_t)n;
		bytes -= (size_t)n;
	}
	return true;
}

static enum blk_status carry_out(struct image *img, struct blkreq *req)
{
	if (req->op == BLK_FLUSH)
		return !img->writable || fsync(img->fd) == 0 ? BLK_OK : BLK_EIO;
	if (req->block >= img->dev.blocks || req->count > img->dev.blocks - req->block)
		return BLK_ERANGE;
	if (req->op == BLK_WRITE && !img->writable)
		return BLK_EIO;
	for (uint32_t i = 0; i < req->count; i++)
		if (!transfer(img, req->op == BLK_WRITE, req->bufs[i], BLK_SIZE,
			      img->offset + (req->block + i) * BLK_SIZE))
			return BLK_EIO;
	return BLK_OK;
}

static void image_submit(struct blkdev *dev, struct blkreq *req)
{
	struct image *img = (struct image *)dev;

	req->status = carry_out(img, req);
	if (req->status != BLK_OK)
		img->errors++;
	req->link = NULL;
	*img->tail = req;
	img->tail = &req->link;
}

static unsigned image_poll(struct blkdev *dev)
{
	struct image *img = (struct image *)dev;
	unsigned n = 0;

	while (img->head) {
		struct blkreq *req = img->head;

		img->head = req->link;
		if (!img->head)
			img->tail = &img->head;
		req->done(req);
		n++;
	}
	return n;
}

static void image_wait(struct blkdev *dev)
{
	image_poll(dev);
}

static int read_sector(void *ctx, uint64_t sector, void *buf)
{
	return !transfer(ctx, false, buf, GPT_SECTOR, sector * GPT_SECTOR);
}

/* A lock that QEMU, or another perdurectl, has on the image says that it is being written to. */
static int lock(const struct image *img)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (img->writable) {
		if (fcntl(img->fd, F_OFD_SETLK, &l) == 0 || (errno != EAGAIN && errno != EACCES))
			return TOOL_OK;
		return tool_fail(TOOL_REFUSED, "%s: in use by another program (a running machine?); nothing was changed",
			    img->name);
	}
	if (fcntl(img->fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK)
		tool_fail(0, "warning: %s is in use by another program: what it writes meanwhile may look like damage", img->name);
	return TOOL_OK;
}

static int size_find(struct image *img)
{
	struct stat st;

	if (fstat(img->fd, &st))
		return tool_fail(TOOL_IO, "%s: %s", img->name, strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return tool_fail(TOOL_IO, "%s: is neither a file nor a disk", img->name);
	img->bytes = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(img->fd, BLKGETSIZE64, &img->bytes))
		return tool_fail(TOOL_IO, "%s: its size is not known: %s", img->name, strerror(errno));
	return TOOL_OK;
}

static int partition_find(struct image *img)
{
	struct gpt_source src = { read_sector, img, img->bytes / GPT_SECTOR };
	struct gpt_partition p;
	int r = gpt_find(&src, gpt_checkpoint_type, &p);

	img->dev.blocks = img->bytes / BLK_SIZE;
	switch (r) {
	case GPT_NONE:
		return TOOL_OK;         /* a bare partition */
	case GPT_OK:
		img->gpt = true;
		img->gpt_backup = p.from_backup;
		img->offset = p.first * GPT_SECTOR;
		img->dev.blocks = (p.last - p.first + 1) * GPT_SECTOR / BLK_SIZE;
		return TOOL_OK;
	case GPT_DAMAGED:
		return tool_fail(TOOL_NO_STORE, "%s: both partition tables are damaged", img->name);
	case GPT_NO_PARTITION:
		return tool_fail(TOOL_NO_STORE, "%s: no partition of type 50455244-5552-4500-8c4b-3a0e5f1d7c21", img->name);
	}
	return tool_fail(TOOL_IO, "%s: its partition table cannot be read: %s", img->name, strerror(errno));
}

int image_open(struct image *img, const char *name, bool write)
{
	int status;

	memset(img, 0, sizeof *img);
	img->dev = (struct blkdev){ .submit = image_submit, .poll = image_poll, .wait = image_wait };
	img->name = name;
	img->writable = write;
	img->tail = &img->head;
	img->fd = open(name, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);  /* not to wait at a pipe */
	if (img->fd < 0)
		return tool_fail(TOOL_IO, "%s: %s", name, strerror(errno));
	status = size_find(img);
	if (status == TOOL_OK)
		status = lock(img);
	if (status == TOOL_OK)
		status = partition_find(img);
	if (status != TOOL_OK)
		close(img->fd);
	return status;
}

int image_close(struct image *img)
{
	bool bad = img->writable && fsync(img->fd) != 0;

	if (close(img->fd) || bad)
		return tool_fail(TOOL_IO, "%s: %s", img->name, strerror(errno));
	return TOOL_OK;
}
