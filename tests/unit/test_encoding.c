#include "unit.h"

#include <zlib.h>

#include "core/text.h"
#include "input/encoding.h"
#include "reader_help.h"

static struct buf message;
static struct buf decoded;
static struct buf restored;
static struct buf told;
static struct encoding *encoding;

static void open_encoding(const char *name)
{
    encoding_close(encoding);
    encoding = NULL;
    assert_int_equal(encoding_open(name, &message, &encoding), STATUS_OK);
}

/* Decodes all bytes, given `step` at a time, into outputs of `room` bytes. */
static void decode(const void *bytes, size_t len, size_t step, size_t room)
{
    char out[256];
    struct span in = span_of(bytes, 0);
    enum status status;

    buf_clear(&decoded);
    do {
        size_t made = 0, left = len - (size_t)(in.ptr - (const char *)bytes) - in.len;
        in.len += left < step ? left : step;
        bool is_last = left <= step;
        status = encoding_decode(encoding, &in, is_last, out, room, &made);
        buf_add_bytes(&decoded, out, made);
    } while (status == STATUS_OK);
    assert_int_equal(status, STATUS_END);
}

static void assert_decodes(const char *bytes, size_t len, const char *text)
{
    decode(bytes, len, SIZE_MAX, 256);
    assert_span(buf_span(&decoded), text);
}

static void assert_restores(const void *bytes, size_t len)
{
    buf_clear(&restored);
    assert_int_equal(encoding_encode(encoding, buf_span(&decoded), &restored), STATUS_OK);
    assert_int_equal(restored.len, len);
    assert_memory_equal(restored.ptr, bytes, len);
}

/* How many characters of two bytes there are; all pairs must come back as they were. */
static int count_pairs(void)
{
    int legal = 0;

    for (int high = 0x81; high <= 0xfe; high++) {
        for (int low = 0x40; low <= 0xfe; low++) {
            char bytes[3] = {(char)high, (char)low, '\n'};
            decode(bytes, sizeof(bytes), SIZE_MAX, 256);
            assert_restores(bytes, sizeof(bytes));
            assert_int_equal(decoded.ptr[decoded.len - 1], '\n'); /* never swallowed */
            legal += text_is_utf8(buf_span(&decoded));
        }
    }
    return legal;
}

static void test_every_pair_of_gbk_comes_back(void **state)
{
    (void)state;
    open_encoding("gbk");
    assert_in_range(count_pairs(), 21791, 23940); /* from what was assigned to all there are */
    open_encoding("gb18030");
    assert_int_equal(count_pairs(), 23940); /* 126 first bytes, 190 second ones */
}

static void test_gb18030_of_four_bytes_comes_back(void **state)
{
    static const struct {
        unsigned first, last; /* as linear numbers, which count the four bytes through */
    } ranges[] = {{0, 39419}, {189000, 1237575}}; /* U+0080 … U+FFFF, U+10000 … U+10FFFF */
    int legal = 0;

    (void)state;
    open_encoding("GB18030");
    for (size_t i = 0; i < ARRAY_LENGTH(ranges); i++) {
        for (unsigned n = ranges[i].first; n <= ranges[i].last; n += i == 0 ? 1 : 89) {
            char bytes[4] = {(char)(0x81 + n / 12600), (char)(0x30 + n / 1260 % 10),
                             (char)(0x81 + n / 10 % 126), (char)(0x30 + n % 10)};
            decode(bytes, sizeof(bytes), SIZE_MAX, 256);
            assert_restores(bytes, sizeof(bytes));
            legal += text_is_utf8(buf_span(&decoded));
        }
    }
    assert_true(legal > 37000 + 11000);
}

static void test_every_unit_of_utf16_comes_back(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        open_encoding(order == 0 ? "UTF-16LE" : "UTF-16BE");
        for (unsigned unit = 0; unit < 0x10000; unit++) {
            char bytes[4] = {(char)unit, (char)(unit >> 8), (char)(order == 0 ? 'x' : 0),
                             (char)(order == 0 ? 0 : 'x')};
            if (order == 1) {
                bytes[0] = (char)(unit >> 8);
                bytes[1] = (char)unit;
            }
            bool surrogate = unit >= 0xd800 && unit < 0xe000;
            decode(bytes, sizeof(bytes), SIZE_MAX, 256);
            assert_restores(bytes, sizeof(bytes));
            assert_true(text_is_utf8(buf_span(&decoded)) != surrogate);
            assert_int_equal(decoded.ptr[decoded.len - 1], 'x'); /* the next unit is in step */
        }
    }
}

#define assert_text(bytes, text) assert_decodes(bytes, sizeof(bytes) - 1, text)

static void test_an_illegal_byte_is_passed_on_and_takes_nothing_with_it(void **state)
{
    (void)state;
    open_encoding("gb18030");
    assert_text("\xd6\xd0,\xff,\xce\xc4\n", "\xe4\xb8\xad,\xff"
                                            "ff,\xe6\x96\x87\n");
    assert_text("a\x81\nb", "a\xff"
                            "81\nb");
    assert_text("a\x81\x30\nb", "a\xff"
                                "810\nb");
    assert_text("\xff\xff", "\xff"
                            "ff\xff"
                            "ff");
    open_encoding("utf-16be");
    assert_text("\0a\xdc\x01\0b", "a\xff"
                                  "dc\xff"
                                  "01b");
    open_encoding("utf-32le");
    assert_text("a\0\0\0\0\0\x11\0b\0\0\0", "a\xff"
                                            "00\xff"
                                            "00\xff"
                                            "11\xff"
                                            "00b");
}

static void test_a_character_that_the_end_cuts_is_illegal(void **state)
{
    (void)state;
    open_encoding("gb18030");
    assert_text("a\xd6", "a\xff"
                         "d6");
    assert_text("a\x81\x30\x81", "a\xff"
                                 "810\xff"
                                 "81");
    open_encoding("utf-16");
    assert_text("a\0b", "a\xff"
                        "62");
    assert_text("\x3d\xd8\x39", "\xff"
                                "3d\xff"
                                "d8\xff"
                                "39");
}

static void test_any_bytes_come_back_however_they_are_cut(void **state)
{
    static const char *const names[] = {"gb18030",      "gbk",      "gb2312",   "utf-16le",
                                        "utf-16be",     "utf-32le", "utf-32be", "iso-8859-1",
                                        "windows-1252", "euc-kr"};
    uint64_t random = 88172645463325252u;
    char bytes[512];
    struct buf whole;

    (void)state;
    buf_init(&whole, 64 * 1024);
    for (size_t n = 0; n < ARRAY_LENGTH(names) * 40; n++) {
        open_encoding(names[n % ARRAY_LENGTH(names)]);
        size_t len = n % sizeof(bytes);
        for (size_t i = 0; i < len; i++) {
            random ^= random << 13; /* xorshift64 */
            random ^= random >> 7;
            random ^= random << 17;
            bytes[i] = (char)(random % 3 == 0 ? (random >> 8) % 128 : random >> 8);
        }
        decode(bytes, len, SIZE_MAX, 256);
        assert_restores(bytes, len);
        buf_clear(&whole);
        buf_add(&whole, buf_span(&decoded));
        for (size_t step = 1; step < 6; step++) {
            decode(bytes, len, step, ENCODING_ROOM_MIN);
            assert_int_equal(decoded.len, whole.len);
            assert_memory_equal(decoded.ptr, whole.len > 0 ? whole.ptr : "", whole.len);
        }
    }
    buf_deinit(&whole);
}

static void test_a_text_that_the_encoding_lacks_is_not_written_back(void **state)
{
    (void)state;
    open_encoding("gbk");
    buf_clear(&restored);
    buf_add_string(&restored, "kept");
    assert_int_equal(encoding_encode(encoding, SPAN_LITERAL("a\xf0\x9f\x98\xb9"), &restored),
                     STATUS_SYNTAX);
    assert_int_equal(encoding_encode(encoding, SPAN_LITERAL("a\xff"), &restored), STATUS_SYNTAX);
    assert_int_equal(encoding_encode(encoding,
                                     SPAN_LITERAL("\xff"
                                                  "FF"),
                                     &restored),
                     STATUS_SYNTAX);
    assert_span(buf_span(&restored), "kept");
}

static void assert_name_refused(const char *name, const char *part)
{
    struct encoding *none = NULL;

    buf_clear(&message);
    assert_int_equal(encoding_open(name, &message, &none), STATUS_USAGE);
    assert_null(none);
    assert_non_null(strstr(buf_string(&message), name));
    assert_non_null(strstr(buf_string(&message), part));
}

static void test_names_that_cannot_be_used_are_refused_with_examples(void **state)
{
    char longest[200];

    (void)state;
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_name_refused("klingon", "gb18030, gbk");
    assert_name_refused("klingon", "utf-16");
    assert_name_refused("gbk//IGNORE", "gb18030");
    assert_name_refused("", "gb18030");
    assert_name_refused(longest, "gb18030");
    assert_name_refused("iso-2022-jp", "UTF-8 first");
    assert_name_refused("ISO-2022-KR", "UTF-8 first");
    assert_name_refused("ISO-2022-CN", "UTF-8 first");
    assert_name_refused("utf-7", "UTF-8 first");
}

static struct source *source_in(const char *bytes, size_t len, const char *name)
{
    struct source *source = source_of_bytes(bytes, len);

    buf_clear(&message);
    if (name != NULL)
        assert_int_equal(source_set_encoding(source, name, &message), STATUS_OK);
    return source;
}

static void read_all(struct source *source)
{
    enum status status;

    buf_clear(&decoded);
    while ((status = source_fill(source)) == STATUS_OK) {
        buf_add(&decoded, source_block(source));
        source_take(source, source_block(source).len);
    }
    assert_int_equal(status, STATUS_END);
}

struct sample {
    const char *bytes;
    size_t len;
    const char *given; /* NULL: no --encoding */
    size_t mark_len;
    const char *encoding; /* NULL: taken as UTF-8 */
};

#define BYTES(text) text, sizeof(text) - 1

/* All of them say the same: U+4E2D and a line end. */
static const struct sample samples[] = {
    {BYTES("\xe4\xb8\xad\n"), NULL, 0, NULL},
    {BYTES("\xe4\xb8\xad\n"), "utf-8", 0, "UTF-8"},
    {BYTES("\xef\xbb\xbf\xe4\xb8\xad\n"), NULL, 3, "UTF-8"},
    {BYTES("\xef\xbb\xbf\xe4\xb8\xad\n"), "UTF8", 3, "UTF-8"},
    {BYTES("\xd6\xd0\n"), "gbk", 0, "GBK"},
    {BYTES("\x84\x31\x95\x33\xd6\xd0\n"), NULL, 4, "GB18030"},
    {BYTES("\x84\x31\x95\x33\xd6\xd0\n"), "gb18030", 4, "GB18030"},
    {BYTES("\xff\xfe\x2d\x4e\n\0"), NULL, 2, "UTF-16 (little-endian)"},
    {BYTES("\xff\xfe\x2d\x4e\n\0"), "utf-16", 2, "UTF-16 (little-endian)"},
    {BYTES("\xff\xfe\x2d\x4e\n\0"), "utf-16le", 2, "UTF-16 (little-endian)"},
    {BYTES("\x2d\x4e\n\0"), "utf-16", 0, "UTF-16"},
    {BYTES("\xfe\xff\x4e\x2d\0\n"), "utf-16", 2, "UTF-16 (big-endian)"},
    {BYTES("\x4e\x2d\0\n"), "UTF-16BE", 0, "UTF-16BE"},
    {BYTES("\0\0\xfe\xff\0\0\x4e\x2d\0\0\0\n"), NULL, 4, "UTF-32 (big-endian)"},
    {BYTES("\xff\xfe\0\0\x2d\x4e\0\0\n\0\0\0"), "utf-32", 4, "UTF-32 (little-endian)"},
};

static void test_a_source_gives_utf8_and_can_restore_its_bytes(void **state)
{
    static const size_t sizes[] = {SOURCE_BLOCK_BYTES, 1, 2, 3, 5};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(samples) * ARRAY_LENGTH(sizes); i++) {
        const struct sample *sample = &samples[i / ARRAY_LENGTH(sizes)];
        struct source *source = source_in(sample->bytes, sample->len, sample->given);
        source_set_block_bytes(source, sizes[i % ARRAY_LENGTH(sizes)]);
        for (int pass = 0; pass < 2; pass++) {
            read_all(source);
            assert_span(buf_span(&decoded), "\xe4\xb8\xad\n");
            assert_int_equal(source_taken(source), sample->len);
            assert_int_equal(source_mark(source).len, sample->mark_len);
            buf_clear(&restored);
            buf_add(&restored, source_mark(source));
            assert_int_equal(source_encode_back(source, buf_span(&decoded), &restored), STATUS_OK);
            assert_int_equal(restored.len, sample->len);
            assert_memory_equal(restored.ptr, sample->bytes, sample->len);
            if (sample->encoding == NULL)
                assert_null(source_encoding(source));
            else
                assert_string_equal(source_encoding(source), sample->encoding);
            assert_int_equal(source_rewind(source, &message), STATUS_OK);
        }
        source_close(source);
    }
}

static void test_a_mark_that_says_something_else_makes_the_input_unusable(void **state)
{
    static const struct sample wrong[] = {
        {BYTES("\xef\xbb\xbfimei\n"), "gb18030", 0, "UTF-8"},
        {BYTES("\xff\xfei\0"), "utf-8", 0, "UTF-16 (little-endian)"},
        {BYTES("\xff\xfei\0"), "utf-16be", 0, "UTF-16 (little-endian)"},
        {BYTES("\xff\xfe\0\0i\0\0\0"), "utf-16", 0, "UTF-32 (little-endian)"},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct source *source = source_in(wrong[i].bytes, wrong[i].len, wrong[i].given);
        assert_int_equal(source_fill(source), STATUS_BAD_INPUT);
        assert_int_equal(source_fill(source), STATUS_BAD_INPUT);
        assert_int_equal(source_error_code(source), PROBLEM_ENCODING);
        (void)snprintf(text, sizeof(text), "the file starts with the byte order mark of %s, but",
                       wrong[i].encoding);
        assert_true(span_starts_with(span_string(source_error(source)), text));
        assert_non_null(strstr(source_error(source), "leave --encoding out"));
        source_close(source);
    }
}

static void tell(const char *bytes, size_t len, const char *name, enum input_format format)
{
    struct reader_options options = {.format = format, .max_row_bytes = READER_MAX_ROW_BYTES};
    struct source *source = source_in(bytes, len, name);
    struct reader *reader = NULL;

    assert_int_equal(reader_open(source, &options, &reader), STATUS_OK);
    buf_clear(&told);
    tell_all(reader, NULL, &told);
    reader_close(reader);
    source_close(source);
}

static void test_exactly_the_row_with_the_illegal_byte_is_bad(void **state)
{
    (void)state;
    tell(BYTES("a,b\n\xd6\xd0,1\n\xd6\xff,2\n3,\xce\xc4\n"), "gb18030", INPUT_CSV);
    assert_string_equal(buf_string(&told), "ok 1@2 |\xe4\xb8\xad|1|\n"
                                           "bad 2@3 E-UTF8@3 a: is not valid GB18030\n"
                                           "ok 3@4 |3|\xe6\x96\x87|\nend\n");
    tell(BYTES("{\"a\":\"\xd6\xd0\"}\n{\"a\":\"\x80\"}\n{}\n"), "gb18030", INPUT_JSONL);
    assert_string_equal(buf_string(&told), "ok 1@1 |s:\xe4\xb8\xad|\n"
                                           "bad 2@2 E-UTF8@2 byte 7: not valid GB18030\n"
                                           "ok 3@3 |-|\nend\n");
}

static void test_utf16_on_a_pipe_may_pause_behind_every_byte(void **state)
{
    static const char bytes[] = "\xff\xfe\x61\0\n\0\x2d\x4e\n\0\x3d\xd8\x39\xde\n";

    (void)state;
    buf_clear(&told);
    tell_dribbled(bytes, sizeof(bytes), INPUT_CSV, READER_MAX_ROW_BYTES, &told);
    assert_string_equal(buf_string(&told),
                        "ok 1@2 |\xe4\xb8\xad|\nok 2@3 |\xf0\x9f\x98\xb9|\nend\n");
}

static void test_what_is_compressed_is_converted_too(void **state)
{
    static const char bytes[] = "\xff\xfe\x61\0\n\0\x2d\x4e\n";
    char packed[256];
    z_stream stream = {.next_in = (z_const Bytef *)bytes, .avail_in = sizeof(bytes)};

    (void)state;
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_out = (Bytef *)packed;
    stream.avail_out = sizeof(packed);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t len = sizeof(packed) - stream.avail_out;
    (void)deflateEnd(&stream);
    for (size_t block = 0; block < 9; block++) {
        buf_clear(&told);
        tell_bytes(packed, len, INPUT_CSV, block, READER_MAX_ROW_BYTES, &told);
        assert_string_equal(buf_string(&told), "ok 1@2 |\xe4\xb8\xad|\nend\n");
    }
    tell_dribbled(packed, len, INPUT_CSV, READER_MAX_ROW_BYTES, &told);
    assert_non_null(strstr(buf_string(&told), "end\nok 1@2 |\xe4\xb8\xad|\nend\n"));
}

/* In Vietnamese, a letter is held back until it is known which accent follows. */
static void test_a_letter_that_is_held_back_belongs_to_its_pass(void **state)
{
    (void)state;
    struct source *source = source_in(BYTES("ab\n"), "windows-1258");
    source_set_block_bytes(source, 1);
    assert_int_equal(source_fill(source), STATUS_OK);
    assert_span(source_block(source), "a");
    assert_int_equal(source_rewind(source, &message), STATUS_OK);
    read_all(source);
    assert_span(buf_span(&decoded), "ab\n");
    source_close(source);
    source = source_in(BYTES("ab"), "windows-1258");
    read_all(source);
    assert_span(buf_span(&decoded), "ab");
    source_close(source);
}

/* More than a block, so that characters lie across the ends of all buffers. */
static void test_a_long_text_is_converted_block_by_block(void **state)
{
    struct buf bytes, wanted;

    (void)state;
    buf_init(&bytes, SIZE_MAX / 2);
    buf_init(&wanted, SIZE_MAX / 2);
    for (int i = 0; i < 200000; i++) {
        buf_add_string(&bytes, i % 7 == 0 ? "x" : "\xd6\xd0\x81\x30\x81\x30");
        buf_add_string(&wanted, i % 7 == 0 ? "x" : "\xe4\xb8\xad\xc2\x80");
    }
    struct source *source = source_in(bytes.ptr, bytes.len, "gb18030");
    read_all(source);
    assert_int_equal(decoded.len, wanted.len);
    assert_memory_equal(decoded.ptr, wanted.ptr, wanted.len);
    buf_clear(&restored);
    assert_int_equal(source_encode_back(source, buf_span(&decoded), &restored), STATUS_OK);
    assert_int_equal(restored.len, bytes.len);
    assert_memory_equal(restored.ptr, bytes.ptr, bytes.len);
    source_close(source);
    buf_deinit(&bytes);
    buf_deinit(&wanted);
}

static int setup(void **state)
{
    (void)state;
    buf_init(&message, 1024);
    buf_init(&decoded, SIZE_MAX / 2);
    buf_init(&restored, SIZE_MAX / 2);
    buf_init(&told, 1024 * 1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    encoding_close(encoding);
    buf_deinit(&message);
    buf_deinit(&decoded);
    buf_deinit(&restored);
    buf_deinit(&told);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair_of_gbk_comes_back),
        cmocka_unit_test(test_gb18030_of_four_bytes_comes_back),
        cmocka_unit_test(test_every_unit_of_utf16_comes_back),
        cmocka_unit_test(test_an_illegal_byte_is_passed_on_and_takes_nothing_with_it),
        cmocka_unit_test(test_a_character_that_the_end_cuts_is_illegal),
        cmocka_unit_test(test_any_bytes_come_back_however_they_are_cut),
        cmocka_unit_test(test_a_text_that_the_encoding_lacks_is_not_written_back),
        cmocka_unit_test(test_names_that_cannot_be_used_are_refused_with_examples),
        cmocka_unit_test(test_a_source_gives_utf8_and_can_restore_its_bytes),
        cmocka_unit_test(test_a_mark_that_says_something_else_makes_the_input_unusable),
        cmocka_unit_test(test_exactly_the_row_with_the_illegal_byte_is_bad),
        cmocka_unit_test(test_utf16_on_a_pipe_may_pause_behind_every_byte),
        cmocka_unit_test(test_what_is_compressed_is_converted_too),
        cmocka_unit_test(test_a_letter_that_is_held_back_belongs_to_its_pass),
        cmocka_unit_test(test_a_long_text_is_converted_block_by_block),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
