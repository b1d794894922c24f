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

bool xf_params_trim(void)
{
	return READ_ONCE(trim);
}

u64 xf_params_components(void)
{
	return READ_ONCE(components);
}

/* The value without the newline that echo puts behind it. */
#define VALUE_FORMAT "\"%.*s\""
#define VALUE_ARGS(value) (int)min_t(size_t, 64, strcspn(value, "\n")), value

static int set_mode(const char *value, const struct kernel_param *param)
{
	bool to_trim = sysfs_streq(value, "trim");

	if (!to_trim && !sysfs_streq(value, "observe")) {
		pr_err("mode: expected observe or trim, not " VALUE_FORMAT "; nothing is changed\n",
		       VALUE_ARGS(value));
		return -EINVAL;
	}
	WRITE_ONCE(trim, to_trim);
	return 0;
}

static int get_mode(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", xf_params_trim() ? "trim" : "observe");
}

/* One word of a mask; `text` is longer than `len`. */
static bool word_mask(const char *text, size_t len, u64 *out)
{
	char word[WORD_MAX + 1];

	if (len > WORD_MAX)
		return false;
	memcpy(word, text, len);
	word[len] = '\0';
	if (strcmp(word, "all") == 0)
		*out = EVERYTHING;
	else if (strcmp(word, "none") == 0)
		*out = 0;
	else if (strncasecmp(word, "0x", 2) == 0)
		return kstrtou64(word, 16, out) == 0;
	else
		*out = xf_component_mask(word, len);
	return *out || strcmp(word, "none") == 0;
}

static int set_components(const char *value, const struct kernel_param *param)
{
	const char *word = value + strspn(value, SEPARATORS);
	u64 mask = 0;

	if (!*word) {
		pr_err("components: none named; expected all, names such as avx,pkru or a mask "
		       "such as 0x204; nothing is changed\n");
		return -EINVAL;
	}
	while (*word) {
		size_t len = strcspn(word, SEPARATORS);
		u64 more;

		if (!word_mask(word, len, &more)) {
			pr_err("components: expected all, names such as avx,pkru or a mask such as "
			       "0x204, not \"%.*s\"; nothing is changed\n",
			       (int)min_t(size_t, len, 64), word);
			return -EINVAL;
		}
		mask |= more;
		word += len;
		word += strspn(word, SEPARATORS);
	}
	WRITE_ONCE(components, mask);
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
		pr_err("trim_get: expected 0 or 1, not " VALUE_FORMAT "; nothing is changed\n",
		       VALUE_ARGS(value));
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
