// SPDX-License-Identifier: GPL-2.0
/*
 * The ways of packets: stages, which the module tells, and rules between them, which
 * nf_tables tells by another socket. Both tell of a packet before it goes on: what the
 * rules' socket has when all of the module's was read includes each rule that comes before
 * the last stage. A rule is put behind the stage that its chain's priority follows, of the
 * first packet with the same addresses, ports and length that has not met the chain yet.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/netfilter.h>
#include <linux/nf_looptrack.h>

#include "nft.h"
#include "nftchain.h"
#include "nftmatch.h"
#include "out.h"
#include "rulemet.h"
#include "way.h"

#define ITEMS_MAX	16384
#define STEPS_MAX	8192
#define WAYS_MAX	256
#define CALLS_MAX	64

#define HOLD		300	/* ms that a rule waits for its stage */
#define SILENCE		1000	/* ms after which a packet is not expected to go on */
#define TICK		200	/* ms */

/**
 * struct sight - a packet at a stage
 * @serial: counts sights
 * @packet: the module's number for it
 * @hook: NF_LOOPTRACK_HOOK_..., or -1
 * @stage: NF_LOOPTRACK_STAGE_..., or -1
 * @pass: 0, 1 or 2
 * @is_first: it may be the first packet of its flow, which NAT's rules see
 * @length: of the packet
 * @ends: addresses and ports
 * @met: base chains whose rules were put behind it, by number
 */
struct sight {
	uint64_t serial;
	uint32_t packet;
	int hook;
	int stage;
	int pass;
	bool is_first;
	unsigned int length;
	struct endpoint ends[2];
	uint64_t met;
};

enum kind { SIGHT, DECISION, RULE };

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
 * struct way - of a packet that goes on
 * @sight: where it was last
 * @object: the same, as JSON
 * @seen: when, in ms
 */
struct way {
	struct sight sight;
	json_t *object;
	long seen;
};

/**
 * struct step - what nf_tables said, until its place is known
 * @nft: what it said
 * @seen: when, in ms
 */
struct step {
	struct nft_step nft;
	long seen;
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
static struct way ways[WAYS_MAX];
static size_t way_count;
static struct call calls[CALLS_MAX];
static unsigned int next_call;
static bool is_lossy;

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void way_init(const struct way_options *new)
{
	options = *new;
}

static void read_sight(struct sight *sight, json_t *object)
{
	const char *state = out_text(object, "state");
	static uint64_t serial;

	sight->serial = ++serial;
	sight->packet = json_integer_value(json_object_get(object, "packet"));
	sight->hook = attr_word(&attr_hooks, out_text(object, "hook"));
	sight->stage = attr_word(&attr_stages, out_text(object, "stage"));
	sight->pass = json_integer_value(json_object_get(object, "pass"));
	sight->is_first = strcmp(state, "established");
	sight->length = json_integer_value(json_object_get(object, "length"));
	endpoint_read_tuple(sight->ends, json_object_get(object, "flow"));
	if (!nftmatch_has_ports(options.protocol)) {
		sight->ends[0].port = 0;
		sight->ends[1].port = 0;
	}
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
		read_sight(&item->sight, object);
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
	return add(SIGHT, sight, NULL);
}

enum exit_code way_add_decision(json_t *decision)
{
	return add(DECISION, decision, NULL);
}

/*
 * Packets that were seen
 */

static struct way *find_way(uint32_t packet)
{
	for (size_t i = 0; i < way_count; i++)
		if (ways[i].sight.packet == packet)
			return &ways[i];
	return NULL;
}

/* How far a packet has come. */
static int rank(const struct sight *sight)
{
	static const int hooks[] = {
		[NF_LOOPTRACK_HOOK_LOCAL_OUT] = 0,
		[NF_LOOPTRACK_HOOK_PRE_ROUTING] = 0,
		[NF_LOOPTRACK_HOOK_FORWARD] = 1,
		[NF_LOOPTRACK_HOOK_POST_ROUTING] = 2,
		[NF_LOOPTRACK_HOOK_LOCAL_IN] = 4,
	};
	bool second = sight->hook == NF_LOOPTRACK_HOOK_PRE_ROUTING && sight->pass == 2;

	if (sight->hook < 0)
		return 1000;
	return (second ? 3 : hooks[sight->hook]) * 100 + sight->stage;
}

/* Has it left the host, or got to a socket? */
static bool is_through(const struct sight *sight)
{
	return sight->stage == NF_LOOPTRACK_STAGE_END &&
	       (sight->hook == NF_LOOPTRACK_HOOK_LOCAL_IN ||
		(sight->hook == NF_LOOPTRACK_HOOK_POST_ROUTING && sight->pass != 1));
}

static void end_way(struct stream *stream, struct way *way)
{
	json_decref(way->object);
	*way = ways[--way_count];
	if (!--stream->left)
		stream->done = true;
}

/* It went no further, and it is not known why. */
static enum exit_code lose_way(struct stream *stream, struct way *way)
{
	enum exit_code code = EXIT_OK;

	if (options.has_rules)
		code = stream_add(stream, rulemet_end(NULL, way->object), rulemet_show_end);
	end_way(stream, way);
	return code;
}

static enum exit_code lose_silent_ways(struct stream *stream, long now)
{
	enum exit_code code = EXIT_OK;

	for (size_t i = way_count; i-- > 0 && !code && !stream->done;)
		if (now - ways[i].seen > SILENCE)
			code = lose_way(stream, &ways[i]);
	return code;
}

static enum exit_code emit_sight(struct stream *stream, struct item *item, long now)
{
	struct way *way = find_way(item->sight.packet);
	enum exit_code code = EXIT_OK;

	/* Another packet, in the memory of that one. */
	if (way && rank(&item->sight) <= rank(&way->sight)) {
		code = lose_way(stream, way);
		way = NULL;
	}
	if (!code && !stream->done && !way && way_count == WAYS_MAX)
		code = lose_way(stream, &ways[0]);
	if (code || stream->done)
		return code;
	if (!way) {
		way = &ways[way_count++];
		way->object = NULL;
	}
	json_decref(way->object);
	way->object = json_incref(item->object);
	way->sight = item->sight;
	way->seen = now;
	code = options.show_sight(stream, item->object);
	if (!code && !stream->done && is_through(&way->sight))
		end_way(stream, way);
	return code;
}

static enum exit_code emit_rule(struct stream *stream, struct item *item)
{
	struct way *way = item->has_packet ? find_way(item->sight.packet) : NULL;
	bool is_end = rulemet_is_end(item->object);
	enum exit_code code = EXIT_OK;

	/* Of policies only those are told that end a packet's way. */
	if (json_object_get(item->object, "handle"))
		code = stream_add(stream, json_incref(item->object), rulemet_show);
	if (!code && is_end && !stream->done)
		code = stream_add(stream, rulemet_end(item->object, way ? way->object : NULL),
				  rulemet_show_end);
	if (!code && is_end && way && !stream->done)
		end_way(stream, way);
	return code;
}

static enum exit_code emit(struct stream *stream, long now)
{
	enum exit_code code = EXIT_OK;

	for (size_t i = 0; i < item_count; i++) {
		struct item *item = items[i];

		if (code || stream->done)
			;
		else if (item->kind == SIGHT)
			code = emit_sight(stream, item, now);
		else if (item->kind == DECISION)
			code = stream_add(stream, json_incref(item->object),
					  options.show_decision);
		else
			code = emit_rule(stream, item);
		json_decref(item->object);
		free(item);
	}
	item_count = 0;
	return code;
}

/*
 * Rules that were met
 */

static bool is_packet(const struct sight *sight, const struct nft_step *step,
		      const struct nft_chain *chain, int stage)
{
	return sight->hook == (int)chain->hook && sight->stage == stage &&
	       (sight->is_first || !chain->is_nat) &&
	       !(chain->number < 64 && sight->met >> chain->number & 1) &&
	       endpoint_is_same(&sight->ends[0], &step->ends[0]) &&
	       endpoint_is_same(&sight->ends[1], &step->ends[1]) &&
	       (!step->length || step->length == sight->length);
}

static struct sight *find_sight(const struct nft_step *step, const struct nft_chain *chain,
				int stage)
{
	for (size_t i = 0; i < way_count; i++)
		if (is_packet(&ways[i].sight, step, chain, stage))
			return &ways[i].sight;
	for (size_t i = 0; i < item_count; i++)
		if (items[i]->kind == SIGHT && is_packet(&items[i]->sight, step, chain, stage))
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
	struct call *call = find_call(step->nft.id) ?: &calls[next_call++ % CALLS_MAX];
	const struct nft_chain *chain = nftchain_find(&step->nft);
	struct sight *sight;

	if (!nftmatch_has_ports(options.protocol)) {
		step->nft.ends[0].port = 0;
		step->nft.ends[1].port = 0;
	}
	*call = (struct call) { .id = step->nft.id, .hook = -1, .stage = -1 };
	if (chain) {
		call->hook = chain->hook;
		call->stage = rulemet_stage(chain->hook, chain->priority);
	}
	sight = chain ? find_sight(&step->nft, chain, call->stage) : NULL;
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
	json_t *rule;

	if (step->nft.has_packet)
		begin_call(step, now - step->seen > HOLD);
	call = find_call(step->nft.id);
	if (!call || call->state == FOREIGN)
		return false;
	if (call->state == WAITS)
		return true;
	/* The end of a chain, or a policy that lets it pass, is no rule. */
	if (!step->nft.handle && !(step->nft.is_policy && step->nft.verdict == NF_DROP))
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
			is_lossy = true;
			continue;
		}
		step->nft = nft;
		step->seen = now;
		steps[step_count++] = step;
	}
	if (step_count > first && before && before == nftchain_generation())
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
		code = lose_silent_ways(stream, now);
	stream->timeout = way_count || step_count ? TICK : -1;
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
	for (size_t i = 0; i < way_count; i++)
		json_decref(ways[i].object);
}
