#include "store.h"

#include <string.h>

#include "pgweir/mem.h"

static const struct store_class *const classes[] = { &store_aws_class, &store_file_class };

struct store *store_open(const struct config_secret *secret, const atomic_bool *stop, struct error *error)
{
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		if (strcmp(classes[i]->provider, secret->provider) != 0)
			continue;
		struct store *store = NEW(struct store);

		*store = (struct store){ .class = classes[i], .secret = secret, .stop = stop };
		if (!store->class->open(store, error))
			store_close(&store);
		return store;
	}
	error_set(error, NULL, "secret \"%s\": provider %s cannot be written to", secret->name, secret->provider);
	return NULL;
}

void store_close(struct store **store)
{
	if (!*store)
		return;
	(*store)->class->close(*store);
	mem_free(*store);
	*store = NULL;
}

void store_watch(struct store *store, void (*wrote)(void *arg), void *arg)
{
	store->wrote = wrote;
	store->arg = arg;
}

void store_wrote(const struct store *store)
{
	if (store->wrote)
		store->wrote(store->arg);
}

const char *store_place(const struct store *store)
{
	return store->secret->path ? store->secret->path : store->secret->id;
}

void stored_fini(struct stored *stored)
{
	mem_free(stored->current);
	mem_free(stored->pending);
	mem_free(stored->previous);
	mem_free(stored->provision);
	mem_free(stored->role);
	mem_free(stored->foreign);
	*stored = (struct stored){ 0 };
}

void stored_text_fini(struct stored_text *text)
{
	mem_secret_free(text->text);
	*text = (struct stored_text){ 0 };
}

static bool in_context(const struct store *store, bool good, struct error *error)
{
	return good || error_prepend(error, "secret \"%s\"", store->secret->name);
}

bool store_describe(struct store *store, struct stored *stored, struct error *error)
{
	*stored = (struct stored){ 0 };
	return in_context(store, store->class->describe(store, stored, error), error);
}

bool store_get(struct store *store, enum secret_stage stage, struct stored_text *text, struct error *error)
{
	*text = (struct stored_text){ 0 };
	return in_context(store, store->class->get(store, stage, text, error), error);
}

bool store_create(struct store *store, const char *version, const char *text, const char *provision, const char *role,
	struct error *error)
{
	return in_context(store, store->class->create(store, version, text, provision, role, error), error);
}

bool store_put(struct store *store, const char *version, const char *text, enum secret_stage stage, struct error *error)
{
	return in_context(store, store->class->put(store, version, text, stage, error), error);
}

bool store_promote(struct store *store, const char *version, const char *from, struct error *error)
{
	return in_context(store, store->class->promote(store, version, from, error), error);
}

bool store_tag(struct store *store, const char *provision, const char *role, struct error *error)
{
	return in_context(store, store->class->tag(store, provision, role, error), error);
}

bool store_delete(struct store *store, char **until, struct error *error)
{
	*until = NULL;
	return in_context(store, store->class->delete(store, until, error), error);
}

bool store_restore(struct store *store, struct error *error)
{
	return in_context(store, store->class->restore(store, error), error);
}
