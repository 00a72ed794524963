/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of scene share: scene.c plays the script, scene_sock.c has the
 * sockets.
 */
#ifndef SCENE_H
#define SCENE_H

#include <linux/types.h>
#include <stdbool.h>
#include <sys/socket.h>

#define LETTERS		26
#define MAX_SOCKS	4096

/* Shared by the processes, of which one at a time runs. */
struct counters {
	__u64 asked, answered, failed, gaveup, slow, resent, rewritten, misled;
	__u64 fastopened, denied, passed, max_ms;
	__u64 by[LETTERS], heard[LETTERS];
	bool known[LETTERS];
};

extern int family;
extern socklen_t addrlen;
extern unsigned int slow_ms, patience_ms;
extern struct counters *count;
extern const char *line;	/* the one being played, for messages */

void die(const char *what);
void wrong(const char *what);
unsigned int to_number(const char *s);

/* The orders about sockets; each gets the words that follow its name. */
void do_listen(char **word);
void do_udp(char **word);
void do_connect(char **word);
void do_start(char **word);
void do_finish(char **word);
void do_up(char **word);
void do_try(char **word);
void do_aim(char **word);
void do_ask(char **word);
void do_tell(char **word);
void do_big(char **word);
void do_poke(char **word);
void do_pass(char **word);
void do_eof(char **word);
void do_shut(char **word);
void do_close(char **word);
void do_drop(char **word);
void do_reset(char **word);
void do_vanish(char **word);
void do_lend(char **word);
void do_accept(char **word);

/* Without a socket of TCP. */
void do_segment(char **word);

#endif
