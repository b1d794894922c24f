/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees and fleets of files: one line a state. */
#ifndef XF_CLI_TREE_H
#define XF_CLI_TREE_H

#include "cli/cli.h"

/*
 * Whether a path is a directory, and not that of one state. Nothing is opened: there may be a
 * FIFO. A file of the name that a state has there makes it one, so that damage is told.
 */
bool is_tree(const char *path);

/*
 * Checks all states in and below directories, which `trees` tells of each path, and files named
 * beside them. Returns the status.
 */
unsigned int check_trees(char *const *paths, const bool *trees, int count,
			 const struct request *request, unsigned int jobs, bool json);

/* ---- line.c ---- */

/* "PATH: qemu, 2 vCPUs: XF101 AVX PKRU; refused" */
void put_state_line(const struct xf_state *state, const struct request *request,
		    const struct xf_report *report, FILE *to);

#endif
