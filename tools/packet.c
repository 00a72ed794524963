// SPDX-License-Identifier: GPL-2.0
/*
 * Packets on their way, and how it ends. A packet gets to its end, or a rule ends its way, or
 * the kernel says that it has dropped it, and why; or it is not seen again.
 *
 * The kernel says so a moment later, and another packet may have taken the memory, and thereby
 * the number, of the one that is meant: the time when that was last seen tells them apart. It
 * also drops what a rule of nf_tables drops, which another socket tells: of the two the rule is
 * shown.
 */
#include <stdlib.h>
#include <string.h>

#include <linux/nf_looptrack.h>

#include "packet.h"
#include "rulemet.h"

#define PACKETS_MAX	256

#define HOLD		300	/* ms that something waits for word from the kernel */
#define SILENCE		1000	/* ms after which a packet is not expected to go on */

/**
 * struct packet - one that goes on, or did so a moment ago
 * @sight: where it was last
 * @object: the same, as JSON
 * @seen: when, or since when @state is what it is, in ms
 * @state: it goes on; or it got to its end, and may yet be dropped there; or another packet
 *	has its memory; or a rule ended its way
 * @drop: the kernel dropped it, for a rule that is waited for; or NULL
 * @is_doubtful: messages were lost that may have been about it
 */
struct packet {
	struct sight sight;
	json_t *object;
	long seen;
	enum { GOES, ARRIVED, GONE, ENDED } state;
	json_t *drop;
	bool is_doubtful;
};

static const struct way_options *options;
static struct packet packets[PACKETS_MAX];
static size_t count;
static long doubt;		/* when packets are sure again, in ms, or 0 */

void packet_init(const struct way_options *new)
{
	options = new;
}

void packet_doubt(long until)
{
	for (size_t i = 0; i < count; i++)
		packets[i].is_doubtful = true;
	doubt = until;
}

bool packet_waits(void)
{
	return count;
}

static void change(struct packet *packet, int state, long now)
{
	packet->state = state;
	packet->seen = now;
}

/* It is one of those that -C counts. */
static void score(struct stream *stream)
{
	if (!--stream->left)
		stream->done = true;
}

static void forget(struct packet *packet)
{
	json_decref(packet->object);
	json_decref(packet->drop);
	*packet = packets[--count];
}

static enum exit_code tell_drop(struct stream *stream, json_t *drop)
{
	return stream_add(stream, rulemet_drop(drop), rulemet_show_end);
}

/* It went no further: the kernel dropped it, or it is not known why. */
static enum exit_code lose(struct stream *stream, struct packet *packet)
{
	enum exit_code code = EXIT_OK;

	if (packet->drop)
		code = tell_drop(stream, packet->drop);
	else if (options->has_rules && packet->state != ARRIVED)
		code = stream_add(stream, rulemet_end(NULL, packet->object, packet->is_doubtful),
				  rulemet_show_end);
	forget(packet);
	score(stream);
	return code;
}

static enum exit_code expire(struct stream *stream, struct packet *packet)
{
	if (packet->state != ENDED)
		return lose(stream, packet);
	forget(packet);
	return EXIT_OK;
}

enum exit_code packet_expire(struct stream *stream, long now)
{
	enum exit_code code = EXIT_OK;

	for (size_t i = count; i-- > 0 && !code && !stream->done;) {
		int state = packets[i].state;

		if (now - packets[i].seen > (state == GOES || state == ENDED ? SILENCE : HOLD))
			code = expire(stream, &packets[i]);
	}
	return code;
}

/*
 * What was seen
 */

static struct packet *find_going(uint32_t number)
{
	for (size_t i = 0; i < count; i++)
		if (packets[i].sight.packet == number && packets[i].state == GOES)
			return &packets[i];
	return NULL;
}

/* With -C as many are followed as are to be shown, to their end. */
static bool is_too_many(const struct stream *stream)
{
	unsigned long open = 0;

	for (size_t i = 0; i < count; i++)
		open += packets[i].state != ENDED;
	return open >= stream->left;
}

/* Those that are over are less likely to be heard of, and then the older ones. */
static bool goes_before(const struct packet *one, const struct packet *other)
{
	bool is_over = one->state != GOES, is_other = other->state != GOES;

	return is_over == is_other ? one->seen < other->seen : is_over;
}

static enum exit_code make_room(struct stream *stream)
{
	struct packet *first = &packets[0];

	for (size_t i = 1; i < count; i++)
		if (goes_before(&packets[i], first))
			first = &packets[i];
	return expire(stream, first);
}

static enum exit_code show(struct stream *stream, struct packet *packet, long now)
{
	enum exit_code code = options->show_sight(stream, packet->object);

	if (code || stream->done || !sight_is_through(&packet->sight))
		return code;
	/* It can be counted when it is known not to be dropped there: that is soon told. */
	if (options->is_counted) {
		change(packet, ARRIVED, now);
	} else {
		forget(packet);
		score(stream);
	}
	return EXIT_OK;
}

enum exit_code packet_see(struct stream *stream, const struct sight *sight, json_t *object,
			  long now)
{
	struct packet *packet = find_going(sight->packet);
	enum exit_code code = EXIT_OK;

	/* Another packet, in the memory of that one. */
	if (packet && sight_rank(sight) <= sight_rank(&packet->sight)) {
		change(packet, GONE, now);
		packet = NULL;
	}
	if (!packet && is_too_many(stream))
		return EXIT_OK;
	if (!packet && count == PACKETS_MAX)
		code = make_room(stream);
	if (code || stream->done)
		return code;
	if (!packet) {
		packet = &packets[count++];
		memset(packet, 0, sizeof(*packet));
	}
	packet->is_doubtful = packet->is_doubtful || now < doubt;
	json_decref(packet->object);
	packet->object = json_incref(object);
	packet->sight = *sight;
	change(packet, GOES, now);
	return show(stream, packet, now);
}

struct sight *packet_find(const struct nft_step *step, const struct nft_chain *chain, int stage,
			  const uint32_t *packet)
{
	for (size_t i = 0; i < count; i++)
		if ((!packet || packets[i].sight.packet == *packet) && packets[i].state != ENDED &&
		    sight_is_packet(&packets[i].sight, step, chain, stage))
			return &packets[i].sight;
	return NULL;
}

/*
 * What ended its way
 */

/* With -C, one that is not known was too much. */
static bool is_left_out(const struct packet *packet)
{
	return options->is_counted && !packet;
}

/* The packet that was seen so: of those in the same memory, that which was there then. */
static struct packet *find_seen(const struct sight *sight)
{
	struct packet *found = NULL;

	for (size_t i = 0; i < count; i++) {
		struct packet *packet = &packets[i];

		if (packet->state != ENDED && packet->sight.packet == sight->packet &&
		    packet->sight.serial >= sight->serial &&
		    (!found || packet->sight.serial < found->sight.serial))
			found = packet;
	}
	return found;
}

enum exit_code packet_meet(struct stream *stream, const struct sight *sight, json_t *rule,
			   long now)
{
	struct packet *packet = sight ? find_seen(sight) : NULL;
	enum exit_code code = EXIT_OK;

	if (is_left_out(packet) && sight)
		return EXIT_OK;
	/* Of policies only those are told that end a packet's way. */
	if (json_object_get(rule, "handle"))
		code = stream_add(stream, json_incref(rule), rulemet_show);
	if (code || stream->done || !rulemet_is_end(rule))
		return code;
	code = stream_add(stream, rulemet_end(rule, packet ? packet->object : NULL, false),
			  rulemet_show_end);
	if (code || stream->done || !packet)
		return code;
	score(stream);
	if (packet->drop)
		forget(packet);
	else
		change(packet, ENDED, now);
	return EXIT_OK;
}

/* If the last message about it was lost, it was seen before; a later one in its memory is not. */
static bool is_dropped(const struct packet *packet, json_t *drop)
{
	int before;

	if (packet->sight.packet != json_integer_value(json_object_get(drop, "packet")))
		return false;
	before = strcmp(out_text(packet->object, "time"), out_text(drop, "seen"));
	return !before || (before < 0 && packet->state == GOES);
}

/* Among them may be one that a rule has ended: that is told. */
static struct packet *find_dropped(json_t *drop)
{
	for (size_t i = 0; i < count; i++)
		if (is_dropped(&packets[i], drop))
			return &packets[i];
	return NULL;
}

/*
 * Many drivers, and TCP, free what they are done with as if they dropped it, but for no reason.
 */
static bool is_no_drop(json_t *drop)
{
	struct sight sight;

	sight_read(&sight, drop, false);
	return sight_is_through(&sight) && rulemet_has_no_reason(drop);
}

static bool may_be_rule(json_t *drop)
{
	return options->has_rules && !strcmp(out_text(drop, "reason"), "NETFILTER_DROP");
}

enum exit_code packet_drop(struct stream *stream, json_t *drop, long now)
{
	struct packet *packet = find_dropped(drop);
	enum exit_code code = EXIT_OK;

	if (packet && packet->state == ENDED) {
		forget(packet);
	} else if (is_left_out(packet) || is_no_drop(drop)) {
		/* What has arrived is counted in time. */
	} else if (packet && may_be_rule(drop)) {
		json_decref(packet->drop);
		packet->drop = json_incref(drop);
		change(packet, GONE, now);
	} else {
		code = tell_drop(stream, drop);
		if (packet) {
			forget(packet);
			score(stream);
		}
	}
	return code;
}

void packet_free(void)
{
	while (count)
		forget(&packets[count - 1]);
}
