#include "unit.h"

#include "platform/key.h"

#define ACCESS_KEY "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="

static struct buf message;

static enum status choose(struct key_asked asked, struct key_form *ret_form)
{
    buf_clear(&message);
    enum status status = key_choose(&asked, ret_form, &message);
    assert_int_equal(message.len > 0, status != STATUS_OK);
    return status;
}

static void test_ids_and_places_say_which_key_is_meant(void **state)
{
    struct key_form form = {.id = NULL};

    (void)state;
    assert_int_equal(choose((struct key_asked){.master_key = "f"}, &form), STATUS_OK);
    assert_false(key_is_signing(&form));
    assert_int_equal(choose((struct key_asked){.product_id = "p"}, &form), STATUS_OK);
    assert_int_equal(form.kind, KEY_PRODUCT);
    assert_int_equal(choose((struct key_asked){.dialect = DIALECT_V2, .product_id = "p"}, &form),
                     STATUS_OK);
    assert_int_equal(choose((struct key_asked){.dialect = DIALECT_V2, .user_id = "4"}, &form),
                     STATUS_OK);
    assert_int_equal(form.kind, KEY_USER);
    assert_string_equal(form.id, "4");
    assert_int_equal(choose((struct key_asked){.dialect = DIALECT_V2}, &form), STATUS_CREDENTIALS);
    assert_int_equal(choose((struct key_asked){.dialect = DIALECT_V2, .master_key = "--f"}, &form),
                     STATUS_CREDENTIALS);
    assert_non_null(strstr(buf_string(&message), "--f: --api v2 takes no MasterKey"));
    assert_int_equal(choose((struct key_asked){.user_id = "4"}, &form), STATUS_CREDENTIALS);
    assert_int_equal(choose((struct key_asked){.product_id = "p", .master_key = "f"}, &form),
                     STATUS_USAGE);
    assert_int_equal(choose((struct key_asked){.product_id = "p", .user_id = "4"}, &form),
                     STATUS_USAGE);
    assert_int_equal(choose((struct key_asked){.access_key = "f"}, &form), STATUS_USAGE);
    assert_int_equal(choose((struct key_asked){.product_id = "a/b"}, &form), STATUS_USAGE);
}

static void test_the_header_is_the_dialects(void **state)
{
    static const struct {
        struct key_form form;
        const char *key, *begins;
        bool renews;
    } cases[] = {
        {{DIALECT_V1, KEY_MASTER, NULL}, "k=", "api-key: k=", false},
        {{DIALECT_V1, KEY_PRODUCT, "123123"},
         ACCESS_KEY,
         "Authorization: version=2018-10-31&res=products%2F123123&et=4600&method=sha256&sign=",
         true},
        {{DIALECT_V2, KEY_PRODUCT, "p"},
         ACCESS_KEY,
         "authorization: version=2018-10-31&res=products%2Fp&et=4600&method=sha256&sign=",
         true},
        {{DIALECT_V2, KEY_USER, "420217"},
         ACCESS_KEY,
         "authorization: version=2022-05-01&res=userid%2F420217&et=4600&method=sha256&sign=",
         true},
    };
    struct buf line;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int64_t renew_at_s = 0;
        buf_init(&line, KEY_LINE_MAX);
        assert_int_equal(key_header(&cases[i].form, span_string(cases[i].key), 1000, &line,
                                    &renew_at_s),
                         STATUS_OK);
        assert_true(span_starts_with(buf_span(&line), cases[i].begins));
        assert_int_equal(renew_at_s, cases[i].renews ? 4000 : INT64_MAX);
        assert_int_equal(key_secret_of(buf_span(&line)).len > 0, cases[i].renews);
        buf_deinit(&line);
    }
    int64_t renew_at_s = 0;
    buf_init(&line, KEY_LINE_MAX);
    assert_int_equal(key_header(&cases[3].form, SPAN_LITERAL("no base64"), 0, &line, &renew_at_s),
                     STATUS_CREDENTIALS);
    buf_deinit(&line);
}

static void test_a_key_in_the_wrong_form_is_seen(void **state)
{
    const struct key_form master = {.id = NULL}, user = {DIALECT_V2, KEY_USER, "4"};
    const struct span token =
        SPAN_LITERAL("version=2018-10-31&res=products%2F1&et=1&method=md5&sign=x");

    (void)state;
    assert_null(key_flaw(&master, SPAN_LITERAL("any-thing=")));
    assert_non_null(strstr(key_flaw(&master, token), "token"));
    assert_non_null(strstr(key_flaw(&user, token), "token"));
    assert_non_null(strstr(key_flaw(&user, SPAN_LITERAL("any-thing=")), "base64"));
    assert_null(key_flaw(&user, SPAN_LITERAL(ACCESS_KEY)));
}

static void test_hosts_and_records_have_a_dialect(void **state)
{
    static const struct {
        const char *url;
        int dialect; /* -1: nobody's */
    } urls[] = {
        {"https://api.heclouds.com", DIALECT_V1},
        {"http://API.heclouds.com:80/x", DIALECT_V1},
        {"https://iot-api.heclouds.com.", DIALECT_V2},
        {"iot-api.heclouds.com/y", DIALECT_V2},
        {"https://xapi.heclouds.com", -1},
        {"https://api.heclouds.com.evil.test", -1},
        {"http://127.0.0.1:1/api.heclouds.com", -1},
        {"", -1},
        {"https://api.heclouds.com@evil.test", -1},
    };
    struct buf target;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(urls); i++) {
        enum dialect found = DIALECT_COUNT;
        bool is_known = dialect_of_url(span_string(urls[i].url), &found);
        assert_int_equal(is_known, urls[i].dialect >= 0);
        assert_int_equal(found, is_known ? urls[i].dialect : DIALECT_COUNT);
    }
    for (enum dialect dialect = 0; dialect < DIALECT_COUNT; dialect++) {
        buf_init(&target, 256);
        dialect_add_target(dialect, "https://platform.test:8443", &target);
        assert_int_equal(dialect_of_target(buf_span(&target)), dialect);
        buf_deinit(&target);
    }
    assert_int_equal(dialect_of_target(SPAN_LITERAL("https://api.heclouds.com")), DIALECT_V1);
    assert_int_equal(dialect_of_target(SPAN_LITERAL("simulator")), DIALECT_V1);
    assert_int_equal(dialect_of_target(SPAN_LITERAL("")), DIALECT_V1);
}

static int setup(void **state)
{
    (void)state;
    buf_init(&message, 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_deinit(&message);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_and_places_say_which_key_is_meant),
        cmocka_unit_test(test_the_header_is_the_dialects),
        cmocka_unit_test(test_a_key_in_the_wrong_form_is_seen),
        cmocka_unit_test(test_hosts_and_records_have_a_dialect),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
