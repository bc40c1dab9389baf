#include "unit.h"

#include "platform/token.h"

#define ACCESS_KEY "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="

static struct token_key key_of(const char *product_id, const char *access_key)
{
    return (struct token_key){TOKEN_OF_PRODUCT, span_string(product_id), span_string(access_key)};
}

static void test_tokens_are_the_documented_ones(void **state)
{
    (void)state;
    static const struct {
        const char *access_key, *product_id;
        int64_t expires_s;
        enum token_method method;
        const char *token;
    } vectors[] = {
        {"KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw=", "123123", 1537255523, TOKEN_MD5,
         "version=2018-10-31&res=products%2F123123&et=1537255523&method=md5&sign="
         "M3jB6jcSNUuGcvW3dFcrWA%3D%3D"},
        {"KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw=", "9dkGh3", 1893456000, TOKEN_MD5,
         "version=2018-10-31&res=products%2F9dkGh3&et=1893456000&method=md5&sign=5UhxMy%"
         "2Bv9AhZwXh5lMnr4w%3D%3D"},
        {"KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw=", "123123", 1537255523, TOKEN_SHA1,
         "version=2018-10-31&res=products%2F123123&et=1537255523&method=sha1&sign="
         "lsaPSiiGvEFFjXu5WU7a6IkScqE%3D"},
        {"KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw=", "9dkGh3", 1893456000, TOKEN_SHA1,
         "version=2018-10-31&res=products%2F9dkGh3&et=1893456000&method=sha1&sign=mNxqSqVSse%"
         "2BdjFVbe8PRNcyMFNw%3D"},
        {"KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw=", "123123", 1537255523, TOKEN_SHA256,
         "version=2018-10-31&res=products%2F123123&et=1537255523&method=sha256&sign=tuFMd8Cc5krZO%"
         "2BRiNaW4mad5tauSFq2J89Gd70MXQPI%3D"},
        {"KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw=", "9dkGh3", 1893456000, TOKEN_SHA256,
         "version=2018-10-31&res=products%2F9dkGh3&et=1893456000&method=sha256&sign=A5H8v%"
         "2BQvizwIEdjPsSCFvYJX%2BmMsgS7hwJKemU9eTx8%3D"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(vectors); i++) {
        struct token_key key = key_of(vectors[i].product_id, vectors[i].access_key);
        struct buf out;
        buf_init(&out, TOKEN_MAX);
        assert_int_equal(token_make(&key, vectors[i].expires_s, vectors[i].method, &out),
                         STATUS_OK);
        assert_string_equal(buf_string(&out), vectors[i].token);
        assert_null(token_flaw(&key, span_string(vectors[i].token), vectors[i].expires_s - 1));
        buf_deinit(&out);
    }
}

static void test_keys_of_every_padding_sign(void **state)
{
    (void)state;
    static const char *const keys[] = {"YQ==", "YWI=", "YWJj", "+/+/"};
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        struct token_key key = key_of("p", keys[i]);
        struct buf out;
        buf_init(&out, TOKEN_MAX);
        assert_int_equal(token_make(&key, 1, TOKEN_SHA256, &out), STATUS_OK);
        assert_null(token_flaw(&key, buf_span(&out), 0));
        buf_deinit(&out);
    }
}

static void test_the_longest_token_fits(void **state)
{
    (void)state;
    char product_id[TOKEN_ID_MAX + 1];
    memset(product_id, 'x', sizeof(product_id));
    product_id[TOKEN_ID_MAX] = '\0';
    struct token_key key = key_of(product_id, ACCESS_KEY);
    struct buf out;
    buf_init(&out, TOKEN_MAX);
    assert_int_equal(token_make(&key, INT64_MAX, TOKEN_SHA256, &out), STATUS_OK);
    assert_null(token_flaw(&key, buf_span(&out), 0));
    buf_deinit(&out);
}

static void test_what_cannot_sign_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *product_id, *access_key;
    } cases[] = {{"p", ""},           {"p", "YQ="},        {"p", "YQ"},         {"p", "====="},
                 {"p", "===="},       {"p", "Y==="},       {"p", " YQ=="},      {"p", "YQ==\n"},
                 {"p", "Y Q="},       {"p", "YQ==YQ=="},   {"p", "Y-_="},       {"", ACCESS_KEY},
                 {"a/b", ACCESS_KEY}, {"a&b", ACCESS_KEY}, {"a\nb", ACCESS_KEY}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct token_key key = key_of(cases[i].product_id, cases[i].access_key);
        struct buf out;
        buf_init(&out, TOKEN_MAX);
        assert_int_equal(token_make(&key, 1, TOKEN_SHA256, &out), STATUS_SYNTAX);
        assert_int_equal(out.len, 0);
        buf_deinit(&out);
    }
}

static void test_every_flaw_of_a_token_is_seen(void **state)
{
    (void)state;
    const struct token_key key = key_of("123123", ACCESS_KEY);
#define TAIL "&sign=tuFMd8Cc5krZO%2BRiNaW4mad5tauSFq2J89Gd70MXQPI%3D"
    static const struct {
        const char *token, *flaw;
    } cases[] = {
        {"version=2018-10-31&res=products%2F123123&et=1537255523&method=sha256" TAIL, NULL},
        {"res=products%2f123123&version=2018-10-31&method=sha256&et=1537255523" TAIL, NULL},
        {"", "version"},
        {"version", "version"},
        {"version=", "version"},
        {"xversion=2018-10-31&res=products%2F123123&et=1537255523&method=sha256" TAIL, "version"},
        {"version=2018-10-30&res=products%2F123123&et=1537255523&method=sha256" TAIL, "version"},
        {"version=2018-10-31&res=products%2F123124&et=1537255523&method=sha256" TAIL, "res"},
        {"version=2018-10-31&res=products%2&et=1537255523&method=sha256" TAIL, "res"},
        {"version=2018-10-31&res=products%00&et=1537255523&method=sha256" TAIL, "res"},
        {"version=2018-10-31&res=products%2F123123&et=soon&method=sha256" TAIL, "et"},
        {"version=2018-10-31&res=products%2F123123&et=1537255522&method=sha256" TAIL, "expired"},
        {"version=2018-10-31&res=products%2F123123&et=1537255524&method=sha256" TAIL, "signature"},
        {"version=2018-10-31&res=products%2F123123&et=1537255523&method=sha512" TAIL, "method"},
        {"version=2018-10-31&res=products%2F123123&et=1537255523&method=sha1" TAIL, "signature"},
        {"version=2018-10-31&res=products%2F123123&et=1537255523&method=sha256", "signature"},
        {"version=2018-10-31&res=products%2F123123&et=1537255523&method=sha256&sign=", "signature"},
        {"version=2018-10-31&res=products%2F123123&et=1537255523&method=sha256"
         "&sign=uuFMd8Cc5krZO%2BRiNaW4mad5tauSFq2J89Gd70MXQPI%3D",
         "signature"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const char *flaw = token_flaw(&key, span_string(cases[i].token), 1537255522);
        if ((flaw == NULL) != (cases[i].flaw == NULL))
            print_error("%s: %s\n", cases[i].token, flaw != NULL ? flaw : "good");
        if (cases[i].flaw == NULL)
            assert_null(flaw);
        else
            assert_non_null(strstr(flaw, cases[i].flaw));
    }
    assert_non_null(token_flaw(&key, span_string(cases[0].token), 1537255523));
    struct token_key other = key_of("123123", "YWJj");
    assert_non_null(token_flaw(&other, span_string(cases[0].token), 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens_are_the_documented_ones),
        cmocka_unit_test(test_keys_of_every_padding_sign),
        cmocka_unit_test(test_the_longest_token_fits),
        cmocka_unit_test(test_what_cannot_sign_is_refused),
        cmocka_unit_test(test_every_flaw_of_a_token_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
