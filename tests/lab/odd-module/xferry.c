/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module that does what none may: warn, stay, or answer no load. The lab must notice. */
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/string.h>

static char *mode = "";

module_param(mode, charp, 0444);
MODULE_PARM_DESC(mode, "what it does: warn, stay, refuse");

static int __init odd_init(void)
{
	if (!strcmp(mode, "refuse")) {
		pr_err("xferry: not today\n");
		return -ENODEV;
	}
	WARN_ON(!strcmp(mode, "warn"));
	if (!strcmp(mode, "stay"))
		__module_get(THIS_MODULE);
	return 0;
}

static void __exit odd_exit(void)
{
}

module_init(odd_init);
module_exit(odd_exit);

MODULE_DESCRIPTION("Does what no module may");
MODULE_LICENSE("GPL");
