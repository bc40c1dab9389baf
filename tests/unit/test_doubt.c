/* What rows in doubt have asked for: kept, cut off, damaged. */
#include "unit.h"

#include <unistd.h>

#include "ledger/doubt.h"

static char path[] = "/tmp/nbatch-doubt-XXXXXX";

static void add(struct doubt_file *file, uint64_t row, const char *body)
{
    const struct doubt doubt = {.id = {.hash = row, .row = row, .occurrence = 1},
                                .ambiguous = 1,
                                .first_ms = 5,
                                .last_ms = 7,
                                .target = SPAN_LITERAL("/x?y=1"),
                                .body = span_string(body)};
    doubt_file_append(file, &doubt);
    assert_false(file->has_failed);
}

struct seen {
    uint64_t rows, sum, last;
};

static enum status take(void *context, const struct doubt *doubt, uint64_t offset)
{
    struct seen *seen = context;

    seen->rows++;
    seen->sum += doubt->id.row;
    seen->last = offset;
    assert_true(span_is(doubt->target, "/x?y=1") && doubt->first_ms == 5 && doubt->last_ms == 7);
    return STATUS_OK;
}

static struct seen read_all(int fd)
{
    struct seen seen = {.rows = 0};

    assert_int_equal(doubt_each(&disk_real, fd, take, &seen, NULL), STATUS_OK);
    return seen;
}

static void test_what_is_whole_is_read(void **state)
{
    (void)state;
    struct doubt_file file = {.disk = &disk_real, .path = path, .fd = -1};
    struct doubt doubt;
    struct stat about;
    struct buf bytes;

    add(&file, 1, "{}");
    add(&file, 2, "");
    assert_true(file.is_unsynced);
    struct seen seen = read_all(file.fd);
    assert_true(seen.rows == 2 && seen.sum == 3);
    buf_init(&bytes, 4096);
    assert_int_equal(doubt_get(&disk_real, file.fd, seen.last, &bytes, &doubt), STATUS_OK);
    assert_true(doubt.id.row == 2 && doubt.body.len == 0);
    buf_deinit(&bytes);
    assert_int_equal(fstat(file.fd, &about), 0);
    doubt_file_close(&file);

    assert_int_equal(truncate(path, about.st_size - 1), 0); /* a death */
    add(&file, 4, "{}");
    seen = read_all(file.fd);
    assert_true(seen.rows == 2 && seen.sum == 5);
    int fd = open(path, O_RDWR); /* in the other mode pwrite adds to the end */
    assert_int_equal(pwrite(fd, "!", 1, (off_t)seen.last + 90), 1); /* damage ends it */
    (void)close(fd);
    seen = read_all(file.fd);
    assert_true(seen.rows == 1 && seen.sum == 1);
    doubt_file_close(&file);
}

static void test_another_file_is_none(void **state)
{
    (void)state;
    int fd = open(path, O_RDWR | O_TRUNC);

    assert_int_equal(write(fd, "row,line,key and more", 21), 21);
    assert_int_equal(doubt_each(&disk_real, fd, take, NULL, NULL), STATUS_SYNTAX);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_whole_is_read),
        cmocka_unit_test(test_another_file_is_none),
    };
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    (void)close(fd);
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(path);
    return result;
}
