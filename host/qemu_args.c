/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "host/qemu_args.h"

/* "-cpu" or "--cpu". */
static bool is_option(const char *word, size_t len, const char *name)
{
	size_t dashes = len > 1 && word[0] == '-' ? 1 + (word[1] == '-') : 0;

	return dashes && len - dashes == strlen(name) &&
	       memcmp(word + dashes, name, len - dashes) == 0;
}

bool xf_qemu_args_take(struct xf_qemu_args *args, const char *word, size_t len)
{
	bool is_cpu = args->after_cpu;

	/* "driver=EPYC-x86_64-cpu,property=pku,value=off", "cpu.pku=off" */
	if (args->after_global && memmem(word, len, "cpu", 3))
		args->global = true;
	args->after_cpu = !is_cpu && is_option(word, len, "cpu");
	args->after_global = !args->after_global && is_option(word, len, "global");
	if (!is_cpu)
		return true;
	free(args->cpu);
	args->cpu = strndup(word, len);
	return args->cpu;
}

/* One word from `*line` on, without its quotes, into `word`, which is as long as the line. */
static bool next_word(const char **line, char *word, size_t *len)
{
	const char *p = *line;
	char quote = '\0';

	*len = 0;
	for (; *p && (quote || !strchr(" \t", *p)); p++) {
		if (quote ? *p == quote : *p == '\'' || *p == '"') {
			quote = quote ? '\0' : *p;
			continue;
		}
		if (*p == '\\' && quote != '\'' && p[1])
			p++;
		word[(*len)++] = *p;
	}
	*line = p;
	return !quote;
}

bool xf_qemu_args_take_line(struct xf_qemu_args *args, const char *line)
{
	XF_AUTO_FREE char *word = malloc(strlen(line) + 1);

	if (!word)
		return false;
	for (line += strspn(line, " \t"); *line; line += strspn(line, " \t")) {
		size_t len;

		if (!next_word(&line, word, &len) || !xf_qemu_args_take(args, word, len))
			return false;
	}
	return true;
}

void xf_qemu_args_deinit(struct xf_qemu_args *args)
{
	free(args->cpu);
	*args = (struct xf_qemu_args){ 0 };
}
