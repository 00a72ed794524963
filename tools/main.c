// SPDX-License-Identifier: GPL-2.0
/* looptrack - see and steer nf_looptrack: options, and the table of commands. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "looptrack.h"
#include "out.h"
#include "pool.h"

struct options opt = { .family = AF_UNSPEC };

static enum exit_code cmd_help_run(int argc, char **argv);

static const struct command cmd_help = {
	.name = "help",
	.args = "",
	.help = "show this",
	.run = cmd_help_run,
};

static const struct command *const commands[] = {
	&cmd_status,
	&cmd_set,
	&cmd_reset,
	&cmd_stats,
	&cmd_save,
	&cmd_restore,
	&cmd_flow,
	&cmd_resolve,
	&cmd_explain,
	&cmd_audit,
	&cmd_monitor,
	&cmd_trace,
	&cmd_help,
};

static void usage(FILE *out)
{
	fputs("Usage: looptrack [OPTIONS] COMMAND [ARGUMENTS]\n\nCommands:\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *cmd = commands[i];

		fprintf(out, "  %-8s%-24s %s\n", cmd->name, cmd->args, cmd->help);
	}
	fputs("\nOptions:\n"
	      "  -4, -6              only flows of this family (flow, audit, monitor, trace)\n"
	      "  -j, --json          write JSON\n"
	      "  -p, --pretty        indent the JSON\n"
	      "  --prometheus        write metrics for Prometheus (stats)\n"
	      "  -n, --netns NETNS   act on this network namespace: a name or a path\n"
	      "  -c, --color WHEN    auto, always or never\n"
	      "  -V, --version       show the version of this tool\n"
	      "  -h, --help          show this\n", out);
}

static enum exit_code cmd_help_run(int argc, char **argv)
{
	enum exit_code code = no_arguments(argc, argv, 1);

	if (!code)
		usage(stdout);
	return code;
}

enum exit_code no_arguments(int argc, char **argv, int first)
{
	if (argc > first)
		return fail(EXIT_USAGE, "%s: unexpected argument \"%s\"", argv[0], argv[first]);
	return EXIT_OK;
}

enum exit_code bad_option(int c, char **argv)
{
	char letter[] = { '-', optopt, '\0' };
	bool has_letter = optopt < LONG_ONLY && !iscntrl((unsigned char)optopt);
	const char *option = has_letter ? letter : argv[optind - 1];

	if (c == ':')
		return fail(EXIT_USAGE, "option \"%s\" needs a value", option);
	return fail(EXIT_USAGE, "option \"%s\" is not understood here; see looptrack(8)",
		    option);
}

static enum exit_code run_command(int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *cmd = commands[i];

		if (strcmp(argv[0], cmd->name))
			continue;
		if (opt.prometheus && !cmd->measures)
			return fail(EXIT_USAGE, "%s: has nothing for --prometheus, stats has",
				    argv[0]);
		return cmd->run(argc, argv);
	}
	return fail(EXIT_USAGE, "unknown command \"%s\"; see \"looptrack help\"", argv[0]);
}

static enum exit_code run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "pretty", no_argument, NULL, 'p' },
		{ "prometheus", no_argument, NULL, LONG_ONLY + 'P' },
		{ "netns", required_argument, NULL, 'n' },
		{ "color", required_argument, NULL, 'c' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c;

	opterr = 0;
	out_color("auto");
	while ((c = getopt_long(argc, argv, "+:46jpn:c:Vh", options, NULL)) != -1) {
		switch (c) {
		case '4':
			opt.family = AF_INET;
			break;
		case '6':
			opt.family = AF_INET6;
			break;
		case 'j':
			opt.json = true;
			break;
		case 'p':
			opt.pretty = true;
			break;
		case LONG_ONLY + 'P':
			opt.prometheus = true;
			break;
		case 'n':
			opt.netns = optarg;
			break;
		case 'c':
			if (out_color(optarg))
				break;
			return fail(EXIT_USAGE, "colour \"%s\" is none of: auto always never",
				    optarg);
		case 'V':
			puts("looptrack " VERSION);
			return EXIT_OK;
		case 'h':
			usage(stdout);
			return EXIT_OK;
		default:
			return bad_option(c, argv);
		}
	}
	if (optind < argc)
		return run_command(argc - optind, argv + optind);
	usage(stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	/*
	 * A closed stdout must not become the next file opened, or the netlink
	 * socket would get the text. Not writable, so that writing still fails.
	 */
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			open("/dev/null", O_RDONLY);
	signal(SIGPIPE, SIG_IGN);
	pool_init();

	return out_close(run(argc, argv));
}
