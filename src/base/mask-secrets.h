/* What is taken for a secret, wherever it stands; where one stands in a text is mask.c's matter. Names are judged by
 * mask_is_secret_name() of mask.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define NAME_MAX_LENGTH 64 /* so much of a name is looked at, with its closing 0 */

/* Words, in any case: */
bool mask_names_something(const char *word);  /* name, key: what follows is a name: {name: DB_PASSWORD, value: ...} */
bool mask_holds_the_value(const char *word);  /* value, content: what belongs to that name */
bool mask_is_harmless_word(const char *word); /* true, none: no value of a secret */
bool mask_is_scheme(const char *word);        /* bearer, basic: credentials follow, as in HTTP */
bool mask_is_user_flag(const char *word);     /* -u, --user: user:password follows */

/* Strings of `length` bytes: */
bool mask_is_random(const char *text, size_t length);
bool mask_is_known_token(const char *text, size_t length); /* by what tokens of that kind begin with */
