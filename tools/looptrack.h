/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LOOPTRACK_H
#define LOOPTRACK_H

#include <stdbool.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* As the kernel has it. */
#define __printf(a, b)				\
	__attribute__((format(printf,		\
			      a, b)))

/*
 * Exit codes, one for each thing that its caller would do something else
 * about. A function that returns one has already told the user.
 */
enum exit_code {
	EXIT_OK,	/* done */
	EXIT_USAGE,	/* wrong words; nothing was sent */
	EXIT_REFUSED,	/* the kernel understood and refused */
	EXIT_NOMODULE,	/* nf_looptrack is not loaded */
	EXIT_PRIVILEGE,	/* not permitted */
	EXIT_MISMATCH,	/* module and tool do not fit together */
	EXIT_NETNS,	/* no such namespace, or it cannot be entered */
	EXIT_SYSTEM,	/* out of memory, write error */
	EXIT_FOUND,	/* audit: there is something to be done */
};

/**
 * struct options - what the options before the command said
 * @netns: namespace to act on, by name or path; NULL for the current one
 * @family: AF_INET or AF_INET6 to see only flows of it, else AF_UNSPEC
 * @json: write JSON instead of text
 * @pretty: indent the JSON
 * @prometheus: write Prometheus's text format instead
 */
struct options {
	const char *netns;
	int family;
	bool json;
	bool pretty;
	bool prometheus;
};

extern struct options opt;

/**
 * struct command - one command of the tool
 * @name: the word that selects it
 * @args: its arguments, for the usage line
 * @help: one line for the list of commands
 * @measures: there is something in it for Prometheus
 * @run: does it; argv[0] is @name. Returns an exit code.
 */
struct command {
	const char *name;
	const char *args;
	const char *help;
	bool measures;
	enum exit_code (*run)(int argc, char **argv);
};

extern const struct command cmd_status, cmd_set, cmd_reset, cmd_stats, cmd_save,
	cmd_restore, cmd_monitor, cmd_trace, cmd_flow, cmd_resolve, cmd_explain,
	cmd_audit;

/* Complain if there is an argument at @first or later. */
enum exit_code no_arguments(int argc, char **argv, int first);

/* What getopt_long() returns for options that have no letter begins here; or is none that
 * anybody could type.
 */
#define LONG_ONLY	256

/* Complain about the option for which getopt_long() returned @c. */
enum exit_code bad_option(int c, char **argv);

/* Enter @name, if there is one, before any socket is opened. */
enum exit_code netns_enter(const char *name);

#endif /* LOOPTRACK_H */
