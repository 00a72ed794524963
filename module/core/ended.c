// SPDX-License-Identifier: GPL-2.0
/* A queue of ended TCP flows for each CPU, to be looked at a moment later. */

#include <linux/cpumask.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/netfilter/nf_conntrack.h>

#include "core/ended.h"

/*
 * Two locks for each queue:
 *
 * - lt_ended_queue.lock, with BHs off, protects the list and the count.
 * - lt_ended_queue.taking, a mutex, is held by whoever has taken the list of
 *   chunks out of the queue, until each flow in it is looked at, put back or
 *   dropped. It makes sure that lt_ended_forget() sees all flows of a namespace:
 *
 *	CPU 0, lt_ended_work()			CPU 1, lt_ended_forget()
 *	takes the chunks
 *						finds the queue empty, returns;
 *						struct lt_net is freed
 *	looks at a flow of that namespace
 *
 *   With the mutex CPU 1 waits until CPU 0 is done. What CPU 0 keeps is back in
 *   the queue by then, and CPU 1 removes it.
 *
 * The work is queued when a chunk is put into an empty queue, by the CPU that adds a
 * flow, and when chunks are put back. So it is pending, or about to be, whenever there
 * are chunks:
 *
 *	CPU 0, lt_ended_add()			CPU 1, lt_ended_work()
 *	adds to a chunk that is there
 *						takes it: the flow is in it
 *
 *						takes the chunks
 *	finds the queue empty, adds a chunk,
 *	queues the work, though it runs on
 *	CPU 1: it runs again later
 */
#define LT_ENDED_DELAY		(HZ / 4)

/* A chunk fills 2 KiB. */
#define LT_ENDED_CHUNK \
	((2048 - 2 * sizeof(long)) / sizeof(struct lt_ended))

/* Chunks of a queue: at most, and the number from which flows are looked at without
 * delay.
 */
#define LT_ENDED_MAX		64U
#define LT_ENDED_HURRY		(LT_ENDED_MAX / 2)

/**
 * struct lt_ended_chunk - some ended flows
 * @next: next chunk of the list
 * @count: how many flows are in @ended
 * @ended: the flows
 */
struct lt_ended_chunk {
	struct lt_ended_chunk *next;
	unsigned int count;
	struct lt_ended ended[LT_ENDED_CHUNK];
};

/**
 * struct lt_ended_queue - flows that ended on a CPU
 * @taking: held while chunks are out of the queue, see above. Taken before @lock.
 * @lock: protects the rest but for the work, see above
 * @chunks: the one to be filled first
 * @count: how many there are
 * @hurried: so many wait that they must be looked at without delay
 * @look: looks at the flows
 */
struct lt_ended_queue {
	struct mutex taking;	/* see above */
	spinlock_t lock;	/* see above */
	struct lt_ended_chunk *chunks;
	unsigned int count;
	bool hurried;
	struct delayed_work look;
};

static DEFINE_PER_CPU(struct lt_ended_queue, lt_ended_queues);

/* Set by lt_ended_init(), before there are hooks. Unbound: what has to be done need
 * not disturb the CPU that is busy with connections.
 */
static struct workqueue_struct *lt_ended_wq;
static lt_ended_look_t *lt_ended_look;

static bool lt_ended_has_room(const struct lt_ended_queue *queue)
{
	return queue->chunks && queue->chunks->count < LT_ENDED_CHUNK;
}

/* Put an empty chunk into the queue, under its lock. */
static bool lt_ended_extend(struct lt_ended_queue *queue)
{
	struct lt_ended_chunk *chunk;

	if (queue->count >= LT_ENDED_MAX)
		return false;
	chunk = kmalloc(sizeof(*chunk), GFP_ATOMIC | __GFP_NOWARN);
	if (!chunk)
		return false;

	if (!queue->chunks)
		queue_delayed_work(lt_ended_wq, &queue->look, LT_ENDED_DELAY);
	chunk->next = queue->chunks;
	chunk->count = 0;
	queue->chunks = chunk;
	queue->count++;
	if (queue->count >= LT_ENDED_HURRY && !queue->hurried) {
		queue->hurried = true;
		mod_delayed_work(lt_ended_wq, &queue->look, 0);
	}

	return true;
}

/**
 * lt_ended_add() - have an ended flow looked at a moment later
 * @ended: the flow, whose reference is the queue's afterwards
 *
 * Context: softirq or process context.
 * Return: false if there is no room for it, and nothing was done.
 */
bool lt_ended_add(const struct lt_ended *ended)
{
	struct lt_ended_queue *queue = raw_cpu_ptr(&lt_ended_queues);
	bool has_room;

	spin_lock_bh(&queue->lock);
	has_room = likely(lt_ended_has_room(queue)) || lt_ended_extend(queue);
	if (has_room)
		queue->chunks->ended[queue->chunks->count++] = *ended;
	spin_unlock_bh(&queue->lock);

	return has_room;
}

/* Take all chunks out of the queue, with its mutex. Hurried is set to whether their
 * flows can't be kept for later.
 */
static struct lt_ended_chunk *lt_ended_take(struct lt_ended_queue *queue,
					    bool *hurried)
{
	struct lt_ended_chunk *chunks;

	spin_lock_bh(&queue->lock);
	chunks = queue->chunks;
	*hurried = queue->hurried;
	queue->chunks = NULL;
	queue->count = 0;
	queue->hurried = false;
	spin_unlock_bh(&queue->lock);

	return chunks;
}

/* Put chunks back that were taken out, with the queue's mutex. */
static void lt_ended_put_back(struct lt_ended_queue *queue,
			      struct lt_ended_chunk *chunks)
{
	struct lt_ended_chunk *last;
	unsigned int count = 1;

	if (!chunks)
		return;

	for (last = chunks; last->next; last = last->next)
		count++;

	spin_lock_bh(&queue->lock);
	last->next = queue->chunks;
	queue->chunks = chunks;
	queue->count += count;
	spin_unlock_bh(&queue->lock);

	queue_delayed_work(lt_ended_wq, &queue->look, LT_ENDED_DELAY);
}

/* Keep what is left in a chunk: in the first one of those kept, if it fits there. */
static struct lt_ended_chunk *lt_ended_keep(struct lt_ended_chunk *kept,
					    struct lt_ended_chunk *chunk)
{
	if (chunk->count &&
	    (!kept || kept->count + chunk->count > LT_ENDED_CHUNK)) {
		chunk->next = kept;
		return chunk;
	}

	if (chunk->count) {
		memcpy(&kept->ended[kept->count], chunk->ended,
		       chunk->count * sizeof(*chunk->ended));
		kept->count += chunk->count;
	}
	kfree(chunk);
	return kept;
}

static void lt_ended_work(struct work_struct *work)
{
	struct lt_ended_chunk *chunk, *next, *kept = NULL;
	struct lt_ended_queue *queue;
	bool hurried;

	queue = container_of(to_delayed_work(work), struct lt_ended_queue, look);

	mutex_lock(&queue->taking);
	for (chunk = lt_ended_take(queue, &hurried); chunk; chunk = next) {
		next = chunk->next;
		chunk->count = lt_ended_look(chunk->ended, chunk->count, hurried);
		kept = lt_ended_keep(kept, chunk);
		cond_resched();
	}
	lt_ended_put_back(queue, kept);
	mutex_unlock(&queue->taking);
}

/* Remove the flows of a namespace from a chunk. */
static void lt_ended_strip(struct lt_ended_chunk *chunk, const struct net *net)
{
	unsigned int i, kept = 0;

	for (i = 0; i < chunk->count; i++) {
		if (net_eq(nf_ct_net(chunk->ended[i].ct), net))
			nf_ct_put(chunk->ended[i].ct);
		else
			chunk->ended[kept++] = chunk->ended[i];
	}
	chunk->count = kept;
}

static void lt_ended_forget_queue(struct lt_ended_queue *queue,
				  const struct net *net)
{
	struct lt_ended_chunk *chunk, *next, *kept = NULL;
	bool hurried;

	mutex_lock(&queue->taking);
	for (chunk = lt_ended_take(queue, &hurried); chunk; chunk = next) {
		next = chunk->next;
		lt_ended_strip(chunk, net);
		kept = lt_ended_keep(kept, chunk);
		cond_resched();
	}
	lt_ended_put_back(queue, kept);
	mutex_unlock(&queue->taking);
}

/**
 * lt_ended_forget() - remove the flows of a namespace that ends
 * @net: the namespace; none of its flows is added from now on
 *
 * Context: may sleep.
 */
void lt_ended_forget(const struct net *net)
{
	int cpu;

	for_each_possible_cpu(cpu)
		lt_ended_forget_queue(per_cpu_ptr(&lt_ended_queues, cpu), net);
}

/**
 * lt_ended_init() - get ready for ended flows
 * @look: is called to look at them
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init lt_ended_init(lt_ended_look_t *look)
{
	struct lt_ended_queue *queue;
	int cpu;

	lt_ended_wq = alloc_workqueue("nf_looptrack", WQ_UNBOUND, 0);
	if (!lt_ended_wq)
		return -ENOMEM;

	lt_ended_look = look;
	for_each_possible_cpu(cpu) {
		queue = per_cpu_ptr(&lt_ended_queues, cpu);
		mutex_init(&queue->taking);
		spin_lock_init(&queue->lock);
		INIT_DELAYED_WORK(&queue->look, lt_ended_work);
	}

	return 0;
}

/**
 * lt_ended_exit() - undo lt_ended_init()
 *
 * Context: may sleep; lt_ended_forget() has been called for each namespace.
 */
void lt_ended_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		cancel_delayed_work_sync(&per_cpu_ptr(&lt_ended_queues, cpu)->look);
	destroy_workqueue(lt_ended_wq);
}
