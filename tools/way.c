// SPDX-License-Identifier: GPL-2.0
/*
 * The ways of packets: stages, which the module tells, and rules between them, which
 * nf_tables tells by another socket. Both tell of a packet before it goes on: what the
 * rules' socket has when all of the module's was read includes each rule that comes before
 * the last stage. A rule is put behind the stage that its chain's priority follows, of the
 * first packet with the same addresses, ports and length that has not met the chain yet. What
 * the kernel has dropped comes by the module's socket, a moment later.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/netfilter.h>

#include "nft.h"
#include "nftchain.h"
#include "nftmatch.h"
#include "out.h"
#include "packet.h"
#include "rulemet.h"
#include "sight.h"
#include "way.h"

#define ITEMS_MAX	16384
#define STEPS_MAX	8192
#define CALLS_MAX	64

#define HOLD		300	/* ms that a rule waits for its stage */
#define SILENCE		1000	/* ms after which what was lost is over */
#define TICK		200	/* ms */

enum kind { SIGHT, DECISION, RULE, DROP };

/**
 * struct item - a line that is to be shown
 * @kind: what it is about
 * @object: JSON
 * @has_packet: it is known which packet it is about
 * @sight: the packet; for a rule, at the stage that it follows
 */
struct item {
	enum kind kind;
	json_t *object;
	bool has_packet;
	struct sight sight;
};

/**
 * struct step - what nf_tables said, until its place is known
 * @nft: what it said
 * @seen: when, in ms
 * @is_cut: messages were lost before it: it belongs to no call of before
 * @is_doubtful: messages were lost since: it does not wait for its stage
 */
struct step {
	struct nft_step nft;
	long seen;
	bool is_cut;
	bool is_doubtful;
};

/**
 * struct call - a base chain that a packet is in
 * @id: the packet's, as nf_tables numbers it
 * @state: whether its stage has been found
 * @hook: of the chain, or -1
 * @stage: that the chain follows, or -1
 * @sight: the packet there, if @state is FOUND
 */
struct call {
	uint32_t id;
	enum { NONE, WAITS, FOUND, LOOSE, FOREIGN } state;
	int hook;
	int stage;
	struct sight sight;
};

static struct way_options options;
static struct item *items[ITEMS_MAX];
static size_t item_count;
static struct step *steps[STEPS_MAX];
static size_t step_count;
static struct call calls[CALLS_MAX];
static unsigned int next_call;
static bool is_lossy;
static bool is_cut;		/* messages were lost behind the last step */

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What was lost may have been the rule that ended a packet's way, or what tells in which
 * chain a packet is that a later message only numbers. A packet that was on its way then may
 * be seen only later.
 */
void way_doubt(void)
{
	is_cut = true;
	for (size_t i = 0; i < step_count; i++)
		steps[i]->is_doubtful = true;
	packet_doubt(now_ms() + SILENCE);
}

void way_init(const struct way_options *new)
{
	options = *new;
	packet_init(&options);
}

/* Where in the list an item belongs that follows a sight: before the packet's next one. */
static size_t place_behind(const struct sight *sight)
{
	size_t place = item_count, i;

	for (i = 0; i < item_count; i++) {
		const struct item *item = items[i];

		if (!item->has_packet || item->sight.packet != sight->packet ||
		    item->sight.serial < sight->serial)
			continue;
		if (item->kind == SIGHT && item->sight.serial > sight->serial)
			return i;
		place = i + 1;
	}
	return place;
}

static enum exit_code add(enum kind kind, json_t *object, const struct sight *sight)
{
	struct item *item = item_count < ITEMS_MAX ? calloc(1, sizeof(*item)) : NULL;
	size_t place = item_count;

	if (!item) {
		json_decref(object);
		return fail(EXIT_SYSTEM, "out of memory");
	}
	item->kind = kind;
	item->object = object;
	if (kind == SIGHT)
		sight_read(&item->sight, object, nftmatch_has_ports(options.protocol));
	item->has_packet = kind == SIGHT || sight;
	if (sight) {
		item->sight = *sight;
		place = place_behind(sight);
	}
	memmove(&items[place + 1], &items[place], (item_count - place) * sizeof(*items));
	items[place] = item;
	item_count++;
	return EXIT_OK;
}

enum exit_code way_add_sight(json_t *sight)
{
	if (json_object_get(sight, "lost"))
		way_doubt();
	return add(SIGHT, sight, NULL);
}

enum exit_code way_add_decision(json_t *decision)
{
	return add(DECISION, decision, NULL);
}

enum exit_code way_add_drop(json_t *drop)
{
	if (json_object_get(drop, "lost"))
		way_doubt();
	return add(DROP, drop, NULL);
}

static enum exit_code emit_one(struct stream *stream, const struct item *item, long now)
{
	switch (item->kind) {
	case SIGHT:
		return packet_see(stream, &item->sight, item->object, now);
	case DECISION:
		return stream_add(stream, json_incref(item->object), options.show_decision);
	case DROP:
		return packet_drop(stream, item->object, now);
	default:
		return packet_meet(stream, item->has_packet ? &item->sight : NULL, item->object,
				   now);
	}
}

static enum exit_code emit(struct stream *stream, long now)
{
	enum exit_code code = EXIT_OK;

	for (size_t i = 0; i < item_count; i++) {
		struct item *item = items[i];

		if (!code && !stream->done)
			code = emit_one(stream, item, now);
		json_decref(item->object);
		free(item);
	}
	item_count = 0;
	return code;
}

/*
 * Rules that were met
 */

/* @packet: if not NULL, this one alone */
static struct sight *find_sight(const struct nft_step *step, const struct nft_chain *chain,
				int stage, const uint32_t *packet)
{
	struct sight *sight = packet_find(step, chain, stage, packet);

	if (sight)
		return sight;
	for (size_t i = 0; i < item_count; i++)
		if (items[i]->kind == SIGHT && (!packet || items[i]->sight.packet == *packet) &&
		    sight_is_packet(&items[i]->sight, step, chain, stage))
			return &items[i]->sight;
	return NULL;
}

/* By its own addresses, where no stage was told. */
static bool is_flow(const struct nft_step *step)
{
	const struct endpoint *wanted = options.ends, *is = step->ends;

	if (step->protocol != options.protocol ||
	    (opt.family != AF_UNSPEC && opt.family != is[0].family))
		return false;
	return (endpoint_wants(&wanted[0], &is[0]) && endpoint_wants(&wanted[1], &is[1])) ||
	       (endpoint_wants(&wanted[0], &is[1]) && endpoint_wants(&wanted[1], &is[0]));
}

static struct call *find_call(uint32_t id)
{
	for (unsigned int i = 0; i < CALLS_MAX; i++)
		if (calls[i].state != NONE && calls[i].id == id)
			return &calls[i];
	return NULL;
}

/* A packet enters a base chain. */
static void begin_call(struct step *step, bool is_late)
{
	struct call *before = find_call(step->nft.id);
	struct call *call = before ?: &calls[next_call++ % CALLS_MAX];
	const struct nft_chain *chain = nftchain_find(&step->nft);
	bool is_known = before && before->state == FOUND;
	uint32_t packet = is_known ? before->sight.packet : 0;
	struct sight *sight = NULL;

	if (!nftmatch_has_ports(options.protocol)) {
		step->nft.ends[0].port = 0;
		step->nft.ends[1].port = 0;
	}
	*call = (struct call) { .id = step->nft.id, .hook = -1, .stage = -1 };
	if (chain) {
		call->hook = chain->hook;
		call->stage = rulemet_stage(chain->hook, chain->priority);
	}
	/* A packet keeps its number in nf_tables from hook to hook, most often. */
	if (chain && is_known)
		sight = find_sight(&step->nft, chain, call->stage, &packet);
	if (chain && !sight)
		sight = find_sight(&step->nft, chain, call->stage, NULL);
	if (sight) {
		if (chain->number < 64)
			sight->met |= 1ULL << chain->number;
		call->sight = *sight;
		call->state = FOUND;
	} else if (!is_late) {
		call->state = WAITS;
	} else {
		call->state = is_flow(&step->nft) ? LOOSE : FOREIGN;
	}
}

/* True if the step has to wait. */
static bool place(struct step *step, long now, enum exit_code *code)
{
	struct call *call;
	bool is_rule;
	json_t *rule;

	/* The end of a chain, or a policy that lets it pass, is no rule. */
	is_rule = step->nft.handle || (step->nft.is_policy && step->nft.verdict == NF_DROP);
	if (step->is_cut)
		memset(calls, 0, sizeof(calls));
	step->is_cut = false;
	if (step->nft.has_packet)
		begin_call(step, step->is_doubtful || now - step->seen > HOLD);
	call = find_call(step->nft.id);
	/* What tells the packet was lost, or there are too many at a time. */
	is_lossy = is_lossy || (!call && is_rule);
	if (!call || call->state == FOREIGN)
		return false;
	if (call->state == WAITS)
		return true;
	if (!is_rule)
		return false;
	rule = rulemet_json(&step->nft, call->hook, call->stage);
	if (call->state == FOUND) {
		json_object_set_new(rule, "packet", json_integer(call->sight.packet));
		if (call->sight.pass)
			json_object_set_new(rule, "pass", json_integer(call->sight.pass));
	}
	*code = add(RULE, rule, call->state == FOUND ? &call->sight : NULL);
	return false;
}

static void take_steps(long now)
{
	size_t first = step_count;
	struct nft_step nft;
	uint32_t before;
	int got;

	before = nft_begin();

	while ((got = nft_next(&nft))) {
		struct step *step = NULL;

		if (got > 0 && step_count < STEPS_MAX)
			step = malloc(sizeof(*step));
		if (!step) {
			way_doubt();
			is_lossy = true;
			continue;
		}
		step->is_cut = is_cut;
		step->is_doubtful = false;
		is_cut = false;
		step->nft = nft;
		step->seen = now;
		steps[step_count++] = step;
	}
	if (step_count > first)
		before = nft_end(before);
	while (first < step_count)
		steps[first++]->nft.generation = before;
}

static void show_loss(json_t *object)
{
	(void)object;
	puts("some rules were lost");
}

static enum exit_code add_rules(struct stream *stream, long now)
{
	enum exit_code code = EXIT_OK;
	size_t waiting = 0;

	take_steps(now);
	for (size_t i = 0; i < step_count; i++) {
		if (!code && place(steps[i], now, &code))
			steps[waiting++] = steps[i];
		else
			free(steps[i]);
	}
	step_count = waiting;
	if (is_lossy && !code)
		code = stream_add(stream, json_pack("{s:b}", "lost", 1), show_loss);
	is_lossy = false;
	return code;
}

enum exit_code way_settle(struct stream *stream)
{
	enum exit_code code = EXIT_OK;
	long now = now_ms();

	if (options.has_rules)
		code = add_rules(stream, now);
	if (!code && !stream->done)
		code = emit(stream, now);
	if (!code && !stream->done)
		code = packet_expire(stream, now);
	stream->timeout = packet_waits() || step_count ? TICK : -1;
	return code;
}

void way_free(void)
{
	for (size_t i = 0; i < item_count; i++) {
		json_decref(items[i]->object);
		free(items[i]);
	}
	for (size_t i = 0; i < step_count; i++)
		free(steps[i]);
	packet_free();
}
