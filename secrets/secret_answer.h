/* From Secrets Manager's JSON to answers (secret_store.h). */
#ifndef PGWEIR_SECRETS_SECRET_ANSWER_H
#define PGWEIR_SECRETS_SECRET_ANSWER_H

#include <jansson.h>

#include "pgweir/secret_store.h"

/* Fills in an empty answer. False: the JSON is not what the service says it sends; `answer->error`. */
bool secret_answer_take(struct secret_answer *answer, enum secret_operation operation, const json_t *root) MUST_USE;

#endif
