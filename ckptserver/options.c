/* SPDX-License-Identifier: BSD-2-Clause
 * Parser of the kernel command line. Pure: no state, no calls out; tests/host/options_test.c
 * feeds it.
 */
#include "options.h"

#define SCRUB_PAGES_MAX         (1ul << 22)     /* 16 GiB a second */
#define DISK_TIMEOUT_MIN_US     100000ul        /* less is no trouble, but a slow disk */

struct word {
	const char *text;
	size_t len;
};

static bool word_is(struct word w, const char *s)
{
	size_t i = 0;

	while (i < w.len && s[i] && w.text[i] == s[i])
		i++;
	return i == w.len && !s[i];
}

/* If the word begins with prefix, cuts it off. */
static bool word_cut(struct word *w, const char *prefix)
{
	size_t i = 0;

	while (prefix[i]) {
		if (i == w->len || w->text[i] != prefix[i])
			return false;
		i++;
	}
	w->text += i;
	w->len -= i;
	return true;
}

static void word_copy(struct word w, char *to, size_t size)
{
	size_t i;

	for (i = 0; i < w.len && i + 1 < size; i++)
		to[i] = w.text[i];
	to[i] = 0;
}

/* Decimal or 0x number at the word's start, cut off. */
static bool word_number(struct word *w, uint64_t *value)
{
	unsigned base = word_cut(w, "0x") ? 16 : 10;
	uint64_t v = 0;
	size_t digits = 0;

	for (; w->len; w->text++, w->len--, digits++) {
		char c = *w->text;
		unsigned d;

		if (c >= '0' && c <= '9')
			d = (unsigned)(c - '0');
		else if (base == 16 && c >= 'a' && c <= 'f')
			d = (unsigned)(c - 'a') + 10;
		else
			break;
		if (v > (UINT64_MAX - d) / base)
			return false;
		v = v * base + d;
	}
	*value = v;
	return digits > 0;
}

bool options_duration(const char *text, size_t len, uint64_t *us)
{
	struct word w = { text, len };
	uint64_t v, unit;

	if (word_is(w, "off") || word_is(w, "0")) {
		*us = 0;
		return true;
	}
	if (!word_number(&w, &v))
		return false;
	if (word_is(w, "us"))
		unit = 1;
	else if (word_is(w, "ms") || w.len == 0)
		unit = 1000;
	else if (word_is(w, "s"))
		unit = 1000000;
	else
		return false;
	if (v > 86400000000ul / unit)
		return false;
	*us = v * unit;
	return true;
}

/* A size with suffix K, M, G or T, in 4 KiB pages. */
static bool parse_bytes(struct word w, uint64_t *pages)
{
	uint64_t v;
	unsigned shift = 0;

	if (!word_number(&w, &v))
		return false;
	if (w.len == 1 && *w.text == 'K')
		shift = 10;
	else if (w.len == 1 && *w.text == 'M')
		shift = 20;
	else if (w.len == 1 && *w.text == 'G')
		shift = 30;
	else if (w.len == 1 && *w.text == 'T')
		shift = 40;
	else if (w.len)
		return false;
	if (v > (1ul << 46) >> shift)           /* user address space less one bit */
		return false;
	*pages = (v << shift) >> 12;
	return true;
}

/* … at least 16 MiB. */
static bool parse_size(struct word w, uint64_t *pages)
{
	return parse_bytes(w, pages) && *pages >= 4096;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
	       c == '-';
}

bool options_name(const char *name)
{
	struct word w = { name, 0 }, digits;
	uint64_t number;

	while (w.len < OPTIONS_NAME_BYTES && is_name_char(name[w.len])) {
		w.len++;
		if (name[w.len - 1] == '.' && name[w.len] == '.')
			return false;
	}
	digits = w;
	if (!w.len || name[w.len] || w.len == OPTIONS_NAME_BYTES || *name == '-')
		return false;
	return !word_is(w, "latest") && !word_is(w, "none") && !(word_number(&digits, &number) && !digits.len);
}

/* What is no number is a name; whether there is such a generation shows when the store is mounted. It is an error
 * there and not here, so that nothing newer is built upon by mistake. */
static bool parse_resume(struct options *o, struct word w)
{
	struct word digits = w;

	word_copy(w, o->resume, sizeof o->resume);
	o->resume_kind = RESUME_NAME;
	if (word_is(w, "latest"))
		o->resume_kind = RESUME_LATEST;
	else if (word_is(w, "none"))
		o->resume_kind = RESUME_NONE;
	else if (word_cut(&digits, "-") && word_number(&digits, &o->resume_gen) && !digits.len)
		o->resume_kind = RESUME_BACK;
	else if (digits = w, word_number(&digits, &o->resume_gen) && !digits.len)
		o->resume_kind = RESUME_GENERATION;
	return w.len > 0;
}

static bool parse_format(struct options *o, struct word w)
{
	if (word_is(w, "no"))
		o->format = FORMAT_NO;
	else if (word_is(w, "force"))
		o->format = FORMAT_FORCE;
	else if (word_is(w, "yes"))
		o->format = FORMAT_EMPTY;
	else
		return false;
	return true;
}

/* WHAT@T */
static bool parse_fault(struct options *o, struct word w)
{
	static const struct { const char *name; int fault; } names[] = {
		{ "reset@", FAULT_RESET }, { "crash@", FAULT_CRASH }, { "hang@", FAULT_HANG },
		{ "console-crash@", FAULT_CONSOLE_CRASH }, { "console-hang@", FAULT_CONSOLE_HANG },
	};
	uint64_t us;

	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!word_cut(&w, names[i].name))
			continue;
		if (!options_duration(w.text, w.len, &us) || !us)
			return false;
		o->fault = names[i].fault;
		o->fault_us = us;
		return true;
	}
	return false;
}

/* RATE[,REST] or off; RATE is bytes per second, with a suffix. */
static bool parse_scrub(struct options *o, struct word w)
{
	struct word rate = { w.text, 0 };
	uint64_t pages, rest = OPTIONS_SCRUB_REST_US;

	if (word_is(w, "off")) {
		o->scrub_pages = 0;
		return true;
	}
	while (rate.len < w.len && w.text[rate.len] != ',')
		rate.len++;
	if (rate.len < w.len && (!options_duration(w.text + rate.len + 1, w.len - rate.len - 1, &rest) || !rest))
		return false;
	if (!parse_bytes(rate, &pages) || !pages || pages > SCRUB_PAGES_MAX)
		return false;
	o->scrub_pages = pages;
	o->scrub_rest_us = rest;
	return true;
}

static bool parse_ckpt(struct options *o, struct word w)
{
	uint64_t n;

	if (word_cut(&w, "interval="))
		return options_duration(w.text, w.len, &o->interval_us);
	if (word_cut(&w, "resume="))
		return parse_resume(o, w);
	if (word_cut(&w, "format="))
		return parse_format(o, w);
	if (word_cut(&w, "store="))
		return parse_size(w, &o->store_pages);
	if (word_cut(&w, "require=")) {
		o->require = word_is(w, "yes") ? REQUIRE_YES : word_is(w, "no") ? REQUIRE_NO : REQUIRE_OURS;
		return o->require != REQUIRE_OURS || word_is(w, "ours");
	}
	if (word_cut(&w, "scrub="))
		return parse_scrub(o, w);
	if (word_cut(&w, "fault="))
		return parse_fault(o, w);
	if (word_cut(&w, "timeout=")) {
		if (!options_duration(w.text, w.len, &n) || n < DISK_TIMEOUT_MIN_US)
			return false;
		o->disk_timeout_us = n;
		return true;
	}
	if (word_cut(&w, "keep=")) {
		if (!word_number(&w, &n) || w.len || n < 1 || n > OPTIONS_KEEP_MAX)
			return false;
		o->keep = (unsigned)n;
		return true;
	}
	if (word_cut(&w, "buffers=")) {
		if (!word_number(&w, &n) || w.len || n < 8 || n > 65535)
			return false;
		o->buffers = (unsigned)n;
		return true;
	}
	if (word_cut(&w, "frames="))
		return word_number(&w, &o->frames) && !w.len && o->frames >= OPTIONS_FRAMES_MIN;
	return false;
}

static void parse_word(struct options *o, struct word w)
{
	struct word whole = w;
	uint64_t n;

	if (word_cut(&w, "root=")) {
		if (w.len > 0 && w.len < sizeof o->root)
			word_copy(w, o->root, sizeof o->root);
	} else if (word_cut(&w, "chaos=")) {
		if (!word_number(&w, &o->chaos))
			o->chaos = 0;
	} else if (word_is(w, "panic.exit=yes")) {
		o->panic_exit = true;
	} else if (word_cut(&w, "chaos.evict=")) {
		if (!word_number(&w, &n) || w.len || n > 1000000)
			n = 0;
		o->chaos_evict = (unsigned)n;
	} else if (word_cut(&w, "ckpt.")) {
		if (!parse_ckpt(o, w) && !o->bad[0])
			word_copy(whole, o->bad, sizeof o->bad);
	}
}

void options_parse(struct options *o, const char *cmdline)
{
	const char *p = cmdline;

	*o = (struct options){ .interval_us = OPTIONS_INTERVAL_US,
			       .scrub_pages = OPTIONS_SCRUB_PAGES,
			       .scrub_rest_us = OPTIONS_SCRUB_REST_US,
			       .disk_timeout_us = OPTIONS_DISK_TIMEOUT_US,
			       .store_pages = OPTIONS_STORE_PAGES,
			       .root = "pager" };
	while (*p) {
		struct word w = { p, 0 };

		while (*p && *p != ' ' && *p != '\t' && *p != '\n')
			p++;
		w.len = (size_t)(p - w.text);
		if (w.len)
			parse_word(o, w);
		while (*p == ' ' || *p == '\t' || *p == '\n')
			p++;
	}
}
