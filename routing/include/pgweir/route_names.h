/* What the names of a database mean for the choice of a server: its functions, views and operators, as its catalog says.
 *
 * Made by whoever has read the catalog, name by name, and not changed any more when it is used: then any thread. Names
 * go without schema and arguments, so that overloads are one; what is unsafe of any of them is unsafe. Only hashes are kept,
 * about twelve bytes for each name: two names with the same one are taken for one, and unsafe if either is. */
#ifndef PGWEIR_ROUTE_NAMES_H
#define PGWEIR_ROUTE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/check.h"
#include "pgweir/scan.h"

enum route_function {
	ROUTE_FUNCTION_UNKNOWN,         /* There is none of that name, as far as is known. */
	ROUTE_FUNCTION_SAFE,            /* A replica may run it, and answers as the primary does. */
	ROUTE_FUNCTION_UNSAFE,
};

struct route_names;

struct route_names *route_names_new(void) MUST_USE;
void route_names_free(struct route_names **names);

void route_names_add_function(struct route_names *names, const char *name, size_t size, bool safe);
/* A text that mentions it, as whatever, is none for a replica: a view that calls an unsafe function, … */
void route_names_add_relation(struct route_names *names, const char *name, size_t size);
/* An operator whose function is unsafe. One that texts use without showing it (=, <, ~~, …) is unsafe everywhere. */
void route_names_add_operator(struct route_names *names, const char *name, size_t size);
/* Something that no text shows calls an unsafe function: a cast, … */
void route_names_set_unsafe_everywhere(struct route_names *names);

enum route_function route_names_function(const struct route_names *names, const char *name, size_t size);
bool route_names_has_relation(const struct route_names *names, const char *name, size_t size);
bool route_names_text_has_operator(const struct route_names *names, const char *text, size_t size);
bool route_names_unsafe_everywhere(const struct route_names *names);
/* Has all relations. */
const struct scan_filter *route_names_filter(const struct route_names *names);

#endif
