/* Letters between the workers and a hub: making, sending and dropping them. */
#include "hub_letters.h"

#include <string.h>

#include "pgweir/mem.h"

void hub_order_free(struct hub_order *order)
{
	config_unref(&order->config);
	credentials_unref(&order->credentials);
	mem_free(order->database_name);
	mem_free(order->user);
	mem_free(order->encoding);
	buf_fini(&order->wants);
	buf_fini(&order->unwants);
	mem_free(order);
}

static void drop_order(struct loop_letter *letter)
{
	hub_order_free(CONTAINER_OF(letter, struct hub_order, letter));
}

/* The same for all workers, and not the same for all pools. */
static struct worker *home_of(const struct pool *pool)
{
	return worker_at((unsigned)(map_hash(pool->key, strlen(pool->key)) % workers_count()));
}

struct hub_order *hub_order_new(const struct pool_share *share)
{
	struct hub_order *order = NEW(struct hub_order);

	order->letter = (struct loop_letter){ .deliver = hub_take_order, .drop = drop_order };
	order->to = home_of(share->pool);
	order->from = share->worker->index;
	order->config = config_ref(share->config);
	order->database = share->database;
	order->database_name = mem_strdup(share->database_name);
	order->user = mem_strdup(share->user_name);
	order->credentials = credentials_ref(share->credentials);
	return order;
}

void hub_order_post(struct hub_order *order)
{
	loop_post(order->to->loop, &order->letter);
}

void hub_mail_free(struct hub_mail *mail)
{
	buf_fini(&mail->messages);
	mem_free(mail);
}

static void drop_mail(struct loop_letter *letter)
{
	hub_mail_free(CONTAINER_OF(letter, struct hub_mail, letter));
}

void hub_mail_post(struct worker *to, struct pool *pool, enum hub_mail_kind kind, uint64_t token,
	struct buf *messages)
{
	struct hub_mail *mail = NEW(struct hub_mail);

	*mail = (struct hub_mail){
		.letter = { .deliver = hub_take_mail, .drop = drop_mail }, .to = to, .pool = pool, .kind = kind, .token = token,
	};
	if (messages) {
		mail->messages = *messages;
		*messages = (struct buf){ 0 };
	}
	loop_post(to->loop, &mail->letter);
}
