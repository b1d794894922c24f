/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mode, components and trim_get: at load and in /sys/module/xferry/parameters. Values
 * that are not understood change nothing and are answered by one line in the log.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "params.h"
#include "hooks.h"
#include "core/component.h"

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

#define EVERYTHING (~(u64)0)
#define SEPARATORS ",| \t\n"
#define WORD_MAX 24 /* any name, or "0x" and 16 digits */

static bool trim;
static u64 components = EVERYTHING;
static u64 allowed; /* what follows from both */

bool xf_params_trim(void)
{
	return READ_ONCE(trim);
}

u64 xf_params_components(void)
{
	return READ_ONCE(components);
}

u64 xf_params_allowed(void)
{
	return READ_ONCE(allowed);
}

/* The kernel lets one writer at a time into the parameters of a module. */
static void change(bool new_trim, u64 new_components)
{
	WRITE_ONCE(trim, new_trim);
	WRITE_ONCE(components, new_components);
	WRITE_ONCE(allowed, new_trim ? new_components : 0);
}

#define SHOWN_MAX 64 /* how much of a value that is not understood is repeated */
#define EXPECTED "expected all, names such as avx,pkru or a mask such as 0x204"

/* The value without the newline that echo puts behind it. */
static int shown_length(const char *value)
{
	return min_t(int, SHOWN_MAX, strcspn(value, "\n"));
}

static int set_mode(const char *value, const struct kernel_param *param)
{
	bool to_trim = sysfs_streq(value, "trim");

	if (!to_trim && !sysfs_streq(value, "observe")) {
		pr_err("mode: expected observe or trim, not \"%.*s\"\n", shown_length(value),
		       value);
		return -EINVAL;
	}
	change(to_trim, components);
	return 0;
}

static int get_mode(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", xf_params_trim() ? "trim" : "observe");
}

/* The mask of one word, which is `len` characters of `text`. */
static bool word_mask(const char *text, size_t len, u64 *out)
{
	char word[WORD_MAX + 1] = {};

	if (len > WORD_MAX)
		return false;
	memcpy(word, text, len);
	if (strncasecmp(word, "0x", 2) == 0)
		return kstrtou64(word, 16, out) == 0;
	if (strcmp(word, "all") == 0)
		*out = EVERYTHING;
	else if (strcmp(word, "none") == 0)
		*out = 0;
	else
		*out = xf_component_mask(word, len);
	return *out || strcmp(word, "none") == 0;
}

static int set_components(const char *value, const struct kernel_param *param)
{
	const char *word = value + strspn(value, SEPARATORS);
	u64 mask = 0;

	if (!*word) {
		pr_err("components: none named; " EXPECTED "\n");
		return -EINVAL;
	}
	for (size_t len; *word; word += len, word += strspn(word, SEPARATORS)) {
		u64 more;

		len = strcspn(word, SEPARATORS);
		if (!word_mask(word, len, &more)) {
			pr_err("components: " EXPECTED ", not \"%.*s\"\n",
			       (int)min_t(size_t, len, SHOWN_MAX), word);
			return -EINVAL;
		}
		mask |= more;
	}
	change(trim, mask);
	return 0;
}

static int get_components(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%#llx\n", (unsigned long long)xf_params_components());
}

static int set_trim_get(const char *value, const struct kernel_param *param)
{
	bool on;

	if (kstrtobool(value, &on)) {
		pr_err("trim_get: expected 0 or 1, not \"%.*s\"\n", shown_length(value), value);
		return -EINVAL;
	}
	return xf_get_want(on);
}

static int get_trim_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%c\n", xf_get_wanted() ? 'Y' : 'N');
}

static const struct kernel_param_ops mode_ops = { .set = set_mode, .get = get_mode };
static const struct kernel_param_ops components_ops = { .set = set_components,
							.get = get_components };
static const struct kernel_param_ops trim_get_ops = { .set = set_trim_get, .get = get_trim_get };

module_param_cb(mode, &mode_ops, NULL, 0644);
MODULE_PARM_DESC(mode, "observe: only report what is superfluous (default); trim: take it out");
module_param_cb(components, &components_ops, NULL, 0644);
MODULE_PARM_DESC(components, "what may be taken out: all (default), names, or a mask");
module_param_cb(trim_get, &trim_get_ops, NULL, 0644);
MODULE_PARM_DESC(trim_get, "1: look at what KVM_GET_XSAVE gives as well (default 0)");
