#include "platform/json.h"

#include <errno.h>

enum { SHAPE_BYTES_MAX = 4096 }; /* of a text that is worth a copy */

enum { ARENA_BYTES = 64 * 1024, ARENA_ALIGNMENT = 16 };

/* A stack: a tree is what was taken from its root on. */
struct arena {
    size_t used;
    bool parsing;  /* what cJSON asks for now belongs to a tree */
    bool overflow; /* the tree that is parsed took memory from malloc too */
    _Alignas(ARENA_ALIGNMENT) char block[ARENA_BYTES];
};

static _Thread_local struct arena arena;

static bool in_arena(const void *ptr)
{
    uintptr_t at = (uintptr_t)ptr, start = (uintptr_t)arena.block;
    return at >= start && at < start + ARENA_BYTES;
}

static void *arena_malloc(size_t size)
{
    size_t rounded = (size + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;

    if (!arena.parsing)
        return malloc(size);
    if (rounded < size || rounded > ARENA_BYTES - arena.used) {
        arena.overflow = true;
        return malloc(size);
    }
    void *ptr = arena.block + arena.used;
    arena.used += rounded;
    return ptr;
}

static void arena_free(void *ptr)
{
    if (!in_arena(ptr))
        free(ptr);
}

void json_use_arena(void)
{
    cJSON_Hooks hooks = {.malloc_fn = arena_malloc, .free_fn = arena_free};
    cJSON_InitHooks(&hooks);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Marks the root of a tree that lies in the arena as a whole: its memory needs no walk. `valueint`
 * of a root that is an array or object means nothing to cJSON. */
enum { WHOLLY_IN_ARENA = 0x6e62 };

static cJSON *parse(struct span text, const char **ret_end)
{
    size_t before = arena.used;

    arena.parsing = true;
    arena.overflow = false;
    cJSON *tree = cJSON_ParseWithLengthOpts(text.ptr, text.len, ret_end, false);
    arena.parsing = false;
    if (tree == NULL)
        arena.used = before; /* cJSON has freed what it took */
    else if (!arena.overflow && (cJSON_IsArray(tree) || cJSON_IsObject(tree)))
        tree->valueint = WHOLLY_IN_ARENA;
    return tree;
}

enum status json_parse(struct span text, cJSON **ret_tree, size_t *ret_at)
{
    const char *end = text.ptr;

    if (text.len == 0) { /* its pointer may be NULL */
        *ret_at = 0;
        return STATUS_SYNTAX;
    }
    errno = 0; /* cJSON does not tell bad text from a want of memory, malloc does */
    cJSON *tree = parse(text, &end);
    if (tree == NULL && errno == ENOMEM)
        return STATUS_NO_MEMORY;
    size_t at = (size_t)(end - text.ptr);
    *ret_at = at;
    if (tree == NULL)
        return STATUS_SYNTAX;
    while (at < text.len && is_space(text.ptr[at]))
        at++;
    *ret_at = at;
    *ret_tree = tree;
    return STATUS_OK;
}

enum status json_parse_shape(struct span text, const struct span *numbers, size_t number_count,
                             cJSON **ret_tree, size_t *ret_at)
{
    char shape[SHAPE_BYTES_MAX + 1];

    if (text.len > SHAPE_BYTES_MAX)
        return json_parse(text, ret_tree, ret_at);
    if (text.len > 0)
        memcpy(shape, text.ptr, text.len);
    shape[text.len] = '\0';
    /* "5850" becomes "0   ", "-2.5" "-0  ": as long, so that offsets stay what they are, and 1-2 is
     * no number then either. */
    for (size_t i = 0; i < number_count; i++) {
        char *number = shape + (numbers[i].ptr - text.ptr);
        size_t sign = number[0] == '-' ? 1 : 0;
        number[sign] = '0';
        memset(number + sign + 1, ' ', numbers[i].len - sign - 1);
    }
    return json_parse(span_of(shape, text.len), ret_tree, ret_at);
}

void json_free(cJSON *tree)
{
    if (tree == NULL)
        return;
    bool rooted = in_arena(tree); /* the root is the first thing that a tree takes */
    size_t before = rooted ? (size_t)((char *)tree - arena.block) : 0;
    bool whole = rooted && (cJSON_IsArray(tree) || cJSON_IsObject(tree)) &&
                 tree->valueint == WHOLLY_IN_ARENA;
    if (!whole)
        cJSON_Delete(tree);
    if (rooted)
        arena.used = before;
}
