#include "unit.h"

#include <unistd.h>

#include "cli/config_file.h"

struct fixture {
    char path[64];
    struct config_file file;
    struct buf message;
    enum status status;
};

static void read_text(struct fixture *fixture, struct span text)
{
    (void)snprintf(fixture->path, sizeof(fixture->path), "/tmp/nbatch-config-XXXXXX");
    int fd = mkstemp(fixture->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.ptr, text.len), (ssize_t)text.len);
    (void)close(fd);
    fixture->file = (struct config_file){.path = NULL};
    buf_init(&fixture->message, 4096);
    fixture->status = config_file_read(fixture->path, &fixture->message, &fixture->file);
    (void)unlink(fixture->path);
}

static void forget(struct fixture *fixture)
{
    config_file_deinit(&fixture->file);
    buf_deinit(&fixture->message);
}

static void test_names_values_and_lines(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        bool in_list;
        size_t line;
    } wanted[] = {{"rate", "20/s", false, 2},   {"strict", "yes", false, 3},
                  {"set", "obj_id=3", true, 5}, {"set", "data=[{\"val\":${x}}]", true, 6},
                  {"pass", "a,b", true, 7},     {"pass", "c", true, 7},
                  {"delimiter", ";", false, 8}, {"simulate", NULL, false, 9},
                  {"seed", "", false, 10}};
    struct fixture fixture;

    read_text(&fixture, SPAN_LITERAL("# comment\nrate: 20/s # of the night\nstrict: yes\nset:\n"
                                     "  - obj_id=3\n  - 'data=[{\"val\":${x}}]'\n"
                                     "pass: ['a,b', c]\ndelimiter: ;\nsimulate:\nseed: ''\n"));
    assert_int_equal(fixture.status, STATUS_OK);
    assert_int_equal(fixture.file.count, ARRAY_LENGTH(wanted));
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        const struct config_entry *entry = &fixture.file.entries[i];
        assert_string_equal(entry->name, wanted[i].name);
        assert_int_equal(entry->line, wanted[i].line);
        assert_int_equal(entry->in_list, wanted[i].in_list);
        assert_true((entry->value == NULL) == (wanted[i].value == NULL));
        if (wanted[i].value != NULL)
            assert_string_equal(entry->value, wanted[i].value);
    }
    forget(&fixture);
}

static void test_a_long_value_is_taken_whole(void **state)
{
    (void)state;
    static char text[5000];
    struct fixture fixture;

    size_t len = (size_t)snprintf(text, sizeof(text), "set: ");
    memset(text + len, 'x', 4000);
    read_text(&fixture, span_of(text, len + 4000));
    assert_int_equal(fixture.status, STATUS_OK);
    assert_int_equal(strlen(fixture.file.entries[0].value), 4000);
    forget(&fixture);
}

static void test_a_file_without_values_is_good(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "# nothing\n", "{}\n"};
    struct fixture fixture;

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        read_text(&fixture, span_string(texts[i]));
        assert_int_equal(fixture.status, STATUS_OK);
        assert_int_equal(fixture.file.count, 0);
        forget(&fixture);
    }
}

static void test_what_is_wrong_is_told_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {{"rate: 1/s\nrate: 2/s\n", ":2: the name is there twice"},
                 {"a: {b: c}\n", ":1: a value must be a text or a list"},
                 {"a:\n  - [b]\n", ":2: the values of a list must be texts"},
                 {"- a\n", ":1: a line must have the form"},
                 {"just text\n", ":1: a line must have the form"},
                 {"[a]: b\n", ":1: a name must be a text"},
                 {"a: b\n---\nc: d\n", ":2: one document is enough"},
                 {"a: &x b\nc: *x\n", ":2: a value must be a text or a list"},
                 {"a: 'b\n", ":"},
                 {"a: \"x\\0y\"\n", ":1: a value holds a NUL"},
                 {"\xff\xfe\xff", ":1: "},
                 {"a: @b\n", ":1: found character"}};
    struct fixture fixture;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        read_text(&fixture, span_string(cases[i].text));
        assert_int_equal(fixture.status, STATUS_USAGE);
        if (strstr(buf_string(&fixture.message), cases[i].wanted) == NULL)
            fail_msg("%s: %s", cases[i].text, buf_string(&fixture.message));
        assert_ptr_equal(fixture.file.path, NULL);
        forget(&fixture);
    }
}

static void test_size_and_number_have_their_maximum(void **state)
{
    (void)state;
    static char text[CONFIG_FILE_MAX + 2];
    struct fixture fixture;
    size_t len = 0;

    memset(text, '#', sizeof(text));
    read_text(&fixture, span_of(text, sizeof(text)));
    assert_int_equal(fixture.status, STATUS_USAGE);
    assert_non_null(strstr(buf_string(&fixture.message), "larger than 1 MiB"));
    forget(&fixture);
    for (int i = 0; i <= CONFIG_ENTRIES_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "n%d: 1\n", i);
    read_text(&fixture, span_of(text, len));
    assert_int_equal(fixture.status, STATUS_USAGE);
    assert_non_null(strstr(buf_string(&fixture.message), ":1025: more values"));
    forget(&fixture);
}

static void test_a_file_that_is_not_there(void **state)
{
    (void)state;
    struct config_file file = {.path = NULL};
    struct buf message;

    buf_init(&message, 4096);
    assert_int_equal(config_file_read("/nonexistent/x.yaml", &message, &file), STATUS_USAGE);
    assert_non_null(strstr(buf_string(&message), "No such file"));
    buf_deinit(&message);
    config_file_deinit(&file);
    config_file_deinit(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_values_and_lines),
        cmocka_unit_test(test_a_long_value_is_taken_whole),
        cmocka_unit_test(test_a_file_without_values_is_good),
        cmocka_unit_test(test_what_is_wrong_is_told_with_its_line),
        cmocka_unit_test(test_size_and_number_have_their_maximum),
        cmocka_unit_test(test_a_file_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
