/* The canonical request of a signature (aws_sign.h): what both sides hash, spelled in the one way that they agree on. */
#ifndef PGWEIR_SECRETS_AWS_CANONICAL_H
#define PGWEIR_SECRETS_AWS_CANONICAL_H

#include "aws_sign.h"

/* Parameters or headers, to be put in order. Owned texts. */
struct aws_pair {
	char *name, *value;
};

struct aws_pairs {
	struct aws_pair *pairs;
	size_t count, capacity;
};

void aws_pairs_fini(struct aws_pairs *pairs);           /* Wipes: a session token may be among them. */
/* Takes both over. */
void aws_pairs_add(struct aws_pairs *pairs, char *name, char *value);
void aws_pairs_sort(struct aws_pairs *pairs);

/* Encoded names and values of "a=b&c". */
void aws_canonical_query(struct aws_pairs *pairs, const char *query);
/* Names in lower case, values without superfluous blanks, those of one name as one. In order. */
void aws_canonical_headers(struct aws_pairs *pairs, const struct aws_header *headers, size_t count);
void aws_canonical_path(struct buf *out, const char *path, bool as_is);

/* "a=b&c=d", and "a;b". */
void aws_pairs_join(const struct aws_pairs *pairs, struct buf *out);
void aws_pairs_join_names(const struct aws_pairs *pairs, struct buf *out);

#endif
