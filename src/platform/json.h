/*
 * JSON text to a cJSON tree. cJSON answers NULL for bad text and for a want of memory alike; here
 * they are told apart, since a good row must not be called bad because memory ran out.
 *
 *     status = json_parse(text, &tree, &at);
 *     …
 *     cJSON_Delete(tree);
 */
#ifndef NB_PLATFORM_JSON_H
#define NB_PLATFORM_JSON_H

#include <cjson/cJSON.h>

#include "core/span.h"

/*
 * Parses the value that the text starts with. One readable byte must follow the text: cJSON
 * before 1.7.18 looks at it (CVE-2023-53154).
 *
 * STATUS_OK: the tree is the caller's, to be freed by cJSON_Delete; `ret_at` is the offset of what
 * follows the value and the white space behind it, the length of the text when nothing does.
 * STATUS_SYNTAX: `ret_at` is about where it goes wrong. STATUS_NO_MEMORY sets nothing.
 */
enum status json_parse(struct span text, cJSON **ret_tree, size_t *ret_at) MUST_USE;

#endif
