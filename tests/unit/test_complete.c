#include "unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/complete.h"

static const struct stat results = {.st_mode = 0640, .st_uid = (uid_t)-1, .st_gid = (gid_t)-1};

static struct buf message;

static void add(struct accepted *accepted, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++)
        accepted_add(accepted, &(struct row_id){.hash = i * UINT64_C(0x9e3779b97f4a7c15),
                                                .occurrence = (uint32_t)(i % 3) + 1});
}

static void test_what_is_missing_is_counted_whatever_the_order(void **state)
{
    (void)state;
    static struct accepted before, now, other;

    add(&before, 0, 10000);
    add(&now, 5000, 10000);
    assert_int_equal(accepted_missing(&before, &now), 5000);
    add(&now, 0, 5000);
    assert_int_equal(accepted_missing(&before, &now), 0);
    assert_memory_equal(&before, &now, sizeof(now));
    assert_int_equal(accepted_count(&now), 10000);
    add(&now, 10000, 10100); /* more are fine */
    assert_int_equal(accepted_missing(&before, &now), 0);
    add(&other, 1, 10001); /* one less, and one that stands for it */
    assert_true(accepted_missing(&before, &other) >= 1);
    memset(&other, 0, sizeof(other));
    add(&other, 5000, 15000); /* many of each */
    assert_true(accepted_missing(&before, &other) >= 1);
}

static void test_it_is_read_as_it_was_written_or_refused(void **state)
{
    (void)state;
    static struct completion completion, got;
    char folder[] = "/tmp/nbatch-test-XXXXXX", path[64];
    struct stat about;

    buf_init(&message, 4096);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/r.csv.complete", folder);
    assert_int_equal(completion_read(&disk_real, path, &got), STATUS_END);
    add(&completion.accepted, 0, 1000);
    completion.input_hash = 7;
    completion.input_size = UINT64_MAX;
    completion.with = 3;
    for (int i = 0; i < 2; i++) { /* in the place of an earlier one, too */
        assert_int_equal(completion_write(&disk_real, path, &completion, &results, &message),
                         STATUS_OK);
        assert_int_equal(completion_read(&disk_real, path, &got), STATUS_OK);
        assert_memory_equal(&got.accepted, &completion.accepted, sizeof(got.accepted));
        assert_true(got.with == 3 && got.input_hash == 7 && got.input_size == UINT64_MAX);
    }
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0640);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    for (long at = 0; at < about.st_size; at++) {
        assert_int_equal(fseek(file, at, SEEK_SET), 0);
        int byte = getc(file);
        for (int flip = 0; flip < 2; flip++) { /* and back */
            assert_int_equal(fseek(file, at, SEEK_SET), 0);
            assert_int_not_equal(putc(flip == 0 ? byte ^ 4 : byte, file), EOF);
            assert_int_equal(fflush(file), 0);
            assert_int_equal(completion_read(&disk_real, path, &got),
                             flip == 0 ? STATUS_SYNTAX : STATUS_OK);
        }
    }
    (void)fclose(file);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/zero", path), 0); /* a link is none */
    assert_int_equal(completion_read(&disk_real, path, &got), STATUS_SYNTAX);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(completion_write(&disk_real, "/nowhere/r.complete", &completion, &results,
                                      &message),
                     STATUS_IO);
    assert_true(message.len > 0);
    assert_int_equal(rmdir(folder), 0);
    buf_deinit(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_missing_is_counted_whatever_the_order),
        cmocka_unit_test(test_it_is_read_as_it_was_written_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
