/*
 * core/jsonlex.h takes exactly RFC 8259, up to its stated limits, and says the same of what it
 * takes as a tree of cJSON does.
 */
#include "core/jsonlex.h"
#include "fuzz_help.h"
#include "json_reference.h"
#include "platform/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_same_string(struct span quoted, const char *wanted, struct buf *decoded)
{
    struct span text = jsonlex_string(quoted, decoded);

    MUST(decoded->status == STATUS_OK && text.len <= quoted.len - 2);
    return span_equal(span_of(text.ptr, strnlen(text.ptr, text.len)), span_string(wanted));
}

/* A number token is as long as the number is. */
static bool is_same_number(struct span text, const cJSON *value)
{
    char copy[JSONLEX_NUMBER_MAX + 1] = "";

    memcpy(copy, text.ptr, text.len);
    return jsonlex_is_number(text) && strtod(copy, NULL) == value->valuedouble;
}

/* The lexer, which is behind the first token of the value, sees what the tree holds. */
static void check_value(struct jsonlex *lex, const cJSON *value, struct buf *decoded)
{
    bool is_object = cJSON_IsObject(value);

    if (is_object || cJSON_IsArray(value)) {
        MUST(lex->token == (is_object ? JSONLEX_OBJECT : JSONLEX_ARRAY));
        for (const cJSON *child = value->child; child != NULL; child = child->next) {
            if (is_object)
                MUST(jsonlex_next(lex) == JSONLEX_NAME &&
                     is_same_string(lex->text, child->string, decoded));
            (void)jsonlex_next(lex);
            check_value(lex, child, decoded);
        }
        MUST(jsonlex_next(lex) == (is_object ? JSONLEX_OBJECT_END : JSONLEX_ARRAY_END));
    } else if (cJSON_IsString(value)) {
        MUST(lex->token == JSONLEX_STRING &&
             is_same_string(lex->text, value->valuestring, decoded));
    } else if (cJSON_IsNumber(value)) {
        MUST(lex->token == JSONLEX_NUMBER && is_same_number(lex->text, value));
    } else {
        MUST(lex->token == (cJSON_IsNull(value)   ? JSONLEX_NULL
                            : cJSON_IsTrue(value) ? JSONLEX_TRUE
                                                  : JSONLEX_FALSE));
    }
}

static void check_tokens(struct span text)
{
    struct jsonlex lex;
    struct buf decoded;
    cJSON *tree = NULL;
    size_t at = 0;

    buf_init(&decoded, text.len);
    MUST(buf_reserve(&decoded, text.len));
    MUST(json_parse(text, &tree, &at) == STATUS_OK && at == text.len);
    jsonlex_start(&lex, text);
    (void)jsonlex_next(&lex);
    check_value(&lex, tree, &decoded);
    MUST(jsonlex_next(&lex) == JSONLEX_END && lex.depth == 0);
    jsonlex_start(&lex, text);
    (void)jsonlex_next(&lex);
    MUST(jsonlex_skip(&lex) && jsonlex_next(&lex) == JSONLEX_END);
    cJSON_Delete(tree);
    buf_deinit(&decoded);
}

/* What the short way takes from the start of the text is JSON without escapes, and of that kind. */
static void check_plain(struct span text)
{
    struct jsonlex_rest rest = {text.ptr, text.ptr + text.len};
    struct jsonlex lex;
    struct span taken;
    enum jsonlex_token token = jsonlex_plain_value(&rest, &taken);

    MUST(rest.at >= text.ptr && rest.at <= text.ptr + text.len);
    if (token == JSONLEX_BAD)
        return;
    MUST(taken.ptr == text.ptr && taken.len == (size_t)(rest.at - text.ptr));
    jsonlex_start(&lex, taken);
    MUST(jsonlex_next(&lex) == token && jsonlex_skip(&lex) && span_equal(lex.text, taken));
    MUST(jsonlex_next(&lex) == JSONLEX_END && !lex.has_escape);
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

    struct jsonlex lex;
    bool is_accepted = jsonlex_check(&lex, span_of(exact, size)) == STATUS_OK;

    MUST(jsonlex_is_number(span_of(exact, size)) == is_number);
    MUST(is_accepted == (is_json && in_limits));
    MUST(!is_accepted || lex.nul_escape == ref.nul_escape);
    MUST(is_accepted || (lex.error != NULL && lex.error_at <= size));
    check_plain(span_of(exact, size));
    free(exact);
    if (is_accepted) {
        char *copy = copy_with_byte_behind(data, size, '\0');
        check_tokens(span_of(copy, size));
        free(copy);
    }
    return 0;
}
