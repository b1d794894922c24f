/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rule inside the kernel, for every VM of a host: what of a guest's XSAVE state was
 * never shown to it is taken out where KVM takes the state (and, if asked, where it gives
 * it). Opt-in: as loaded, it only reports. See xferry-kmod(4).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "compat.h"
#include "account.h"
#include "hooks.h"
#include "params.h"
#include "version.h"

#include <linux/init.h>
#include <linux/module.h>
#include <linux/printk.h>

static int __init xf_init(void)
{
	xf_account_start();

	int error = xf_set_start();

	if (error) {
		xf_account_stop();
		return error;
	}
	xf_get_start();
	pr_info("loaded: mode=%s components=%#llx trim_get=%d\n",
		xf_params_trim() ? "trim" : "observe", (unsigned long long)xf_params_components(),
		xf_get_wanted());
	return 0;
}

static void __exit xf_exit(void)
{
	xf_get_stop();
	xf_set_stop();
	xf_account_stop();
}

module_init(xf_init);
module_exit(xf_exit);

MODULE_DESCRIPTION("Keeps what a guest was never shown out of its XSAVE state");
MODULE_AUTHOR("The xferry project");
MODULE_LICENSE("GPL");
MODULE_VERSION(XF_VERSION);
#ifndef XF_HAS_GUEST_FPSTATE
/* The function to hook is one of module kvm. */
MODULE_SOFTDEP("pre: kvm");
#endif
