#include "fake_input.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char header[] =
    "action,imei,obj_id,obj_inst_id,mode,res_id,args,valid_time,expired_time,res:5850,note\n";

/* With the digit that makes it one. */
static void write_imei(uint64_t number, char out[18])
{
    char digits[16];
    int sum = 0;

    (void)snprintf(digits, sizeof(digits), "86%012llu", (unsigned long long)number % 1000000000000);
    for (int i = 0; i < 14; i++) {
        int digit = digits[13 - i] - '0', twice = 2 * digit;
        sum += i % 2 != 0 ? digit : twice > 9 ? twice - 9 : twice;
    }
    (void)snprintf(out, 18, "%s%d", digits, (10 - sum % 10) % 10);
}

/* What is wrong with a bad row. */
enum flaw {
    FLAW_NONE,
    FLAW_IMEI,
    FLAW_RANGE,
    FLAW_EXPIRED,
    FLAW_NOTHING, /* a write of nothing */
    FLAW_CELLS,   /* too many */
    FLAW_COUNT
};

struct draft {
    const struct content *content;
    enum flaw flaw;
    const char *valid_time, *expired_time;
    size_t note;
};

static void add_row(struct buf *out, const struct draft *draft)
{
    const struct content *content = draft->content;
    const char *object = draft->flaw == FLAW_RANGE ? "70000" : "3311";
    const char *expired = draft->flaw == FLAW_EXPIRED ? "2020-01-01T00:00:00" : draft->expired_time;
    char value[16] = "";

    if (draft->flaw != FLAW_NOTHING || content->is_execute)
        (void)snprintf(value, sizeof(value), "%u", (unsigned)content->value);
    buf_add_format(out, "%s,%s%s,%s,0,", content->is_execute ? "execute" : "write", content->imei,
                   draft->flaw == FLAW_IMEI ? "x" : "", object);
    if (content->is_execute)
        buf_add_format(out, ",%s,%s,%s,%s,,", draft->flaw == FLAW_NOTHING ? "" : "4", value,
                       draft->valid_time, expired);
    else
        buf_add_format(out, "2,,,%s,%s,%s,", draft->valid_time, expired, value);
    for (size_t i = 0; i < draft->note; i++)
        buf_add_char(out, 'n');
    buf_add_string(out, draft->flaw == FLAW_CELLS ? ",and,more\n" : "\n");
}

static void draw_times(struct draft *draft, struct fake_row *row, struct prng *dice)
{
    static const char *const starts[] = {"+2s", "+1m", "+1h"}, *const ends[] = {"+90s", "+20m"};

    draft->valid_time = "";
    draft->expired_time = "+30d";
    row->can_wait = true;
    if (dice_chance(dice, 150))
        draft->valid_time = starts[prng_up_to(dice, ARRAY_LENGTH(starts) - 1)];
    if (dice_chance(dice, 60) && draft->valid_time[0] == '\0') {
        draft->expired_time = ends[prng_up_to(dice, ARRAY_LENGTH(ends) - 1)];
        row->can_wait = false;
    }
}

static const struct fake_row *draw_earlier(const struct fake_input *input, struct prng *dice)
{
    if (input->row_count == 0 || !dice_chance(dice, 80))
        return NULL;
    return &input->rows[prng_up_to(dice, input->row_count - 1)];
}

static void draw_row(struct fake_input *input, struct prng *dice, uint64_t devices, size_t note,
                     uint32_t bad_per_mille)
{
    struct fake_row *row = &input->rows[input->row_count];
    const struct fake_row *same = draw_earlier(input, dice);

    row->from = input->text.len;
    if (same != NULL) { /* the very same text */
        struct span text = span_of(input->text.ptr + same->from, same->to - same->from);
        char *copy = strndup(text.ptr, text.len);
        *row = (struct fake_row){same->content, same->is_good, same->can_wait, row->from, 0};
        if (copy == NULL)
            abort();
        buf_add(&input->text, span_of(copy, text.len));
        free(copy);
    } else {
        struct content *content = &input->contents[input->content_count];
        struct draft draft = {.content = content, .flaw = FLAW_NONE};
        *content = (struct content){.is_execute = dice_chance(dice, 300),
                                    .value = (uint32_t)input->content_count};
        write_imei(7 * prng_up_to(dice, devices - 1) + 1, content->imei);
        if (dice_chance(dice, bad_per_mille))
            draft.flaw = (enum flaw)(1 + prng_up_to(dice, FLAW_COUNT - 2));
        draft.note = (size_t)dice_skewed(dice, 0, (int64_t)note);
        row->content = (uint32_t)input->content_count++;
        row->is_good = draft.flaw == FLAW_NONE;
        draw_times(&draft, row, dice);
        add_row(&input->text, &draft);
    }
    row->to = input->text.len;
    input->row_count++;
}

static void write_file(struct fake_input *input, struct span text)
{
    static int64_t times; /* a file that was written to looks so */
    const struct timespec stamps[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000 + ++times}};

    if (pwrite(input->fd, text.ptr, text.len, 0) != (ssize_t)text.len ||
        ftruncate(input->fd, (off_t)text.len) != 0 || futimens(input->fd, stamps) != 0)
        abort();
}

void fake_input_draw(struct fake_input *input, struct prng *dice)
{
    size_t rows = (size_t)dice_skewed(dice, 3, FAKE_ROWS_MAX);
    uint64_t devices = (uint64_t)dice_between(dice, 1, (int64_t)rows);
    /* What is longer than a block of 64 KiB is not compared as a whole before anything is sent. */
    size_t note = dice_chance(dice, 350) ? 6000 : 10;
    uint32_t bad_per_mille = dice_chance(dice, 400) ? 80 : 0;

    input->content_count = input->row_count = 0;
    memset(input->contents, 0, sizeof(input->contents));
    buf_init(&input->text, 16 * 1024 * 1024);
    buf_add_string(&input->text, header);
    while (input->row_count < rows)
        draw_row(input, dice, devices, note, bad_per_mille);
    assert(input->text.status == STATUS_OK);
    input->fd = memfd_create("input", MFD_CLOEXEC);
    if (input->fd < 0)
        abort();
    (void)snprintf(input->path, sizeof(input->path), "/proc/self/fd/%d", input->fd);
    write_file(input, buf_span(&input->text));
}

void fake_input_close(struct fake_input *input)
{
    buf_deinit(&input->text);
    (void)close(input->fd);
}

void fake_input_change(struct fake_input *input, struct prng *dice, bool is_growth)
{
    struct content *other = &input->contents[input->content_count];
    const struct draft draft = {.content = other, .valid_time = "", .expired_time = "+30d"};
    size_t at = (size_t)prng_up_to(dice, input->row_count - 1);
    const struct fake_row *row = &input->rows[is_growth ? input->row_count - 1 : at];
    struct buf text;

    *other = (struct content){.value = (uint32_t)input->content_count};
    write_imei(5, other->imei);
    buf_init(&text, 16 * 1024 * 1024);
    buf_add(&text, span_of(input->text.ptr, is_growth ? row->to : row->from));
    add_row(&text, &draft);
    buf_add(&text, span_skip(buf_span(&input->text), row->to));
    write_file(input, buf_span(&text));
    buf_deinit(&text);
}

void fake_input_restore(struct fake_input *input)
{
    write_file(input, buf_span(&input->text));
}
