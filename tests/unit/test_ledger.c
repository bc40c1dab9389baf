#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/journal_impl.h"
#include "ledger/ledger_impl.h"

/*
 * Allocations are counted, and fail from the n-th on where that is asked for: the linker puts these
 * in the place of malloc and its like (CMakeLists.txt).
 */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *memory);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t max);

static long allocations_left = -1; /* -1: none fails */
static bool one_has_failed;
static long allocated;

static bool may_allocate(void)
{
    if (allocations_left == 0) {
        one_has_failed = true;
        return false;
    }
    if (allocations_left > 0)
        allocations_left--;
    return true;
}

static void *counted(void *memory)
{
    allocated += memory != NULL;
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return may_allocate() ? counted(__real_malloc(size)) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate() ? counted(__real_calloc(count, size)) : NULL;
}

void *__wrap_realloc(void *memory, size_t size)
{
    void *grown = may_allocate() ? __real_realloc(memory, size) : NULL;
    if (memory == NULL)
        allocated += grown != NULL;
    return grown;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return may_allocate() ? counted(__real_aligned_alloc(alignment, size)) : NULL;
}

void __wrap_free(void *memory)
{
    allocated -= memory != NULL;
    __real_free(memory);
}

char *__wrap_strndup(const char *text, size_t max)
{
    size_t len = strnlen(text, max);
    char *copy = __wrap_malloc(len + 1);

    if (copy != NULL) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

char *__wrap_strdup(const char *text)
{
    return __wrap_strndup(text, SIZE_MAX - 1);
}

/* What somebody else does just before a lock is asked for. */
int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
static void (*before_lock)(void);

int __wrap_flock(int fd, int operation)
{
    void (*act)(void) = before_lock;

    before_lock = NULL;
    if (act != NULL)
        act();
    return __real_flock(fd, operation);
}

static char folder[64], path[128], journal_path[160], superseded_path[160], copy_path[128];
static struct buf message;
static const struct resume_wish no_wish;

static int setup(void **state)
{
    (void)state;
    /* In memory where that is possible: syncs are many. */
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(folder, sizeof(folder), "%s/nbatch-ledger-XXXXXX", base);
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/out.csv", folder);
    (void)snprintf(journal_path, sizeof(journal_path), "%s.journal", path);
    (void)snprintf(superseded_path, sizeof(superseded_path), "%s/out.superseded.csv", folder);
    (void)snprintf(copy_path, sizeof(copy_path), "%s/copy.csv", folder);
    buf_init(&message, 64 * 1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    DIR *all = opendir(folder);
    for (struct dirent *entry; all != NULL && (entry = readdir(all)) != NULL;) {
        char name[400];
        (void)snprintf(name, sizeof(name), "%s/%s", folder, entry->d_name);
        (void)unlink(name);
    }
    if (all != NULL)
        (void)closedir(all);
    (void)rmdir(folder);
    buf_deinit(&message);
    return 0;
}

static enum status open_at(const char *where, const struct resume_wish *wish,
                           struct ledger **ret_ledger)
{
    struct ledger_options options = {.path = where, .concurrency = 4};

    if (wish != NULL) {
        options.resume = true;
        options.again = *wish;
    }
    buf_clear(&message);
    return ledger_open(&options, &message, ret_ledger);
}

static uint64_t hash_of(uint64_t row)
{
    return row * UINT64_C(0x9e3779b97f4a7c15);
}

static enum status start(struct ledger *ledger)
{
    const struct ledger_about about = {.input = "fleet.csv", .target = "http://x"};
    return ledger_start(ledger, &about, &message);
}

/* A ledger with files, new or resumed, that has met so many rows. */
static struct ledger *begin(const struct resume_wish *wish, uint64_t rows)
{
    struct ledger *ledger = NULL;
    struct store_row row;

    assert_int_equal(open_at(path, wish, &ledger), STATUS_OK);
    for (uint64_t i = 1; i <= rows; i++)
        assert_int_equal(ledger_meet(&ledger->store, hash_of(i), true, &row), STATUS_OK);
    assert_int_equal(start(ledger), STATUS_OK);
    return ledger;
}

static uint32_t admit(struct ledger *ledger, uint64_t row)
{
    const struct intent intent = {.id = {.hash = hash_of(row),
                                         .device = 860000000000017,
                                         .row = row,
                                         .line = row + 1,
                                         .occurrence = 1}};
    return ledger_admit(&ledger->store, &intent);
}

static enum status end_at(struct ledger *ledger, uint32_t ticket, uint64_t row,
                          enum row_status status, int64_t finished_ms)
{
    const struct result_record record = {
        .id = {.row = row, .line = row + 1, .hash = hash_of(row), .occurrence = 1},
        .device = SPAN_LITERAL("860000000000017"),
        .status = status,
        .uuid = status == ROW_ACCEPTED ? SPAN_LITERAL("2dad6bfa-d5c5-4a40-9b25-cd9fa9d27c59")
                                       : span_of(NULL, 0),
        .attempts = status == ROW_INVALID ? 0 : 1,
        .latency_us = 11721,
        .finished_ms = finished_ms};
    return ledger_end(&ledger->store, ticket, &record);
}

static enum status end(struct ledger *ledger, uint32_t ticket, uint64_t row, enum row_status status)
{
    return end_at(ledger, ticket, row, status, 1800000000007 + (int64_t)row);
}

/* Admits rows and syncs; sends them all, and ends those up to `ended`. */
static void go(struct ledger *ledger, uint64_t from, uint64_t to, uint64_t ended)
{
    uint32_t tickets[64];

    assert_true(to - from < ARRAY_LENGTH(tickets));
    for (uint64_t i = from; i <= to; i++)
        tickets[i - from] = admit(ledger, i);
    assert_int_equal(ledger_sync_now(ledger), STATUS_OK);
    for (uint64_t i = from; i <= to; i++) {
        assert_true(ledger_is_durable(&ledger->store, tickets[i - from]));
        ledger_attempt(&ledger->store, tickets[i - from], 0, 0);
        if (i <= ended)
            assert_int_equal(end(ledger, tickets[i - from], i, ROW_ACCEPTED), STATUS_OK);
    }
}

static void finish(struct ledger *ledger, bool is_complete)
{
    assert_int_equal(ledger_finish(&ledger->store, is_complete, &message), STATUS_OK);
    ledger_close(ledger);
}

static enum store_verdict verdict_of(struct ledger *ledger, uint64_t row, bool idempotent)
{
    struct store_row known;
    assert_int_equal(ledger_meet(&ledger->store, hash_of(row), idempotent, &known), STATUS_OK);
    return known.verdict;
}

static size_t read_file(const char *name, char *bytes, size_t size)
{
    int fd = open(name, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t len = read(fd, bytes, size);
    (void)close(fd);
    assert_true(len >= 0);
    return (size_t)len;
}

static void write_file(const char *name, const char *bytes, size_t len)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    (void)close(fd);
}

static void test_a_run_is_recorded_and_accounted_for(void **state)
{
    (void)state;
    struct ledger *ledger = begin(NULL, 3);
    struct store_account account;

    go(ledger, 1, 2, 2);
    assert_int_equal(end(ledger, STORE_NO_TICKET, 3, ROW_INVALID), STATUS_OK);
    assert_int_equal(ledger->store.count, 3);
    assert_int_equal(ledger_flush(&ledger->store), STATUS_OK);
    assert_int_equal(access(journal_path, F_OK), 0);
    assert_int_equal(ledger_account(&ledger->store, &account, &message), STATUS_OK);
    assert_true(account.rows == 3 && account.lines == 3 && account.superseded == 0 &&
                account.strange == 0);
    finish(ledger, true);
    assert_int_not_equal(access(journal_path, F_OK), 0);
    assert_int_equal(open_at(path, NULL, &ledger), STATUS_EXISTS);
    assert_int_equal(open_at(path, &no_wish, &ledger), STATUS_OK);
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(verdict_of(ledger, i, true), STORE_SETTLED);
    assert_int_equal(verdict_of(ledger, 4, true), STORE_NEW);
    assert_int_equal(ledger_past(ledger)->lines, 3);
    ledger_close(ledger);
}

static void test_each_wish_sends_its_rows_again_and_no_others(void **state)
{
    (void)state;
    struct ledger *ledger = begin(NULL, ROW_STATUS_COUNT);

    for (uint64_t i = 0; i < ROW_STATUS_COUNT; i++)
        assert_int_equal(end(ledger, STORE_NO_TICKET, i + 1, (enum row_status)i), STATUS_OK);
    finish(ledger, true);
    for (size_t wished = 0; wished <= ROW_STATUS_COUNT; wished++) {
        struct resume_wish wish = {.orphan_other = true, .orphan_idempotent = true};
        if (wished < ROW_STATUS_COUNT)
            wish.status[wished] = true;
        assert_int_equal(open_at(path, &wish, &ledger), STATUS_OK);
        for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
            assert_int_equal(verdict_of(ledger, i + 1, true),
                             i == wished ? STORE_AGAIN : STORE_SETTLED);
        ledger_close(ledger);
    }
}

static void test_rows_under_way_are_named_and_sent_again_by_their_action(void **state)
{
    (void)state;
    struct ledger *ledger = begin(NULL, 6);

    go(ledger, 1, 6, 4);
    ledger_close(ledger); /* as a process that dies: nothing was flushed or finished */
    for (int round = 0; round < 2; round++) {
        const struct resume_wish wish = {.orphan_idempotent = true};
        assert_int_equal(open_at(path, &wish, &ledger), STATUS_OK);
        assert_int_equal(ledger_past(ledger)->orphans, round == 0 ? 2 : 0);
        assert_int_equal(ledger_past(ledger)->keys, 6);
        assert_int_equal(verdict_of(ledger, 4, true), STORE_SETTLED);
        assert_int_equal(verdict_of(ledger, 5, true), STORE_AGAIN);
        assert_int_equal(verdict_of(ledger, 6, false), STORE_SETTLED);
        ledger_close(ledger);
    }
}

/* The recovery has named a row, and the clock is set back before its next result. */
static void test_a_result_counts_though_the_clock_was_set_back_behind_a_recovery(void **state)
{
    (void)state;
    const struct resume_wish wish = {.orphan_idempotent = true};
    struct ledger *ledger = begin(NULL, 1);

    go(ledger, 1, 1, 0);
    ledger_close(ledger);
    ledger = begin(&wish, 1);
    uint32_t ticket = admit(ledger, 1);
    assert_int_equal(ledger_sync_now(ledger), STATUS_OK);
    ledger_attempt(&ledger->store, ticket, 1, 1);
    /* By its time, years before the line that the recovery has written. */
    assert_int_equal(end_at(ledger, ticket, 1, ROW_REJECTED, 1000000000000), STATUS_OK);
    finish(ledger, false);
    assert_int_equal(open_at(path, &wish, &ledger), STATUS_OK);
    assert_int_equal(verdict_of(ledger, 1, true), STORE_SETTLED);
    assert_int_equal(ledger_settled(ledger)[ROW_REJECTED], 1);
    ledger_close(ledger);
}

/* The machine has died while a run created its results: their size is there, and not their bytes.
 */
static void test_results_of_zeros_are_begun_anew(void **state)
{
    (void)state;
    static char zeros[4096], header[4096];
    struct ledger *ledger = begin(NULL, 1);

    finish(ledger, true);
    size_t len = read_file(path, header, sizeof(header));
    for (size_t good = 0; good <= len; good += len / 3)
        for (int is_cut = 0; is_cut < 2; is_cut++) {
            memcpy(zeros, header, good);
            memset(zeros + good, 0, sizeof(zeros) - good);
            write_file(path, zeros, is_cut ? good : len);
            assert_int_equal(open_at(path, &no_wish, &ledger), STATUS_OK);
            ledger_close(ledger);
            assert_int_equal(read_file(path, zeros, sizeof(zeros)), len);
            assert_memory_equal(zeros, header, len);
        }
    write_file(path, "no header of ours", 17);
    assert_int_equal(open_at(path, &no_wish, &ledger), STATUS_SYNTAX);
}

static void test_a_second_run_is_refused_and_told_who_holds_the_results(void **state)
{
    (void)state;
    struct ledger *ledger = begin(NULL, 1), *other = NULL;
    char wanted[64];

    (void)snprintf(wanted, sizeof(wanted), "process %d on ", (int)getpid());
    assert_int_equal(open_at(path, &no_wish, &other), STATUS_EXISTS);
    assert_non_null(strstr(buf_string(&message), wanted));
    assert_non_null(strstr(buf_string(&message), "fleet.csv"));
    assert_int_equal(open_at(path, NULL, &other), STATUS_EXISTS);
    assert_non_null(strstr(buf_string(&message), wanted));
    assert_null(other);
    ledger_close(ledger);
    assert_int_equal(open_at(path, &no_wish, &other), STATUS_OK);
    ledger_close(other);
}

/* A full disk: what ends from then on is kept in the journal, as long as there is room. */
static void test_results_that_cannot_be_written_are_kept_in_the_journal(void **state)
{
    (void)state;
    enum { ROWS = 2000 };
    struct ledger *ledger = begin(NULL, ROWS);
    uint32_t tickets[ROWS + 1];
    int full = open("/dev/full", O_WRONLY);

    assert_true(full >= 0);
    for (uint64_t i = 1; i <= ROWS; i++)
        tickets[i] = admit(ledger, i);
    assert_int_equal(ledger_sync_now(ledger), STATUS_OK);
    int results = dup(ledger->fd);
    assert_int_equal(dup2(full, ledger->fd), ledger->fd);
    for (uint64_t i = 1; i <= ROWS; i++) {
        ledger_attempt(&ledger->store, tickets[i], 0, 0);
        (void)!end(ledger, tickets[i], i, ROW_ACCEPTED);
    }
    uint64_t lost = ledger_lost(ledger);
    assert_int_equal(ledger_flush(&ledger->store), STATUS_IO);
    assert_non_null(strstr(ledger_error(&ledger->store), strerror(ENOSPC)));
    assert_true(lost > 0 && lost < ROWS - JOURNAL_FLUSH_LINES);
    assert_int_equal(ledger_finish(&ledger->store, true, &message), STATUS_IO);
    ledger_close(ledger);
    (void)close(full);
    (void)close(results);
    assert_int_equal(open_at(path, &no_wish, &ledger), STATUS_OK);
    assert_int_equal(ledger_past(ledger)->orphans, lost);
    assert_int_equal(ledger_past(ledger)->keys, ROWS);
    for (uint64_t i = 1; i <= ROWS; i++)
        assert_int_equal(verdict_of(ledger, i, true), STORE_SETTLED);
    ledger_close(ledger);
}

static void test_lines_of_no_row_and_followed_lines_are_counted(void **state)
{
    (void)state;
    const struct resume_wish wish = {.status[ROW_FAILED] = true};
    struct ledger *ledger = begin(NULL, 4);
    struct store_account account;

    for (uint64_t i = 1; i <= 4; i++)
        assert_int_equal(end(ledger, STORE_NO_TICKET, i, ROW_FAILED), STATUS_OK);
    finish(ledger, true);
    ledger = begin(&wish, 3); /* the fourth was removed from the input */
    for (uint64_t i = 1; i <= 2; i++)
        assert_int_equal(end(ledger, STORE_NO_TICKET, i, ROW_ACCEPTED), STATUS_OK);
    assert_int_equal(ledger_flush(&ledger->store), STATUS_OK);
    assert_int_equal(ledger_account(&ledger->store, &account, &message), STATUS_OK);
    assert_true(account.rows == 3 && account.lines == 6 && account.superseded == 2 &&
                account.strange == 1);
    finish(ledger, true);
}

static void test_an_account_finds_what_was_not_written(void **state)
{
    (void)state;
    struct ledger *ledger = begin(NULL, 3);
    struct store_account account;

    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(end(ledger, STORE_NO_TICKET, i, ROW_FAILED), STATUS_OK);
    assert_int_equal(ledger_flush(&ledger->store), STATUS_OK);
    int fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "4,5,foreign\n", 12), 12);
    buf_clear(&message);
    assert_int_equal(ledger_account(&ledger->store, &account, &message), STATUS_SYNTAX);
    assert_int_equal(ftruncate(fd, (off_t)ledger->base - 20), 0);
    assert_int_equal(ledger_account(&ledger->store, &account, &message), STATUS_SYNTAX);
    (void)close(fd);
    ledger_close(ledger);
}

/* A line that is as good as the one that was written, and as long. */
static void test_an_account_finds_a_changed_line(void **state)
{
    (void)state;
    static char bytes[8192];
    struct ledger *ledger = begin(NULL, 3);
    struct store_account account;

    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(end(ledger, STORE_NO_TICKET, i, ROW_FAILED), STATUS_OK);
    assert_int_equal(ledger_flush(&ledger->store), STATUS_OK);
    size_t len = read_file(path, bytes, sizeof(bytes));
    char *at = memmem(bytes, len, ".721,", 5);
    assert_non_null(at);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, ".722,", 5, at - bytes), 5);
    buf_clear(&message);
    assert_int_equal(ledger_account(&ledger->store, &account, &message), STATUS_SYNTAX);
    assert_non_null(strstr(buf_string(&message), "changed"));
    /* One that is as good no more: it is said which, and what is wrong with it. */
    assert_int_equal(pwrite(fd, ".7x2,", 5, at - bytes), 5);
    (void)close(fd);
    buf_clear(&message);
    assert_int_equal(ledger_account(&ledger->store, &account, &message), STATUS_SYNTAX);
    assert_non_null(strstr(buf_string(&message), "a number or a time is not as nbatch writes it"));
    ledger_close(ledger);
}

/* What a run left: its files, and which of its rows it has admitted. */
enum { LEFT_ROWS = 12, LEFT_UNKNOWN = 13, RESULTS_MAX = 8192, JOURNAL_MAX = 4 * 1024 * 1024 };

static struct {
    char results[RESULTS_MAX], journal[JOURNAL_MAX];
    size_t results_len, journal_len;
    uint64_t durable; /* bytes of the results that a snapshot knows */
    size_t live;      /* bytes of the journal's header and live record */
} left;

/* The journal before the last snapshot: at first, and when all rows were admitted. */
static char older[2][JOURNAL_MAX];

/*
 * Rows 1 to 4 are written and synced, 5 to 8 written, 9 and 10 wait in the journal, 11 and 12 are
 * under way. Row 13 was never admitted.
 */
static void leave(void)
{
    struct ledger *ledger = begin(NULL, LEFT_ROWS);
    uint32_t tickets[LEFT_ROWS + 1];

    left.live = journal_live_bytes(journal_shape(ledger->journal), ledger->journal->version);
    (void)read_file(journal_path, older[0], JOURNAL_MAX);
    for (uint64_t i = 1; i <= LEFT_ROWS; i++)
        tickets[i] = admit(ledger, i);
    assert_int_equal(ledger_sync_now(ledger), STATUS_OK);
    (void)read_file(journal_path, older[1], JOURNAL_MAX);
    for (uint64_t i = 1; i <= LEFT_ROWS; i++)
        ledger_attempt(&ledger->store, tickets[i], 0, 0);
    for (uint64_t i = 1; i <= 10; i++) {
        assert_int_equal(end(ledger, tickets[i], i, ROW_ACCEPTED), STATUS_OK);
        if (i == 4)
            assert_int_equal(ledger_sync_now(ledger), STATUS_OK);
        if (i == 8)
            assert_int_equal(ledger_flush(&ledger->store), STATUS_OK);
    }
    left.durable = ledger->durable;
    left.results_len = read_file(path, left.results, RESULTS_MAX);
    left.journal_len = read_file(journal_path, left.journal, JOURNAL_MAX);
    assert_true(left.results_len > left.durable && left.journal_len < JOURNAL_MAX);
    ledger_close(ledger);
    (void)snprintf(path, sizeof(path), "%s", copy_path);
    (void)snprintf(journal_path, sizeof(journal_path), "%s.journal", path);
}

/* Changes a value in the journal's header: magic, version, checksum, the rest. */
static void change_header(const char *value, size_t len)
{
    static size_t header_size;
    uint32_t version, check;
    char *id = NULL;

    for (size_t i = 16; i < 4096 && id == NULL; i++)
        if (memcmp(left.journal + i, value, len) == 0)
            id = left.journal + i;
    assert_non_null(id);
    memcpy(&version, left.journal + 8, sizeof(version));
    memcpy(&check, left.journal + 12, sizeof(check));
    memset(left.journal + 12, 0, sizeof(check));
    for (size_t size = 16; size < 4096 && header_size == 0; size++)
        if ((uint32_t)XXH3_64bits_withSeed(left.journal, size, version) == check)
            header_size = size;
    assert_true(header_size > 0);
    id[0] = id[0] == '0' ? '1' : '0';
    check = (uint32_t)XXH3_64bits_withSeed(left.journal, header_size, version);
    memcpy(left.journal + 12, &check, sizeof(check));
}

/* Makes the journal one of another boot of the machine. */
static void change_boot(void)
{
    struct journal_about about;

    journal_about_init(&disk_real, &about);
    change_header(about.boot_id, DISK_BOOT_ID_LENGTH);
}

/*
 * Goes on from what is left. Recovered: no row that was admitted is taken for a new one. Or
 * refused: the results are as they were. Whether it was recovered.
 */
static bool go_on(size_t results_len)
{
    static char after[RESULTS_MAX];
    struct ledger *ledger = NULL;

    write_file(path, left.results, results_len);
    write_file(journal_path, left.journal, left.journal_len);
    enum status status = open_at(path, &no_wish, &ledger);
    if (status == STATUS_OK) {
        for (uint64_t i = 1; i <= LEFT_ROWS; i++)
            assert_int_equal(verdict_of(ledger, i, true), STORE_SETTLED);
        assert_int_equal(verdict_of(ledger, LEFT_UNKNOWN, true), STORE_NEW);
        ledger_close(ledger);
        return true;
    }
    assert_int_equal(status, STATUS_SYNTAX);
    assert_true(message.len > 0);
    assert_int_equal(read_file(path, after, RESULTS_MAX), results_len);
    assert_memory_equal(after, left.results, results_len);
    return false;
}

/* Each step of a long test, with NBATCH_THOROUGH in the environment; else one of so many. */
static size_t step(size_t usual)
{
    return getenv("NBATCH_THOROUGH") != NULL ? 1 : usual;
}

static void test_results_cut_off_at_any_byte_are_recovered_or_refused(void **state)
{
    (void)state;
    leave();
    /* A process that dies tears nothing that was written: somebody else has cut it. */
    for (size_t len = 0; len < left.results_len; len += step(19))
        assert_false(go_on(len));
    assert_true(go_on(left.results_len));
    change_boot();
    for (size_t len = 0; len < left.durable; len += step(19))
        assert_false(go_on(len));
    for (size_t len = left.durable; len <= left.results_len; len++)
        assert_true(go_on(len));
}

static void test_any_flipped_bit_of_the_results_is_found_or_leaves_its_row_in_doubt(void **state)
{
    (void)state;
    leave();
    const size_t record = (left.results_len - left.durable) / 4; /* of the lines behind the sync */
    const size_t first = left.durable + record, last = left.durable + 2 * record;

    for (int boot = 0; boot < 2; boot++) {
        size_t recovered = 0;
        for (size_t bit = 0; bit < 8 * left.results_len;) {
            left.results[bit / 8] ^= (char)(1 << bit % 8);
            bool good = go_on(left.results_len);
            left.results[bit / 8] ^= (char)(1 << bit % 8);
            assert_true(!good || (boot == 1 && bit / 8 >= left.durable));
            recovered += good;
            bool is_in_record = boot == 1 && bit / 8 >= first && bit / 8 < last;
            bit += is_in_record ? 1 : step(boot == 0 ? 61 : 17);
        }
        assert_true(boot == 0 ? recovered == 0 : recovered > 0);
        if (boot == 0)
            change_boot();
    }
}

/* Every byte of the journal that is in use, and some of the others: one bit of each. */
static void test_a_flipped_bit_of_the_journal_is_found_or_does_no_harm(void **state)
{
    (void)state;
    leave();
    for (int boot = 0; boot < 2; boot++) {
        uint64_t seed = 1;
        for (size_t at = 0; at < left.journal_len; at++) {
            bool in_use = left.journal[at] != 0 || (at > 0 && left.journal[at - 1] != 0);
            if (at % (in_use ? step(17) : 4001) != (step(17) > 1 ? (size_t)boot : 0))
                continue;
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            left.journal[at] ^= (char)(1 << (seed >> 61));
            (void)go_on(left.results_len);
            left.journal[at] ^= (char)(1 << (seed >> 61));
        }
        if (boot == 0)
            change_boot();
    }
}

/* Zeros are neither free slots nor the end of the lines; the snapshot knows all. */
static void test_a_page_of_zeros_in_the_live_record_is_no_free_one(void **state)
{
    (void)state;
    static const char zeros[JOURNAL_PAGE];
    char page[JOURNAL_PAGE];

    leave();
    for (size_t at = JOURNAL_PAGE; at < left.live; at += JOURNAL_PAGE) {
        memcpy(page, left.journal + at, JOURNAL_PAGE);
        memcpy(left.journal + at, zeros, JOURNAL_PAGE);
        assert_true(go_on(left.results_len));
        memcpy(left.journal + at, page, JOURNAL_PAGE);
    }
    memset(left.journal + JOURNAL_PAGE, 0, left.live - JOURNAL_PAGE); /* all of them */
    assert_true(go_on(left.results_len));
    memset(left.journal, 0, JOURNAL_PAGE); /* the header: nothing is known then */
    assert_false(go_on(left.results_len));
}

/* A disk that was lost and has come back within one boot: pages as they were at some time, but the
 * snapshots, and what they know of the results, as they were written last. */
static void test_older_pages_do_not_count_beside_a_newer_snapshot(void **state)
{
    (void)state;
    static char newest[JOURNAL_MAX];
    uint64_t seed = 1;

    leave();
    memcpy(newest, left.journal, left.journal_len);
    for (int round = 0; round < 200; round++) {
        for (size_t at = JOURNAL_PAGE; at < left.live; at += JOURNAL_PAGE) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            size_t which = round < 2 ? (size_t)round : (size_t)(seed >> 40) % 3;
            memcpy(left.journal + at, which < 2 ? older[which] + at : newest + at, JOURNAL_PAGE);
        }
        assert_true(go_on(left.durable + (seed >> 33) % (left.results_len - left.durable + 1)));
    }
}

/* Another mount on the same boot: a container that was started again, or a disk that came back. */
static void test_another_mount_goes_by_the_snapshot(void **state)
{
    (void)state;
    struct ledger *ledger = NULL;
    struct mount_mark mark;

    leave();
    int fd = open(folder, O_RDONLY | O_DIRECTORY);
    mount_mark_of(fd, &mark);
    (void)close(fd);
    assert_true(mark.mount_id != 0 && mark.device != 0);
    for (int which = 0; which < 2; which++) { /* the control: on the same one, two are in doubt */
        if (which == 1)
            change_header((const char *)&mark.mount_id, sizeof(mark.mount_id));
        write_file(path, left.results, left.results_len);
        write_file(journal_path, left.journal, left.journal_len);
        assert_int_equal(open_at(path, &no_wish, &ledger), STATUS_OK);
        assert_int_equal(ledger_past(ledger)->orphans, which == 0 ? 2 : 4);
        ledger_close(ledger);
        char text[64 * 1024];
        text[read_file(path, text, sizeof(text) - 1)] = '\0';
        assert_int_equal(strstr(text, "(attempts and ambiguous are of the last sync") != NULL,
                         which == 1);
        assert_true(go_on(left.results_len));
    }
}

/* The journal of an earlier stop comes back, after a restart of the machine: nothing is cut. */
static void test_an_older_journal_beside_results_that_have_gone_on_is_refused(void **state)
{
    (void)state;
    static char after[RESULTS_MAX];
    struct ledger *ledger = begin(NULL, 8);

    go(ledger, 1, 4, 4);
    finish(ledger, false);
    left.journal_len = read_file(journal_path, left.journal, JOURNAL_MAX);
    change_boot();
    for (int goes_on = 0; goes_on < 2; goes_on++) { /* the control: it is the newest */
        if (goes_on == 1) {
            ledger = begin(&no_wish, 8);
            go(ledger, 5, 7, 7);
            finish(ledger, false);
        }
        left.results_len = read_file(path, left.results, RESULTS_MAX);
        write_file(journal_path, left.journal, left.journal_len);
        enum status status = open_at(path, &no_wish, &ledger);
        assert_int_equal(status, goes_on == 1 ? STATUS_SYNTAX : STATUS_OK);
        if (status == STATUS_OK)
            finish(ledger, false);
        assert_int_equal(read_file(path, after, RESULTS_MAX), left.results_len);
        assert_memory_equal(after, left.results, left.results_len);
    }
}

/* Whether the file holds the rows 1 to `rows` in their order, each once; with a header. */
static void assert_sorted(uint64_t rows)
{
    FILE *file = fopen(path, "r");
    char line[512];
    uint64_t count = 0;

    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    assert_int_equal(strncmp(line, "row,line,", 9), 0);
    while (fgets(line, sizeof(line), file) != NULL)
        assert_int_equal(strtoull(line, NULL, 10), ++count);
    assert_int_equal(count, rows);
    (void)fclose(file);
}

static size_t count_lines(const char *name)
{
    FILE *file = fopen(name, "r");
    size_t count = 0;

    assert_non_null(file);
    for (int c; (c = getc(file)) != EOF;)
        count += c == '\n';
    (void)fclose(file);
    return count;
}

static void test_more_lines_than_memory_holds_are_sorted(void **state)
{
    (void)state;
    enum { ROWS = 300000 }; /* three runs */
    struct ledger *ledger = begin(NULL, ROWS);
    struct store_account account;

    for (uint64_t i = 0; i < ROWS; i++)
        assert_int_equal(end(ledger, STORE_NO_TICKET, (i * 7919) % ROWS + 1, ROW_FAILED),
                         STATUS_OK);
    assert_int_equal(ledger_flush(&ledger->store), STATUS_OK);
    assert_int_equal(ledger_account(&ledger->store, &account, &message), STATUS_OK);
    assert_int_equal(ledger_finish(&ledger->store, true, &message), STATUS_OK);
    assert_int_equal(ledger_sort(ledger, superseded_path, &message), STATUS_OK);
    ledger_close(ledger);
    assert_sorted(ROWS);
    assert_int_not_equal(access(superseded_path, F_OK), 0);
}

/* Sends rows 1 to 3 again, and sorts. */
static void go_again_and_sort(enum row_status from, enum row_status to)
{
    struct resume_wish wish = {.orphan_other = false};
    struct store_account account;

    wish.status[from] = true;
    struct ledger *ledger = begin(&wish, 5);
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(end(ledger, STORE_NO_TICKET, i, to), STATUS_OK);
    assert_int_equal(ledger_flush(&ledger->store), STATUS_OK);
    assert_int_equal(ledger_account(&ledger->store, &account, &message), STATUS_OK);
    assert_int_equal(ledger_finish(&ledger->store, true, &message), STATUS_OK);
    assert_int_equal(ledger_sort(ledger, superseded_path, &message), STATUS_OK);
    ledger_close(ledger);
}

static void test_lines_that_others_have_followed_go_to_a_file_of_their_own(void **state)
{
    (void)state;
    struct ledger *ledger = begin(NULL, 5);

    for (uint64_t i = 5; i >= 1; i--)
        assert_int_equal(end(ledger, STORE_NO_TICKET, i, ROW_FAILED), STATUS_OK);
    finish(ledger, true);
    go_again_and_sort(ROW_FAILED, ROW_REJECTED);
    assert_sorted(5);
    assert_int_equal(count_lines(superseded_path), 1 + 3);
    go_again_and_sort(ROW_REJECTED, ROW_ACCEPTED);
    assert_sorted(5);
    assert_int_equal(count_lines(superseded_path), 1 + 6);
}

/* A sort that died had added lines already, the last of them in part. */
static void test_a_sort_that_died_leaves_no_line_twice(void **state)
{
    (void)state;
    static char whole[RESULTS_MAX];
    struct ledger *ledger = begin(NULL, 5);

    for (uint64_t i = 5; i >= 1; i--)
        assert_int_equal(end(ledger, STORE_NO_TICKET, i, ROW_FAILED), STATUS_OK);
    finish(ledger, true);
    go_again_and_sort(ROW_FAILED, ROW_REJECTED);
    size_t before = read_file(path, left.results, RESULTS_MAX);
    size_t superseded = read_file(superseded_path, left.journal, RESULTS_MAX);
    go_again_and_sort(ROW_REJECTED, ROW_ACCEPTED);
    size_t len = read_file(superseded_path, whole, RESULTS_MAX);
    assert_true(len > superseded);
    for (size_t cut = 0; cut <= len; cut += step(7)) {
        if (cut > 0 && cut < superseded)
            cut = superseded;
        write_file(path, left.results, before);
        if (cut == 0)
            write_file(superseded_path, left.journal, superseded);
        else
            write_file(superseded_path, whole, cut);
        go_again_and_sort(ROW_REJECTED, ROW_ACCEPTED);
        assert_sorted(5);
        assert_int_equal(read_file(superseded_path, left.journal + RESULTS_MAX, RESULTS_MAX), len);
        assert_memory_equal(left.journal + RESULTS_MAX, whole, len);
    }
}

static struct ledger *other;

static void other_takes_it(void)
{
    other = begin(&no_wish, 3);
}

static void other_takes_it_and_stops(void)
{
    struct ledger *ledger = begin(&no_wish, 3);

    go(ledger, 1, 3, 2);
    finish(ledger, false);
}

static void other_takes_it_and_completes(void)
{
    struct ledger *ledger = begin(&no_wish, 3);

    go(ledger, 1, 3, 3);
    finish(ledger, true);
}

static void other_finds_nothing_to_do(void)
{
    (void)unlink(path);
}

static void other_puts_its_own_there(void)
{
    (void)unlink(path);
    write_file(path, "", 0);
}

static void other_links_it(void)
{
    assert_int_equal(link(path, copy_path), 0);
}

/* A start that has created the results and not locked them yet backs off, and removes nothing. */
static void test_who_is_too_late_with_the_lock_backs_off(void **state)
{
    (void)state;
    static void (*const acts[])(void) = {other_takes_it,
                                         other_takes_it_and_stops,
                                         other_takes_it_and_completes,
                                         other_finds_nothing_to_do,
                                         other_puts_its_own_there,
                                         other_links_it};
    static char before[RESULTS_MAX], after[RESULTS_MAX];

    for (size_t i = 0; i < ARRAY_LENGTH(acts); i++) {
        struct ledger *ledger = NULL;
        assert_int_equal(open_at(path, NULL, &ledger), STATUS_OK);
        before_lock = acts[i];
        assert_int_equal(start(ledger), STATUS_EXISTS);
        assert_true(message.len > 0);
        bool there = access(path, F_OK) == 0;
        assert_true(there == (acts[i] != other_finds_nothing_to_do));
        size_t len = there ? read_file(path, before, RESULTS_MAX) : 0;
        ledger_close(ledger);
        if (there) {
            assert_int_equal(read_file(path, after, RESULTS_MAX), len);
            assert_memory_equal(before, after, len);
        }
        assert_true((access(journal_path, F_OK) == 0) ==
                    (acts[i] == other_takes_it || acts[i] == other_takes_it_and_stops));
        ledger_close(other);
        other = NULL;
        (void)teardown(NULL);
        (void)setup(NULL);
    }
}

static void name_in_folder(const char *name, char *out, size_t size)
{
    (void)snprintf(out, size, "%s/%s", folder, name);
}

/* Lists beside lines that were written anew, and an earlier run's, are not named in their place. */
static void test_the_latest_lines_that_were_written_anew_are_found(void **state)
{
    (void)state;
    static const char *const names[] = {"out.recovered-00000001.cancelled.csv",
                                        "out.recovered-00000002.csv.journal",
                                        "out.recovered-00000003.csv", "out.recovered-00000002.csv",
                                        "out.recovered-zz.csv"};
    const struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    char name[200];

    assert_null(place_find_beside(&disk_real, path));
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        name_in_folder(names[i], name, sizeof(name));
        write_file(name, "x", 1);
        if (i == 2)
            assert_int_equal(utimensat(AT_FDCWD, name, past, 0), 0);
    }
    char *beside = place_find_beside(&disk_real, path);
    name_in_folder("out.recovered-00000002.csv", name, sizeof(name));
    assert_string_equal(beside, name);
    free(beside);
}

/* As an editor does: the same bytes, in another file that takes the name. */
static void save_as_it_is(void)
{
    static char bytes[RESULTS_MAX];
    size_t len = read_file(path, bytes, RESULTS_MAX);

    write_file(copy_path, bytes, len);
    assert_int_equal(rename(copy_path, path), 0);
}

/* What is saved may be just what the newest snapshot knows, or the live record. It is refused, and
 * the lines that were written anew are gone on with. */
static void
test_results_that_were_saved_as_they_are_do_not_go_on_beside_those_written_anew(void **state)
{
    (void)state;
    enum { ADMIT_THEN_SYNC, SYNC_THEN_END, END_THEN_SYNC, END, NOTHING, MOMENTS };

    for (int moment = 0; moment < MOMENTS; moment++) {
        struct ledger *ledger = begin(NULL, 8);
        uint32_t ticket = admit(ledger, 1);
        go(ledger, 2, 6, 6);
        ledger_attempt(&ledger->store, ticket, 0, 0);
        ledger->store.waiting++;
        assert_int_equal(ledger_sync_now(ledger), STATUS_OK);
        save_as_it_is();
        write_file(ledger->doubt_path, "what is in doubt", 16);
        if (moment == ADMIT_THEN_SYNC)
            (void)admit(ledger, 7);
        if (moment == SYNC_THEN_END)
            ledger->store.waiting++;
        if (moment == ADMIT_THEN_SYNC || moment == SYNC_THEN_END)
            assert_int_equal(ledger_sync_now(ledger), STATUS_IO);
        if (moment != NOTHING)
            (void)!end(ledger, ticket, 1, ROW_ACCEPTED);
        if (moment == END_THEN_SYNC)
            assert_int_equal(ledger_sync_now(ledger), STATUS_IO);
        assert_int_equal(ledger_finish(&ledger->store, false, &message), STATUS_IO);
        assert_true(ledger_is_rescued(ledger));
        ledger_close(ledger);
        char *beside = place_find_beside(&disk_real, path);
        assert_non_null(beside);
        char *doubts = doubt_path(beside);
        assert_int_equal(access(doubts, F_OK), 0);
        free(doubts);
        assert_int_equal(open_at(path, &no_wish, &ledger), STATUS_SYNTAX);
        assert_non_null(strstr(buf_string(&message), beside));
        assert_int_equal(open_at(beside, &no_wish, &ledger), STATUS_OK);
        assert_int_equal(ledger_past(ledger)->orphans, moment == NOTHING ? 1 : 0);
        assert_int_equal(ledger_past(ledger)->keys, 6);
        ledger_close(ledger);
        /* Nor where the file is gone again, and only its journal is there. */
        assert_int_equal(unlink(path), 0);
        assert_int_equal(open_at(path, &no_wish, &ledger), STATUS_EXISTS);
        assert_non_null(strstr(buf_string(&message), beside));
        buf_clear(&message);
        assert_int_equal(ledger_probe(&disk_real, path, &message), STATUS_EXISTS);
        assert_non_null(strstr(buf_string(&message), beside));
        free(beside);
        (void)teardown(NULL);
        (void)setup(NULL);
    }
}

/* The results are taken away between the end of the run and the sort. */
static void test_a_sort_overwrites_nothing_that_it_has_not_read(void **state)
{
    (void)state;
    static char bytes[RESULTS_MAX];
    struct store_account account;

    for (int replaced = 0; replaced < 2; replaced++) {
        struct ledger *ledger = begin(NULL, 5);
        for (uint64_t i = 5; i >= 1; i--)
            assert_int_equal(end(ledger, STORE_NO_TICKET, i, ROW_FAILED), STATUS_OK);
        assert_int_equal(ledger_flush(&ledger->store), STATUS_OK);
        assert_int_equal(ledger_account(&ledger->store, &account, &message), STATUS_OK);
        assert_int_equal(ledger_finish(&ledger->store, true, &message), STATUS_OK);
        assert_int_equal(rename(path, copy_path), 0);
        if (replaced)
            write_file(path, "theirs\n", 7);
        buf_clear(&message);
        assert_int_equal(ledger_sort(ledger, superseded_path, &message), STATUS_IO);
        ledger_close(ledger);
        char *beside = place_find_beside(&disk_real, path);
        assert_true((beside != NULL) == (replaced == 1));
        assert_non_null(strstr(buf_string(&message), replaced ? beside : path));
        if (replaced) {
            assert_int_equal(read_file(path, bytes, RESULTS_MAX), 7);
            (void)snprintf(path, sizeof(path), "%s", beside);
        }
        free(beside);
        assert_sorted(5);
        (void)teardown(NULL);
        (void)setup(NULL);
    }
}

/* All that a ledger does; how it ended. */
static enum status do_everything(void)
{
    const struct resume_wish wish = {.status[ROW_FAILED] = true};
    struct ledger *ledger = NULL;
    struct store_account account;
    struct store_row row;
    bool is_new = access(path, F_OK) != 0;
    enum status status = open_at(path, is_new ? NULL : &wish, &ledger);

    for (uint64_t i = 1; status == STATUS_OK && i <= 8; i++)
        status = ledger_meet(&ledger->store, hash_of(i), true, &row);
    if (status == STATUS_OK)
        status = start(ledger);
    if (status == STATUS_OK) {
        uint32_t ticket = admit(ledger, 1);
        status = ledger_sync_now(ledger);
        ledger_attempt(&ledger->store, ticket, 0, 0);
        if (status == STATUS_OK)
            status = end(ledger, ticket, 1, ROW_FAILED);
    }
    for (uint64_t i = 2; status == STATUS_OK && i <= 8; i++)
        status = end(ledger, STORE_NO_TICKET, i, ROW_FAILED);
    if (status == STATUS_OK)
        status = ledger_flush(&ledger->store);
    if (status == STATUS_OK)
        status = ledger_account(&ledger->store, &account, &message);
    if (status == STATUS_OK)
        status = ledger_finish(&ledger->store, true, &message);
    if (status == STATUS_OK)
        status = ledger_sort(ledger, superseded_path, &message);
    ledger_close(ledger);
    return status;
}

static void fail_each_allocation(void (*prepare)(void))
{
    for (long n = 0;; n++) {
        prepare();
        buf_deinit(&message);
        buf_init(&message, 64 * 1024);
        long before = allocated;
        allocations_left = n;
        one_has_failed = false;
        enum status status = do_everything();
        allocations_left = -1;
        buf_deinit(&message);
        buf_init(&message, 64 * 1024);
        assert_int_equal(allocated, before);
        if (!one_has_failed) {
            assert_int_equal(status, STATUS_OK);
            return;
        }
        assert_int_not_equal(status, STATUS_OK);
        assert_true(n < 2000);
    }
}

static void prepare_nothing(void)
{
    (void)unlink(path);
    (void)unlink(journal_path);
    (void)unlink(superseded_path);
}

static void prepare_left(void)
{
    (void)unlink(superseded_path);
    write_file(path, left.results, left.results_len);
    write_file(journal_path, left.journal, left.journal_len);
}

static void test_no_allocation_that_fails_crashes_or_leaks(void **state)
{
    (void)state;
    fail_each_allocation(prepare_nothing);
    prepare_nothing();
    leave();
    fail_each_allocation(prepare_left);
    change_boot();
    fail_each_allocation(prepare_left);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_run_is_recorded_and_accounted_for),
        TEST(test_each_wish_sends_its_rows_again_and_no_others),
        TEST(test_rows_under_way_are_named_and_sent_again_by_their_action),
        TEST(test_a_result_counts_though_the_clock_was_set_back_behind_a_recovery),
        TEST(test_results_of_zeros_are_begun_anew),
        TEST(test_a_second_run_is_refused_and_told_who_holds_the_results),
        TEST(test_results_that_cannot_be_written_are_kept_in_the_journal),
        TEST(test_lines_of_no_row_and_followed_lines_are_counted),
        TEST(test_an_account_finds_what_was_not_written),
        TEST(test_an_account_finds_a_changed_line),
        TEST(test_results_cut_off_at_any_byte_are_recovered_or_refused),
        TEST(test_any_flipped_bit_of_the_results_is_found_or_leaves_its_row_in_doubt),
        TEST(test_a_flipped_bit_of_the_journal_is_found_or_does_no_harm),
        TEST(test_a_page_of_zeros_in_the_live_record_is_no_free_one),
        TEST(test_older_pages_do_not_count_beside_a_newer_snapshot),
        TEST(test_another_mount_goes_by_the_snapshot),
        TEST(test_more_lines_than_memory_holds_are_sorted),
        TEST(test_lines_that_others_have_followed_go_to_a_file_of_their_own),
        TEST(test_a_sort_that_died_leaves_no_line_twice),
        TEST(test_who_is_too_late_with_the_lock_backs_off),
        TEST(test_an_older_journal_beside_results_that_have_gone_on_is_refused),
        TEST(test_the_latest_lines_that_were_written_anew_are_found),
        TEST(test_results_that_were_saved_as_they_are_do_not_go_on_beside_those_written_anew),
        TEST(test_a_sort_overwrites_nothing_that_it_has_not_read),
        TEST(test_no_allocation_that_fails_crashes_or_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
