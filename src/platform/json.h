/*
 * JSON text to a cJSON tree. cJSON answers NULL for bad text and for a want of memory alike; here
 * they are told apart, since a good row must not be called bad because memory ran out.
 *
 *     status = json_parse(text, &tree, &at);
 *     …
 *     json_free(tree);
 */
#ifndef NB_PLATFORM_JSON_H
#define NB_PLATFORM_JSON_H

#include <cjson/cJSON.h>

#include "core/span.h"

/*
 * Lets cJSON take the memory of trees from a fixed block of each thread, which holds those of usual
 * rows; larger ones take the rest from malloc. A third of the cost of a JSONL row was allocation.
 * To be called once, before other threads start; without it all is as cJSON has it.
 */
void json_use_arena(void);

/*
 * Parses the value that the text starts with. One readable byte must stand behind the text: cJSON
 * before 1.7.18 looks at it (CVE-2023-53154).
 *
 * STATUS_OK: the tree is the caller's, to be freed by json_free; `ret_at` is the offset of what
 * follows the value and the white space behind it, the length of the text when nothing does.
 * STATUS_SYNTAX: `ret_at` is about where it goes wrong. STATUS_NO_MEMORY sets nothing.
 */
enum status json_parse(struct span text, cJSON **ret_tree, size_t *ret_at) MUST_USE;

/*
 * The same for text whose numbers are known already (jsonlex has listed them all): they are not
 * converted, each number of the tree is 0. Converting them is a third of cJSON's cost.
 */
enum status json_parse_shape(struct span text, const struct span *numbers, size_t number_count,
                             cJSON **ret_tree, size_t *ret_at) MUST_USE;

/* Frees a tree of json_parse, on the thread that parsed it. Of several trees the one that was
 * parsed last is freed first. Takes NULL. */
void json_free(cJSON *tree);

#endif
