#include "unit.h"

#include "core/redact.h"

#define KEY "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="

static int forget(void **state)
{
    (void)state;
    redact_forget();
    return 0;
}

static void check_least(const char *text, const char *wanted, size_t least)
{
    char copy[4096];

    (void)snprintf(copy, sizeof(copy), "%s", text);
    redact_string(copy, least);
    assert_string_equal(copy, wanted);
}

static void check(const char *text, const char *wanted)
{
    check_least(text, wanted, REDACT_MIN);
}

static void test_a_secret_is_found_in_each_of_its_forms(void **state)
{
    (void)state;
    redact_add(SPAN_LITERAL(KEY));
    check("", "");
    check("no secret in it", "no secret in it");
    check(KEY, "***");
    check("key " KEY " is wrong, " KEY "!", "key *** is wrong, ***!");
    check("x=KuF3NT%2FjUBJ62LNBB%2FA8XZA9CqS3Cu79B%2FABmfA1UCw%3D&y", "x=***&y");
    check("x=KuF3NT%2fjUBJ62LNBB%2fA8XZA9CqS3Cu79B%2fABmfA1UCw%3d", "x=***");
    check("x=KuF3NT%2FjUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw=", "x=***");
    check("%4BuF3NT%252FjUBJ62LNBB%25252FA8XZA9CqS3Cu79B%2FABmfA1UCw%3D", "***");
    check("KuF3NT\\/jUBJ62LNBB\\u002FA8XZA9CqS3Cu79B\\/ABmfA1UCw\\u003d;", "***;");
    check("KuF3NT&#47;jUBJ62LNBB&#x2f;A8XZA9CqS3Cu79B/ABmfA1UCw&#61;;", "***;");
    check("4b7546334e542f6a55424a36324c4e42422f4138585a4139437153334375373942"
          "2f41426d6641315543773d.",
          "***.");
    check("4B7546334E542F6A55424A36324C4E42422F4138585A4139437153334375373942"
          "2F41426D6641315543773D.",
          "***.");
}

/* printf '%s' "$prefix$key" | base64 -w0, for each place in a group of three. */
static void test_a_secret_is_found_in_base64_wherever_it_is(void **state)
{
    (void)state;
    redact_add(SPAN_LITERAL("test-master-key-0123456789="));
    check("a dGVzdC1tYXN0ZXIta2V5LTAxMjM0NTY3ODk9 b", "a *** b");
    check("a eHRlc3QtbWFzdGVyLWtleS0wMTIzNDU2Nzg5PQ== b", "a *** b");
    check("a eHl0ZXN0LW1hc3Rlci1rZXktMDEyMzQ1Njc4OT0= b", "a *** b");
    check("a YXBpLWtleTogdGVzdC1tYXN0ZXIta2V5LTAxMjM0NTY3ODk9Cg== b", "a *** b");
}

static void test_base64_for_urls_is_base64(void **state)
{
    (void)state;
    redact_add(SPAN_LITERAL("\xfb\xff\xbf\xfb\xff\xbf\xfb\xff\xbf"));
    check("+/+/+/+/+/+/", "***");
    check("-_-_-_-_-_-_", "***");
}

static void test_the_beginning_of_a_secret_that_was_cut_off_is_one(void **state)
{
    (void)state;
    redact_add(SPAN_LITERAL("test-master-key-0123456789="));
    check("the key test-mas", "the key ***");
    check("the key test-ma", "the key test-ma");
    check("the key test-mas…", "the key ***…");
    redact_add(SPAN_LITERAL("hush-word"));
    check("the word hus", "the word hus");
    check("the word hush", "the word ***");
    check("\"test-master\" is wrong", "\"***\" is wrong");
    check("test-mode is on", "test-mode is on");
}

static void test_what_is_too_short_is_no_secret(void **state)
{
    (void)state;
    redact_add(SPAN_LITERAL(""));
    redact_add(SPAN_LITERAL("abc"));
    check("abc abc", "abc abc");
    redact_add(SPAN_LITERAL("abcd"));
    check("abc abcd", "abc ***");
    check_least("42742677-abcd-54ca", "42742677-abcd-54ca", REDACT_ID_MIN);
    redact_add(SPAN_LITERAL("hush-word-of-12"));
    check_least("42742677-hush-word-of-12", "42742677-***", REDACT_ID_MIN);
    check_least("42742677-hush-word", "42742677-hush-word", REDACT_ID_MIN);
}

/* An identifier of hexadecimal digits ends in what begins the key's hexadecimal form once in 65536
 * times. */
static void test_an_identifier_is_not_taken_for_the_beginning_of_a_secret(void **state)
{
    (void)state;
    char uuid[64];

    redact_add(SPAN_LITERAL("test-master-key-0123456789="));
    for (unsigned i = 0; i < 0x10000; i++) {
        (void)snprintf(uuid, sizeof(uuid), "00000000-f78d-4951-99aa-7465%04x%04x", i, i ^ 0x7465);
        check_least(uuid, uuid, REDACT_ID_MIN);
    }
    check_least("746573742d6d", "***", REDACT_ID_MIN);
    check_least("746573742d6", "746573742d6", REDACT_ID_MIN);
}

static void test_users_and_passwords_in_urls_are_found(void **state)
{
    (void)state;
    check("http://user:pass@host/x", "http://***@host/x");
    check("'https://us:p/a?s#s@host:8'", "'https://***@host:8'");
    check("https://host:80/a@b and http://u:p@x", "https://host:80/a@b and http://***@x");
    check("https://host/a@b", "https://host/a@b");
    check("https://token@host", "https://***@host");
    check("see https://host/ or me@host", "see https://host/ or me@host");
    check("://", "://");
    check("a://@", "a://@");
}

static void add_url(const char *url, const char *wanted)
{
    struct buf out;

    buf_init(&out, 4096);
    redact_add_url(&out, span_string(url));
    assert_string_equal(buf_string(&out), wanted);
    buf_deinit(&out);
}

static void test_addresses_that_are_none_show_no_password(void **state)
{
    (void)state;
    add_url("http://user:pa ss@ho st", "http://***@ho st");
    add_url("user:pass@host", "***@host");
    add_url("http://user:pass%40host:80", "http://***%40host:80");
    add_url("http://ho st/", "http://ho st/");
    add_url("", "");
    redact_add_userinfo(SPAN_LITERAL("user:s%40cret^x@host:3128"));
    check("Unsupported proxy syntax in 'user:s%40cret^x@host:3128'",
          "Unsupported proxy syntax in '***@host:3128'");
    check("refused: s@cret^x (dXNlcjpzQGNyZXReeA==)", "refused: *** (***)");
    redact_add_userinfo(SPAN_LITERAL("http://host"));
    redact_add_userinfo(SPAN_LITERAL(""));
}

static void test_tokens_do_not_push_the_key_out(void **state)
{
    (void)state;
    char token[32];

    redact_add(SPAN_LITERAL("the-key-itself"));
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(token, sizeof(token), "sig%03dnature", i);
        redact_add(span_string(token));
    }
    check("the-key-itself", "***");
    check("sig999nature sig995nature", "*** ***");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_secret_is_found_in_each_of_its_forms, forget),
        cmocka_unit_test_teardown(test_a_secret_is_found_in_base64_wherever_it_is, forget),
        cmocka_unit_test_teardown(test_base64_for_urls_is_base64, forget),
        cmocka_unit_test_teardown(test_the_beginning_of_a_secret_that_was_cut_off_is_one, forget),
        cmocka_unit_test_teardown(test_what_is_too_short_is_no_secret, forget),
        cmocka_unit_test_teardown(test_an_identifier_is_not_taken_for_the_beginning_of_a_secret,
                                  forget),
        cmocka_unit_test_teardown(test_users_and_passwords_in_urls_are_found, forget),
        cmocka_unit_test_teardown(test_addresses_that_are_none_show_no_password, forget),
        cmocka_unit_test_teardown(test_tokens_do_not_push_the_key_out, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
