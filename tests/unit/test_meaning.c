#include "unit.h"

#include "platform/meaning.h"

/* Every number with every text of the platform's two pages, and what follows. */
static const struct {
    int64_t number;
    const char *text;
    enum meaning_class class;
} cases[] = {
    /* The NB-IoT page. */
    {0, "succ", MEANING_ACCEPTED},
    {0, "success", MEANING_ACCEPTED},
    {1, "auth failed", MEANING_DEVICE_KEY},
    {3, "parameter required", MEANING_REJECTED},
    {7, "service internal error", MEANING_LATER},
    {2001, "device not online", MEANING_REJECTED},
    {5006, "system logic limit", MEANING_REJECTED},
    {5106, "UNSUCESS", MEANING_REJECTED},
    {5108, "invalid parameter", MEANING_REJECTED},
    {5108, "rpc response error", MEANING_AMBIGUOUS},
    {5117, "rpc error", MEANING_AGAIN},
    /* The platform-wide page. */
    {1, "internal server error", MEANING_AGAIN},
    {2, "api-key required", MEANING_KEY},
    {3, "auth failed", MEANING_KEY},
    {3, "token鉴权失败", MEANING_KEY},
    {4, "invalid JSON", MEANING_REJECTED},
    {5, "request entity too large", MEANING_REJECTED},
    {6, "invalid parameter", MEANING_REJECTED},
    {7, "parameter required", MEANING_REJECTED},
    {8, "not found", MEANING_REJECTED},
    {9, "entity data required", MEANING_REJECTED},
    {10, "device not online", MEANING_REJECTED},
    {11, "already exists", MEANING_REJECTED},
    {12, "already exists", MEANING_REJECTED},
    {13, "system limit", MEANING_REJECTED},
    {14, "network latency", MEANING_AGAIN},
    {15, "api freq out of limit", MEANING_LATER},
    {16, "unsuccess", MEANING_REJECTED},
    {17, "nbiot server error", MEANING_AGAIN},
    {18, "hs server error", MEANING_AGAIN},
    {22, "invalid protocol", MEANING_REJECTED},
    /* The number alone, as the NB-IoT page has it. */
    {1, "", MEANING_DEVICE_KEY},
    {3, "", MEANING_REJECTED},
    {7, "", MEANING_LATER},
    {7, "something new", MEANING_LATER},
    {5108, "", MEANING_REJECTED},
    {14, "", MEANING_AGAIN},
    {4711, "", MEANING_REJECTED},
    {-1, "", MEANING_REJECTED},
    /* Case, blanks, punctuation, language. */
    {3, "AUTH FAILED", MEANING_KEY},
    {3, "auth  failed.", MEANING_KEY},
    {3, "authFailed", MEANING_KEY},
    {3,
     " auth\xc2\xa0"
     "failed",
     MEANING_KEY},
    {3,
     "auth\xe3\x80\x80"
     "failed",
     MEANING_KEY},
    {3, "auth failed: invalid key", MEANING_KEY},
    {3, "鉴权失败", MEANING_KEY},
    {3, "Token 鉴权失败", MEANING_KEY},
    {1, "鉴权失败", MEANING_DEVICE_KEY},
    {1, "服务器内部错误", MEANING_AGAIN},
    {1, "Internal Server Error", MEANING_AGAIN},
    {7, "服务内部错误", MEANING_LATER},
    {7, "缺少参数", MEANING_REJECTED},
    {5108, "RPC Response Error", MEANING_AMBIGUOUS},
    {2, "api key required", MEANING_KEY},
    /* Texts beside numbers that they stand with on no page: the more careful of the two. */
    {0, "auth failed", MEANING_ACCEPTED},
    {5006, "auth failed", MEANING_DEVICE_KEY},
    {99, "auth failed", MEANING_DEVICE_KEY},
    {7, "invalid parameter", MEANING_REJECTED},
    {15, "invalid parameter", MEANING_REJECTED},
    {5117, "rpc response error", MEANING_AMBIGUOUS},
    {5006, "rpc response error", MEANING_AMBIGUOUS},
    {3, "internal server error", MEANING_REJECTED},
    {5108, "rpc error", MEANING_REJECTED},
    {2, "internal server error", MEANING_AMBIGUOUS},
    {1, "service internal error", MEANING_AMBIGUOUS},
    {1, "invalid parameter", MEANING_REJECTED},
    {7, "internal server error", MEANING_LATER},
    {99, "internal server error", MEANING_AMBIGUOUS},
    {99, "api freq out of limit", MEANING_AMBIGUOUS},
    {99, "invalid parameter", MEANING_REJECTED},
    {16, "UNSUCESS", MEANING_REJECTED},
};

static void test_each_number_and_text_has_its_meaning(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        enum meaning_class class;
        (void)meaning_find(DIALECT_V1, cases[i].number, span_string(cases[i].text), &class);
        if (class != cases[i].class)
            print_error("%lld \"%s\"\n", (long long)cases[i].number, cases[i].text);
        assert_int_equal(class, cases[i].class);
    }
}

/* Each entry is found by its own text, and none is missing above. */
static void test_each_entry_is_found_by_its_text(void **state)
{
    (void)state;
    size_t count;
    const struct meaning *entries = meaning_all(&count);

    for (size_t i = 0; i < count; i++) {
        enum meaning_class class;
        bool is_tested = false;
        const struct meaning *found = meaning_find(entries[i].dialect, entries[i].number,
                                                   span_string(entries[i].name), &class);
        assert_ptr_equal(found, &entries[i]);
        assert_int_equal(class, entries[i].class);
        for (size_t j = 0; j < ARRAY_LENGTH(cases); j++)
            is_tested = is_tested || entries[i].dialect != DIALECT_V1 ||
                        (cases[j].number == entries[i].number &&
                         strcmp(cases[j].text, entries[i].name) == 0);
        assert_true(is_tested);
        assert_true(i == 0 || entries[i - 1].number <= entries[i].number);
    }
}

/* Nothing but a documented fault or backlog is sent again without being asked, whatever the words.
 */
static void test_a_text_alone_never_sends_anything_again(void **state)
{
    (void)state;
    size_t count;
    const struct meaning *entries = meaning_all(&count);

    for (size_t i = 0; i < count; i++) {
        for (int64_t number = -5; number < 6000; number++) {
            enum meaning_class class;
            const struct meaning *known = meaning_of_number(DIALECT_V1, number);
            (void)meaning_find(DIALECT_V1, number, span_string(entries[i].name), &class);
            bool is_own = number == entries[i].number || (known != NULL && number == 1);
            if (meaning_is_again(class) && !is_own)
                assert_true(known != NULL && meaning_is_again(known->class));
        }
    }
}

/* What the newer platform has of its own means nothing on the first one; of the texts that both
 * know, those that end the row hold there as well, and none makes it be sent again. */
static void test_a_dialect_has_numbers_of_its_own(void **state)
{
    enum meaning_class class;
    size_t count;
    const struct meaning *entries = meaning_all(&count);

    (void)state;
    assert_non_null(meaning_find(DIALECT_V2, 10403, SPAN_LITERAL("no permission"), &class));
    assert_int_equal(class, MEANING_KEY);
    assert_null(meaning_find(DIALECT_V1, 10403, SPAN_LITERAL("no permission"), &class));
    assert_int_equal(class, MEANING_REJECTED);
    (void)meaning_find(DIALECT_V2, 5006, SPAN_LITERAL("system logic limit"), &class);
    assert_int_equal(class, MEANING_REJECTED);
    (void)meaning_find(DIALECT_V2, 401, SPAN_LITERAL("auth failed"), &class);
    assert_int_equal(class, MEANING_DEVICE_KEY);
    for (size_t i = 0; i < count; i++) {
        (void)meaning_find(DIALECT_V2, entries[i].number, span_string(entries[i].name), &class);
        assert_false(meaning_is_again(class));
        (void)meaning_find(DIALECT_V2, entries[i].number, span_of(NULL, 0), &class);
        assert_false(meaning_is_again(class));
    }
}

static void test_long_and_odd_texts_are_read_to_their_end_at_most(void **state)
{
    (void)state;
    enum meaning_class class;
    char text[600];

    memset(text, 'x', sizeof(text));
    assert_ptr_equal(meaning_find(DIALECT_V1, 3, span_of(text, sizeof(text)), &class),
                     meaning_of_number(DIALECT_V1, 3));
    memset(text, '\xe3', sizeof(text)); /* cut off in the middle of a character */
    (void)meaning_find(DIALECT_V1, 3, span_of(text, sizeof(text)), &class);
    assert_null(meaning_find(DIALECT_V1, 4711, span_of(NULL, 0), &class));
    assert_int_equal(class, MEANING_REJECTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_number_and_text_has_its_meaning),
        cmocka_unit_test(test_each_entry_is_found_by_its_text),
        cmocka_unit_test(test_a_text_alone_never_sends_anything_again),
        cmocka_unit_test(test_a_dialect_has_numbers_of_its_own),
        cmocka_unit_test(test_long_and_odd_texts_are_read_to_their_end_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
