#include "unit.h"

#include <sys/resource.h>
#include <zlib.h>
#include <zstd.h>

#include "input/decompress.h"
#include "reader_help.h"

static const char text[] = "imei,data\n1,one\n2,two\n3,\xe4\xb8\xad\xe6\x96\x87\n";

static struct buf packed;
static struct buf read_back;
static struct buf told;

static void pack_gzip(const void *bytes, size_t len)
{
    z_stream stream = {.next_in = (z_const Bytef *)bytes, .avail_in = (uInt)len};

    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&stream, (uLong)len);
    assert_true(buf_reserve(&packed, room));
    stream.next_out = (Bytef *)packed.ptr + packed.len;
    stream.avail_out = (uInt)room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed.len += room - stream.avail_out;
    (void)deflateEnd(&stream);
}

static void pack_zstd(const void *bytes, size_t len)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    size_t room = ZSTD_compressBound(len);

    assert_true(buf_reserve(&packed, room));
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    size_t made = ZSTD_compress2(context, packed.ptr + packed.len, room, bytes, len);
    assert_false(ZSTD_isError(made));
    packed.len += made;
    (void)ZSTD_freeCCtx(context);
}

typedef void pack_fn(const void *bytes, size_t len);
static pack_fn *const packers[] = {pack_gzip, pack_zstd};

static void pack_text(pack_fn *pack)
{
    buf_clear(&packed);
    pack(text, sizeof(text) - 1);
}

/* Reads all that `packed` holds into `read_back`; gives the status that ended it. */
static enum status read_all(struct source *source)
{
    enum status status;

    buf_clear(&read_back);
    while ((status = source_fill(source)) == STATUS_OK) {
        struct span block = source_block(source);
        buf_add(&read_back, block);
        source_take(source, block.len);
    }
    return status;
}

static enum status unpack(size_t block_bytes)
{
    struct source *source = source_of_bytes(packed.ptr, packed.len);

    if (block_bytes > 0)
        source_set_block_bytes(source, block_bytes);
    enum status status = read_all(source);
    buf_clear(&told);
    buf_add_string(&told, source_error(source));
    if (status == STATUS_BAD_INPUT)
        assert_int_equal(source_error_code(source), PROBLEM_COMPRESSED);
    else
        assert_int_equal(source_taken(source), packed.len);
    assert_true((status == STATUS_BAD_INPUT) == (told.len > 0));
    source_close(source);
    return status;
}

static void assert_unpacks(const char *wanted)
{
    static const size_t sizes[] = {0, 1, 2, 3, 5, 7, 11, 64};

    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        assert_int_equal(unpack(sizes[i]), STATUS_END);
        assert_span(buf_span(&read_back), wanted);
    }
}

static void assert_refused(const char *why)
{
    static const size_t sizes[] = {0, 1, 3, 7};

    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        assert_int_equal(unpack(sizes[i]), STATUS_BAD_INPUT);
        assert_string_equal(buf_string(&told), why);
    }
}

static void test_what_is_compressed_is_read_as_its_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(packers); i++) {
        pack_text(packers[i]);
        assert_unpacks(text);
    }
}

static void test_members_and_frames_one_behind_the_other_are_one_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(packers); i++) {
        buf_clear(&packed);
        packers[i]("one ", 4);
        packers[i]("", 0);
        packers[i]("two", 3);
        assert_unpacks("one two");
        buf_clear(&packed);
        packers[i]("", 0);
        assert_unpacks("");
    }
}

static void test_skippable_zstd_frames_are_skipped(void **state)
{
    (void)state;
    buf_clear(&packed);
    buf_add_bytes(&packed, "\x50\x2a\x4d\x18\x03\0\0\0abc", 11);
    pack_zstd("one ", 4);
    buf_add_bytes(&packed, "\x5f\x2a\x4d\x18\0\0\0\0", 8);
    pack_zstd("two", 3);
    assert_unpacks("one two");
}

static void test_zeros_behind_gzip_are_padding_and_all_else_is_refused(void **state)
{
    char why[256];

    (void)state;
    pack_text(pack_gzip);
    size_t len = packed.len;
    buf_add_bytes(&packed, "\0\0\0\0", 4);
    assert_unpacks(text);
    buf_add_bytes(&packed, "x", 1);
    (void)snprintf(why, sizeof(why),
                   "the gzip file is damaged behind byte %zu of its compressed bytes: something "
                   "follows its zero padding",
                   len + 4);
    assert_refused(why);
    packed.len = len;
    buf_add_string(&packed, "imei\n");
    (void)snprintf(why, sizeof(why),
                   "the gzip file is damaged behind byte %zu of its compressed bytes: something "
                   "that is not gzip follows its end",
                   len);
    assert_refused(why);
}

static void test_what_stands_behind_zstd_is_refused(void **state)
{
    char why[256];

    (void)state;
    pack_text(pack_zstd);
    (void)snprintf(why, sizeof(why),
                   "the zstd file is damaged behind byte %zu of its compressed bytes: something "
                   "that is not zstd is there",
                   packed.len);
    buf_add_string(&packed, "imei,data\n");
    assert_int_equal(unpack(0), STATUS_BAD_INPUT);
    assert_string_equal(buf_string(&told), why);
    assert_span(buf_span(&read_back), text);
    assert_int_equal(unpack(1), STATUS_BAD_INPUT);
}

static void test_a_cut_never_passes_for_the_end(void **state)
{
    static const size_t magic[] = {2, 4};
    char why[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(packers); i++) {
        pack_text(packers[i]);
        size_t len = packed.len;
        for (packed.len = magic[i]; packed.len < len; packed.len++) {
            (void)snprintf(why, sizeof(why),
                           "the %s file is cut off: its %zu compressed bytes end in the middle",
                           i == 0 ? "gzip" : "zstd", packed.len);
            assert_refused(why);
        }
    }
}

static void test_a_changed_bit_never_passes_for_another_text(void **state)
{
    static const size_t magic[] = {2, 4};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(packers); i++) {
        size_t refused = 0;
        pack_text(packers[i]);
        for (size_t bit = magic[i] * 8; bit < packed.len * 8; bit++) {
            packed.ptr[bit / 8] = (char)(packed.ptr[bit / 8] ^ (1 << (bit % 8)));
            enum status status = unpack(0);
            packed.ptr[bit / 8] = (char)(packed.ptr[bit / 8] ^ (1 << (bit % 8)));
            if (status == STATUS_END)
                assert_span(buf_span(&read_back), text); /* a bit that means nothing */
            else
                assert_int_equal(status, STATUS_BAD_INPUT);
            refused += status == STATUS_BAD_INPUT;
        }
        assert_true(refused > (packed.len - 20) * 8);
    }
}

static void test_damage_says_what_and_where(void **state)
{
    char why[256];

    (void)state;
    pack_text(pack_gzip);
    packed.ptr[packed.len - 8] ^= 1; /* the checksum */
    assert_int_equal(unpack(0), STATUS_BAD_INPUT);
    (void)snprintf(why, sizeof(why),
                   "the gzip file is damaged behind byte %zu of its compressed bytes: incorrect "
                   "data check",
                   packed.len - 4);
    assert_string_equal(buf_string(&told), why);
    assert_span(buf_span(&read_back), text); /* it is handed on as far as it goes */
}

static void test_a_zstd_window_beyond_128_mib_is_refused_with_the_way_out(void **state)
{
    static const char frame[] = "\x28\xb5\x2f\xfd\0\x90\x09\0\0x"; /* a window of 2^28 bytes */

    (void)state;
    buf_clear(&packed);
    buf_add_bytes(&packed, frame, sizeof(frame) - 1);
    assert_refused("the zstd file needs more than 128 MiB of memory to decompress (it was made "
                   "with --long or --ultra): give what zstd -dc --long=31 makes of it");
    packed.ptr[5] = '\x88'; /* 2^27 */
    assert_unpacks("x");
}

static void test_what_only_starts_like_a_magic_number_is_plain(void **state)
{
    static const char *const texts[] = {"\x1f", "\x28\xb5\x2f", "(", "P", "P*M\n", "Pa\n", "X*"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        buf_clear(&packed);
        buf_add_string(&packed, texts[i]);
        assert_unpacks(texts[i]);
    }
}

static void test_a_compressed_input_can_be_read_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(packers); i++) {
        pack_text(packers[i]);
        struct source *source = source_of_bytes(packed.ptr, packed.len);
        assert_int_equal(source_size(source), packed.len);
        for (int pass = 0; pass < 3; pass++) {
            assert_int_equal(source_taken(source), 0);
            assert_int_equal(pass == 1 ? source_fill(source) : read_all(source),
                             pass == 1 ? STATUS_OK : STATUS_END);
            if (pass != 1)
                assert_span(buf_span(&read_back), text);
            buf_clear(&told);
            assert_int_equal(source_rewind(source, &told), STATUS_OK);
        }
        source_close(source);
    }
}

static void test_a_compressed_pipe_may_pause_behind_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(packers); i++) {
        pack_text(packers[i]);
        buf_clear(&told);
        tell_dribbled(packed.ptr, packed.len, INPUT_CSV, READER_MAX_ROW_BYTES, &told);
        assert_string_equal(buf_string(&told), "ok 1@2 |1|one|\nok 2@3 |2|two|\n"
                                               "ok 3@4 |3|\xe4\xb8\xad\xe6\x96\x87|\nend\n");
    }
}

static void test_damage_is_a_problem_of_the_file_and_names_the_line(void **state)
{
    static const enum input_format formats[] = {INPUT_CSV, INPUT_JSONL};
    static const char *const inputs[] = {"a,b\n1,2\n3,", "{\"a\":1}\n{\"a\":2}\n{"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
        struct reader_options options = {.format = formats[i],
                                         .max_row_bytes = READER_MAX_ROW_BYTES};
        struct problems problems;
        struct reader *reader;
        struct row row;
        int rows = 0;
        enum status status;
        buf_clear(&packed);
        pack_gzip(inputs[i], strlen(inputs[i]));
        struct source *source = source_of_bytes(packed.ptr, packed.len - 1);
        problems_init(&problems);
        assert_int_equal(reader_open(source, &options, &reader), STATUS_OK);
        assert_int_equal(reader_header(reader, &problems), STATUS_OK);
        while ((status = reader_next(reader, &row, &problems)) == STATUS_OK)
            rows++;
        assert_int_equal(status, STATUS_BAD_INPUT);
        assert_int_equal(rows, i + 1);
        assert_int_equal(problems.row, 0);
        buf_clear(&told);
        tell_problems(&problems, &told);
        assert_true(
            span_starts_with(buf_span(&told), "E-COMPRESSED@3 the gzip file is cut off: its "));
        problems_deinit(&problems);
        reader_close(reader);
        source_close(source);
    }
}

static void test_damage_in_the_header_makes_the_file_unusable(void **state)
{
    static const enum input_format formats[] = {INPUT_CSV, INPUT_JSONL};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
        buf_clear(&told);
        tell_bytes("\x1f\x8bno", 4, formats[i], 0, READER_MAX_ROW_BYTES, &told);
        assert_true(span_starts_with(buf_span(&told), "unusable: E-COMPRESSED@1 the gzip file is "
                                                      "damaged behind byte "));
    }
}

/* Gives the decompressor all but the trailer of `len` zeros, of which one byte makes many. */
static void assert_all_is_given(size_t i, size_t len)
{
    static const char zeros[1200];
    static const size_t trailer[] = {8, 4};
    static const enum compression kinds[] = {COMPRESSION_GZIP, COMPRESSION_ZSTD};
    struct decompressor *decompressor = NULL;
    char out[7];
    size_t made = 0, total = 0;

    buf_clear(&packed);
    packers[i](zeros, len);
    struct span in = span_of(packed.ptr, packed.len - trailer[i]);
    assert_int_equal(decompressor_new(kinds[i], &decompressor), STATUS_OK);
    do {
        assert_int_equal(decompressor_run(decompressor, &in, false, out, sizeof(out), &made),
                         STATUS_OK);
        total += made;
    } while (made > 0);
    assert_int_equal(in.len, 0);
    assert_int_equal(total, len);
    decompressor_free(decompressor);
}

/* A pipe may have no more for hours: what its bytes hold is given before more is asked for. */
static void test_all_that_the_bytes_at_hand_hold_is_given(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(packers); i++)
        for (size_t len = 1000; len < 1200; len++)
            assert_all_is_given(i, len);
}

/* Its last bytes make more than a block. */
static void test_a_zstd_frame_without_checksum_is_read_to_its_end(void **state)
{
    enum { ZEROS = 5 * 1000 * 1000 };
    char *zeros = calloc(1, ZEROS);

    (void)state;
    assert_non_null(zeros);
    buf_clear(&packed);
    size_t room = ZSTD_compressBound(ZEROS);
    assert_true(buf_reserve(&packed, room));
    packed.len = ZSTD_compress(packed.ptr, room, zeros, ZEROS, 3);
    free(zeros);
    assert_false(ZSTD_isError(packed.len));
    struct source *source = source_of_bytes(packed.ptr, packed.len);
    source_set_block_bytes(source, 1000);
    uint64_t count = 0;
    enum status status;
    while ((status = source_fill(source)) == STATUS_OK) {
        count += source_block(source).len;
        source_take(source, source_block(source).len);
    }
    assert_int_equal(status, STATUS_END);
    assert_int_equal(count, ZEROS);
    source_close(source);
}

static long peak_kb(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void test_a_bomb_takes_no_memory(void **state)
{
    enum { BOMB_BYTES = 64 * 1024 * 1024 };
    static const long allowed_kb[] = {2048, 12 * 1024}; /* zstd has its window: 8 MiB here */

    (void)state;
    char *zeros = calloc(1, BOMB_BYTES);
    assert_non_null(zeros);
    for (size_t i = 0; i < ARRAY_LENGTH(packers); i++) {
        buf_clear(&packed);
        packers[i](zeros, BOMB_BYTES);
        if (i + 1 == ARRAY_LENGTH(packers))
            free(zeros);
        struct source *source = source_of_bytes(packed.ptr, packed.len);
        long before = peak_kb();
        uint64_t count = 0;
        while (source_fill(source) == STATUS_OK) {
            count += source_block(source).len;
            source_take(source, source_block(source).len);
        }
        assert_int_equal(count, BOMB_BYTES);
        assert_true(peak_kb() - before < allowed_kb[i]);
        source_close(source);
    }
}

static void test_the_name_of_a_compressed_file_tells_its_format(void **state)
{
    enum input_format format = INPUT_JSONL;

    (void)state;
    assert_true(reader_format_of("/a.b/x.csv.gz", &format));
    assert_int_equal(format, INPUT_CSV);
    assert_true(reader_format_of("x.JSONL.ZST", &format));
    assert_int_equal(format, INPUT_JSONL);
    assert_true(reader_format_of("x.csv.zstd", &format));
    assert_int_equal(format, INPUT_CSV);
    assert_false(reader_format_of("x.gz", &format));
    assert_false(reader_format_of("x.csv.xz", &format));
    assert_false(reader_format_of("x.csv.gz.gz", &format));
    assert_span(reader_plain_name("a.gz/x.csv.GZ"), "a.gz/x.csv");
    assert_span(reader_plain_name("a.gz/x.csv"), "a.gz/x.csv");
}

static int setup(void **state)
{
    (void)state;
    buf_init(&packed, SIZE_MAX / 2);
    buf_init(&read_back, 1024 * 1024);
    buf_init(&told, 1024 * 1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_deinit(&packed);
    buf_deinit(&read_back);
    buf_deinit(&told);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_compressed_is_read_as_its_text),
        cmocka_unit_test(test_members_and_frames_one_behind_the_other_are_one_text),
        cmocka_unit_test(test_skippable_zstd_frames_are_skipped),
        cmocka_unit_test(test_zeros_behind_gzip_are_padding_and_all_else_is_refused),
        cmocka_unit_test(test_what_stands_behind_zstd_is_refused),
        cmocka_unit_test(test_a_cut_never_passes_for_the_end),
        cmocka_unit_test(test_a_changed_bit_never_passes_for_another_text),
        cmocka_unit_test(test_damage_says_what_and_where),
        cmocka_unit_test(test_a_zstd_window_beyond_128_mib_is_refused_with_the_way_out),
        cmocka_unit_test(test_what_only_starts_like_a_magic_number_is_plain),
        cmocka_unit_test(test_a_compressed_input_can_be_read_again),
        cmocka_unit_test(test_a_compressed_pipe_may_pause_behind_every_byte),
        cmocka_unit_test(test_damage_is_a_problem_of_the_file_and_names_the_line),
        cmocka_unit_test(test_damage_in_the_header_makes_the_file_unusable),
        cmocka_unit_test(test_all_that_the_bytes_at_hand_hold_is_given),
        cmocka_unit_test(test_a_zstd_frame_without_checksum_is_read_to_its_end),
        cmocka_unit_test(test_a_bomb_takes_no_memory),
        cmocka_unit_test(test_the_name_of_a_compressed_file_tells_its_format),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
