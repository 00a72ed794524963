// SPDX-License-Identifier: GPL-2.0
/* A queue of closed TCP sockets for each CPU, to be looked at a moment later. */

#include <linux/cpumask.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "core/closed.h"

/*
 * Sockets are added by a probe of a tracepoint, which runs with preemption off,
 * in softirq or in process context. With PREEMPT_RT no spinlock_t may be taken and
 * no memory may be allocated there. So the lock of a queue is a raw one, held for
 * a few dozen instructions, and chunks of the queue are allocated beforehand: by
 * lt_closed_start() and by the refill work. Other kernels may also allocate a
 * chunk in the probe when there is no spare one.
 *
 * Two locks for each queue:
 *
 * - lt_closed_queue.lock, raw, with interrupts off, protects the lists and counts.
 * - lt_closed_queue.taking, a mutex, is held by whoever has taken the list of
 *   chunks out of the queue, until each socket in it is looked at, put back or
 *   dropped. It makes sure that lt_closed_forget() sees all sockets of a namespace:
 *
 *	CPU 0, lt_closed_work()			CPU 1, lt_closed_forget()
 *	takes the chunks
 *						finds the queue empty, returns;
 *						struct lt_net is freed
 *	looks at a socket of that namespace
 *
 *   With the mutex CPU 1 waits until CPU 0 is done. What CPU 0 keeps is back in
 *   the queue by then, and CPU 1 removes it.
 *
 * The works need no lock against their end: lt_closed_stop() is called when no
 * probe runs, so only the works themselves could queue them, and
 * cancel_delayed_work_sync() and cancel_work_sync() prevent that.
 *
 * The look work is queued when a chunk is put into an empty queue, by the probe,
 * and when chunks are put back, by the work itself. So it is pending, or about to
 * be, whenever there are chunks:
 *
 *	CPU 0, lt_closed_add()			CPU 1, lt_closed_work()
 *	adds to a chunk that is there
 *						takes it: the socket is in it
 *
 *						takes the chunks
 *	finds the queue empty, adds a chunk,
 *	queues the work, though it runs on
 *	CPU 1: it runs again later
 */
#define LT_CLOSED_DELAY		(HZ / 4)

/* A chunk fills 2 KiB. */
#define LT_CLOSED_CHUNK \
	((2048 - 2 * sizeof(long)) / sizeof(struct lt_closed))

/* Chunks of a queue: at most, from the start, and the number from which sockets
 * are looked at without delay.
 */
#define LT_CLOSED_MAX		512U
#define LT_CLOSED_MIN		4U
#define LT_CLOSED_HURRY		(LT_CLOSED_MAX / 2)

/**
 * struct lt_closed_chunk - some closed sockets
 * @next: next chunk of the list
 * @count: how many sockets are in @closed
 * @closed: the sockets
 */
struct lt_closed_chunk {
	struct lt_closed_chunk *next;
	unsigned int count;
	struct lt_closed closed[LT_CLOSED_CHUNK];
};

/**
 * struct lt_closed_queue - sockets that were closed on a CPU
 * @taking: held while chunks are out of the queue, see above. Taken before @lock.
 * @lock: protects the rest but for the works, see above
 * @chunks: the one to be filled first
 * @spares: empty ones
 * @count: how many are in @chunks
 * @spare_count: how many are in @spares
 * @wanted: how many spares there should be
 * @hurried: so many wait that they must be looked at without delay
 * @look: looks at the sockets
 * @refill: allocates spares
 */
struct lt_closed_queue {
	struct mutex taking;	/* see above */
	raw_spinlock_t lock;	/* see above */
	struct lt_closed_chunk *chunks;
	struct lt_closed_chunk *spares;
	unsigned int count;
	unsigned int spare_count;
	unsigned int wanted;
	bool hurried;
	struct delayed_work look;
	struct work_struct refill;
};

static DEFINE_PER_CPU(struct lt_closed_queue, lt_closed_queues);

/* Set by lt_closed_start(), before there are users. Unbound: what has to be done
 * need not disturb the CPU that is busy with connections.
 */
static struct workqueue_struct *lt_closed_wq;
static lt_closed_look_t *lt_closed_look;

/* Give an empty chunk to the queue, if it has a use for one. */
static bool lt_closed_spare(struct lt_closed_queue *queue,
			    struct lt_closed_chunk *chunk)
{
	unsigned long flags;
	bool use;

	raw_spin_lock_irqsave(&queue->lock, flags);
	use = queue->spare_count < queue->wanted &&
	      queue->spare_count + queue->count < LT_CLOSED_MAX;
	if (use) {
		chunk->next = queue->spares;
		queue->spares = chunk;
		queue->spare_count++;
	}
	raw_spin_unlock_irqrestore(&queue->lock, flags);

	return use;
}

static void lt_closed_recycle(struct lt_closed_queue *queue,
			      struct lt_closed_chunk *chunk)
{
	if (!lt_closed_spare(queue, chunk))
		kfree(chunk);
}

/* Allocate one spare. Return: false if that was enough. */
static bool lt_closed_grow(struct lt_closed_queue *queue, gfp_t gfp)
{
	struct lt_closed_chunk *chunk;

	chunk = kmalloc(sizeof(*chunk), gfp | __GFP_NOWARN);
	if (!chunk)
		return false;

	if (lt_closed_spare(queue, chunk))
		return true;

	kfree(chunk);
	return false;
}

static void lt_closed_refill(struct work_struct *work)
{
	struct lt_closed_queue *queue;

	queue = container_of(work, struct lt_closed_queue, refill);
	while (lt_closed_grow(queue, GFP_KERNEL))
		cond_resched();
}

/**
 * struct lt_closed_kick - works to be queued, once the lock is released
 * @look: the sockets are to be looked at later
 * @hurry: they are to be looked at now
 * @refill: spares are running out
 */
struct lt_closed_kick {
	bool look;
	bool hurry;
	bool refill;
};

/* Put a spare chunk into the queue, under its lock. */
static bool lt_closed_extend(struct lt_closed_queue *queue,
			     struct lt_closed_kick *kick)
{
	struct lt_closed_chunk *chunk = queue->spares;

	/* More will be wanted the next time, too. */
	if (queue->spare_count <= queue->wanted / 2) {
		WRITE_ONCE(queue->wanted,
			   min(2 * queue->wanted, LT_CLOSED_MAX));
		kick->refill = true;
	}
	if (!chunk)
		return false;

	queue->spares = chunk->next;
	queue->spare_count--;
	kick->look = !queue->chunks;
	chunk->next = queue->chunks;
	chunk->count = 0;
	queue->chunks = chunk;
	queue->count++;
	kick->hurry = queue->count >= LT_CLOSED_HURRY && !queue->hurried;
	if (kick->hurry)
		queue->hurried = true;

	return true;
}

static bool lt_closed_has_room(const struct lt_closed_queue *queue)
{
	return queue->chunks && queue->chunks->count < LT_CLOSED_CHUNK;
}

static bool lt_closed_put(struct lt_closed_queue *queue,
			  const struct lt_closed *closed)
{
	struct lt_closed_kick kick = {};
	unsigned long flags;
	bool has_room;

	raw_spin_lock_irqsave(&queue->lock, flags);
	has_room = likely(lt_closed_has_room(queue)) ||
		   lt_closed_extend(queue, &kick);
	if (has_room)
		queue->chunks->closed[queue->chunks->count++] = *closed;
	raw_spin_unlock_irqrestore(&queue->lock, flags);

	if (unlikely(kick.hurry))
		mod_delayed_work(lt_closed_wq, &queue->look, 0);
	else if (unlikely(kick.look))
		queue_delayed_work(lt_closed_wq, &queue->look, LT_CLOSED_DELAY);
	if (unlikely(kick.refill))
		queue_work(lt_closed_wq, &queue->refill);

	return has_room;
}

/**
 * lt_closed_add() - have a closed socket looked at a moment later
 * @closed: the socket
 *
 * Context: softirq or process context, preemption off, also with PREEMPT_RT;
 * between lt_closed_start() and lt_closed_stop().
 * Return: false if there is no room for it.
 */
bool lt_closed_add(const struct lt_closed *closed)
{
	struct lt_closed_queue *queue = this_cpu_ptr(&lt_closed_queues);

	if (likely(lt_closed_put(queue, closed)))
		return true;

	return !IS_ENABLED(CONFIG_PREEMPT_RT) &&
	       lt_closed_grow(queue, GFP_ATOMIC) &&
	       lt_closed_put(queue, closed);
}

/* Take all chunks out of the queue, with its mutex. */
static struct lt_closed_chunk *lt_closed_take(struct lt_closed_queue *queue)
{
	struct lt_closed_chunk *chunks;

	raw_spin_lock_irq(&queue->lock);
	chunks = queue->chunks;
	queue->chunks = NULL;
	queue->count = 0;
	raw_spin_unlock_irq(&queue->lock);

	return chunks;
}

/* Put chunks back that were taken out, with the queue's mutex. */
static void lt_closed_put_back(struct lt_closed_queue *queue,
			       struct lt_closed_chunk *chunks)
{
	struct lt_closed_chunk *last;
	unsigned int count = 1;

	if (!chunks)
		return;

	for (last = chunks; last->next; last = last->next)
		count++;

	raw_spin_lock_irq(&queue->lock);
	last->next = queue->chunks;
	queue->chunks = chunks;
	queue->count += count;
	raw_spin_unlock_irq(&queue->lock);

	queue_delayed_work(lt_closed_wq, &queue->look, LT_CLOSED_DELAY);
}

/* Begin another turn. Return: true if its sockets can't be kept for later. */
static bool lt_closed_turn(struct lt_closed_queue *queue)
{
	bool hurried;

	raw_spin_lock_irq(&queue->lock);
	/* The number grows at once, with demand, and shrinks by and by. */
	if (queue->count < queue->wanted / 4)
		WRITE_ONCE(queue->wanted,
			   max(queue->wanted / 2, LT_CLOSED_MIN));
	hurried = queue->hurried;
	queue->hurried = false;
	raw_spin_unlock_irq(&queue->lock);

	return hurried;
}

static struct lt_closed_chunk *lt_closed_surplus(struct lt_closed_queue *queue)
{
	struct lt_closed_chunk *chunk = NULL;

	raw_spin_lock_irq(&queue->lock);
	if (queue->spare_count > queue->wanted) {
		chunk = queue->spares;
		queue->spares = chunk->next;
		queue->spare_count--;
	}
	raw_spin_unlock_irq(&queue->lock);

	return chunk;
}

/* End a turn: free what is not wanted. After a burst there are a few more turns,
 * until there is as little as at the start.
 */
static void lt_closed_shrink(struct lt_closed_queue *queue)
{
	struct lt_closed_chunk *chunk;

	while ((chunk = lt_closed_surplus(queue)))
		kfree(chunk);
	if (READ_ONCE(queue->wanted) > LT_CLOSED_MIN)
		queue_delayed_work(lt_closed_wq, &queue->look, LT_CLOSED_DELAY);
}

/* Keep what is left in a chunk: in the first one of those kept, if it fits there. */
static struct lt_closed_chunk *lt_closed_keep(struct lt_closed_queue *queue,
					      struct lt_closed_chunk *kept,
					      struct lt_closed_chunk *chunk)
{
	if (chunk->count &&
	    (!kept || kept->count + chunk->count > LT_CLOSED_CHUNK)) {
		chunk->next = kept;
		return chunk;
	}

	if (chunk->count) {
		memcpy(&kept->closed[kept->count], chunk->closed,
		       chunk->count * sizeof(*chunk->closed));
		kept->count += chunk->count;
	}
	lt_closed_recycle(queue, chunk);
	return kept;
}

static void lt_closed_work(struct work_struct *work)
{
	struct lt_closed_chunk *chunk, *next, *kept = NULL;
	struct lt_closed_queue *queue;
	bool hurried;

	queue = container_of(to_delayed_work(work), struct lt_closed_queue, look);

	mutex_lock(&queue->taking);
	hurried = lt_closed_turn(queue);
	for (chunk = lt_closed_take(queue); chunk; chunk = next) {
		next = chunk->next;
		chunk->count = lt_closed_look(chunk->closed, chunk->count,
					      hurried);
		kept = lt_closed_keep(queue, kept, chunk);
		cond_resched();
	}
	lt_closed_put_back(queue, kept);
	lt_closed_shrink(queue);
	mutex_unlock(&queue->taking);
}

/* Remove the sockets of a namespace from a chunk. */
static void lt_closed_strip(struct lt_closed_chunk *chunk,
			    const struct lt_net *ln)
{
	unsigned int i, kept = 0;

	for (i = 0; i < chunk->count; i++)
		if (chunk->closed[i].ln != ln)
			chunk->closed[kept++] = chunk->closed[i];
	chunk->count = kept;
}

static void lt_closed_forget_queue(struct lt_closed_queue *queue,
				   const struct lt_net *ln)
{
	struct lt_closed_chunk *chunk, *next, *kept = NULL;

	mutex_lock(&queue->taking);
	for (chunk = lt_closed_take(queue); chunk; chunk = next) {
		next = chunk->next;
		lt_closed_strip(chunk, ln);
		kept = lt_closed_keep(queue, kept, chunk);
		cond_resched();
	}
	lt_closed_put_back(queue, kept);
	mutex_unlock(&queue->taking);
}

/**
 * lt_closed_forget() - remove the sockets of a namespace that ends
 * @ln: the module's part of it; none of its sockets is added from now on
 *
 * Context: may sleep; between lt_closed_start() and lt_closed_stop().
 */
void lt_closed_forget(const struct lt_net *ln)
{
	int cpu;

	for_each_possible_cpu(cpu)
		lt_closed_forget_queue(per_cpu_ptr(&lt_closed_queues, cpu), ln);
}

static void lt_closed_init_queue(struct lt_closed_queue *queue)
{
	mutex_init(&queue->taking);
	raw_spin_lock_init(&queue->lock);
	queue->chunks = NULL;
	queue->spares = NULL;
	queue->count = 0;
	queue->spare_count = 0;
	queue->wanted = LT_CLOSED_MIN;
	queue->hurried = false;
	INIT_DELAYED_WORK(&queue->look, lt_closed_work);
	INIT_WORK(&queue->refill, lt_closed_refill);
}

/**
 * lt_closed_start() - get ready for closed sockets
 * @look: is called to look at them
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int lt_closed_start(lt_closed_look_t *look)
{
	struct lt_closed_queue *queue;
	int cpu;

	lt_closed_wq = alloc_workqueue("nf_looptrack", WQ_UNBOUND, 0);
	if (!lt_closed_wq)
		return -ENOMEM;

	lt_closed_look = look;
	for_each_possible_cpu(cpu) {
		queue = per_cpu_ptr(&lt_closed_queues, cpu);
		lt_closed_init_queue(queue);
		/* What can't be allocated now is asked for by the first socket. */
		if (cpu_online(cpu))
			lt_closed_refill(&queue->refill);
	}

	return 0;
}

static void lt_closed_free(struct lt_closed_chunk *chunk)
{
	struct lt_closed_chunk *next;

	for (; chunk; chunk = next) {
		next = chunk->next;
		kfree(chunk);
	}
}

/**
 * lt_closed_stop() - undo lt_closed_start(); sockets that wait are dropped
 *
 * Context: may sleep; lt_closed_add() neither runs nor is called from now on.
 */
void lt_closed_stop(void)
{
	struct lt_closed_queue *queue;
	int cpu;

	for_each_possible_cpu(cpu) {
		queue = per_cpu_ptr(&lt_closed_queues, cpu);
		cancel_delayed_work_sync(&queue->look);
		cancel_work_sync(&queue->refill);
		lt_closed_free(queue->chunks);
		lt_closed_free(queue->spares);
		mutex_destroy(&queue->taking);
	}
	destroy_workqueue(lt_closed_wq);
}
