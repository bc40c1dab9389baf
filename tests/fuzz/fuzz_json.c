/*
 * core/jsonlex.h beside cJSON, as everything that reads JSON uses them: what passes both, is UTF-8
 * and has nothing behind is exactly RFC 8259, up to the lexer's stated limits.
 */
#include "core/jsonlex.h"
#include "fuzz_help.h"
#include "json_reference.h"
#include "platform/json.h"

enum { SPANS_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_numbers(const cJSON *value)
{
    size_t count = cJSON_IsNumber(value) ? 1 : 0;

    for (const cJSON *child = value->child; child != NULL; child = child->next)
        count += count_numbers(child);
    return count;
}

static size_t count_children(const cJSON *value)
{
    size_t count = 0;

    for (const cJSON *child = value->child; child != NULL; child = child->next)
        count++;
    return count;
}

/* What the lexer recorded is what it says: numbers and members, each a JSON text of its own. */
static void check_records(const struct jsonlex *lex, struct span text, const cJSON *tree)
{
    struct json_reference ref;

    MUST(lex->number_count == count_numbers(tree));
    MUST(lex->member_count == count_children(tree));
    for (size_t i = 0; i < lex->number_count && i < lex->numbers_max; i++) {
        struct span number = lex->numbers[i];
        MUST(number.ptr >= text.ptr && number.ptr + number.len <= text.ptr + text.len);
        MUST(json_reference_accepts(&ref, number.ptr, number.len));
        MUST(ref.number_count == 1 && ref.deepest == 0 && ref.longest_number == number.len);
    }
    const cJSON *child = tree->child;
    for (size_t i = 0; i < lex->member_count && i < lex->members_max; i++, child = child->next) {
        struct span member = lex->members[i];
        MUST(member.ptr >= text.ptr && member.ptr + member.len <= text.ptr + text.len);
        MUST(json_reference_accepts(&ref, member.ptr, member.len));
        MUST(ref.number_count == count_numbers(child));
    }
}

static bool is_accepted(struct span text)
{
    struct span numbers[SPANS_MAX], members[SPANS_MAX];
    struct jsonlex lex = {.numbers = numbers,
                          .numbers_max = SPANS_MAX,
                          .members = members,
                          .members_max = SPANS_MAX};
    cJSON *tree = NULL;
    size_t at = 0;

    if (jsonlex_scan(&lex, text) != STATUS_OK) {
        MUST(lex.error != NULL && lex.error_at <= text.len);
        return false;
    }
    if (!text_is_utf8(text) || json_parse(text, &tree, &at) != STATUS_OK)
        return false;
    MUST(at <= text.len);
    if (at == text.len)
        check_records(&lex, text, tree);
    cJSON_Delete(tree);
    return at == text.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_reference ref;
    bool is_json = json_reference_accepts(&ref, data, size);
    bool in_limits = ref.deepest <= JSONLEX_DEPTH_MAX && ref.longest_number <= JSONLEX_NUMBER_MAX &&
                     !ref.half_surrogate;

    bool is_number = is_json && ref.deepest == 0 && ref.number_count == 1 &&
                     ref.longest_number == size; /* no space around it */
    char *exact = exact_copy(data, size);

    MUST(jsonlex_is_number(span_of(exact, size)) == is_number);
    free(exact);
    for (size_t i = 0; i < sizeof(bytes_behind); i++) {
        char *copy = copy_with_byte_behind(data, size, bytes_behind[i]);
        MUST(is_accepted(span_of(copy, size)) == (is_json && in_limits));
        free(copy);
    }
    return 0;
}
