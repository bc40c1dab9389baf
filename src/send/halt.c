#include "send/halt.h"

#include "core/text.h"

#define MILLIONTHS   UINT64_C(1000000)
#define PERCENT      (MILLIONTHS / 100)
#define ROWS_AT_MOST (UINT64_MAX / MILLIONTHS) /* so that shares are compared without overflow */

_Static_assert(HALT_RULES_MAX <= 16, "a bit for each rule fits into the window's words");

void halt_init(struct halt *halt)
{
    *halt = (struct halt){.min = HALT_MIN_DEFAULT};
}

static size_t find(struct span text, char c)
{
    const char *at = text.len > 0 ? memchr(text.ptr, c, text.len) : NULL;
    return at != NULL ? (size_t)(at - text.ptr) : text.len;
}

static enum status refuse(struct span item, const char *remedy, struct buf *message)
{
    buf_add_quoted(message, item);
    buf_add_format(message, ": %s", remedy);
    return STATUS_USAGE;
}

static bool parse_amount(struct span text, struct halt_rule *rule)
{
    rule->is_share = text.len > 0 && text.ptr[text.len - 1] == '%';
    if (rule->is_share)
        return text_parse_share(text, &rule->most) && rule->most > 0;
    return span_to_uint64(text, &rule->most) == STATUS_OK && rule->most > 0 &&
           rule->most <= ROWS_AT_MOST;
}

static const enum row_status statuses[] = {ROW_FAILED, ROW_REJECTED, ROW_IN_DOUBT, ROW_INVALID};

static bool parse_subject(struct span name, struct halt_rule *rule)
{
    static const char prefix[] = "errno:";

    rule->by_errno = span_starts_with(name, prefix);
    if (rule->by_errno)
        return span_to_int64(span_skip(name, strlen(prefix)), &rule->number) == STATUS_OK &&
               rule->number != 0;
    for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++) {
        if (span_is(name, row_status_name(statuses[i]))) {
            rule->status = statuses[i];
            return true;
        }
    }
    return false;
}

static enum status refuse_subject(struct span item, struct span name, struct buf *message)
{
    const char *names[ARRAY_LENGTH(statuses) + 1] = {"min"};

    if (span_starts_with(name, "errno:"))
        return refuse(item, "give the number of an error behind errno:, such as errno:7=3%",
                      message);
    for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++)
        names[i + 1] = row_status_name(statuses[i]);
    const char *nearest = text_nearest(name, names, ARRAY_LENGTH(names));
    (void)refuse(item, "", message);
    if (nearest != NULL)
        buf_add_format(message, "did you mean %s? ", nearest);
    buf_add_string(message, "A rule is about failed, rejected, in_doubt, invalid or errno:NUMBER, "
                            "such as failed=5%; min=200 says from how many rows on");
    return STATUS_USAGE;
}

static enum status parse_min(struct halt *halt, struct span item, struct span value,
                             struct buf *message)
{
    uint64_t min;

    if (halt->has_min)
        return refuse(item, "min is given already; give it once, for all rules", message);
    if (span_to_uint64(value, &min) != STATUS_OK || min == 0 || min > ROWS_AT_MOST)
        return refuse(item, "give a whole number of rows of 1 or more, such as min=200", message);
    halt->min = min;
    halt->has_min = true;
    return STATUS_OK;
}

static enum status parse_item(struct halt *halt, struct span item, struct buf *message)
{
    struct span name = span_of(item.ptr, find(item, '='));
    struct halt_rule rule = {.most = 0};

    if (name.len == item.len)
        return refuse(item, "write a name, = and a limit, such as failed=5% or rejected=100",
                      message);
    struct span value = span_skip(item, name.len + 1);
    if (span_is(name, "min"))
        return parse_min(halt, item, value, message);
    if (!parse_subject(name, &rule))
        return refuse_subject(item, name, message);
    if (!parse_amount(value, &rule))
        return refuse(item,
                      "the limit is a number of rows of 1 or more, such as 100, or a "
                      "percentage above 0 and up to 100, such as 5% or 0.25%",
                      message);
    if (halt->rule_count == HALT_RULES_MAX)
        return refuse(item, "these are more rules than the 16 that there can be", message);
    halt->rules[halt->rule_count++] = rule;
    return STATUS_OK;
}

enum status halt_parse(struct halt *halt, struct span text, struct buf *message)
{
    for (;;) {
        struct span item = span_of(text.ptr, find(text, ','));
        enum status status = parse_item(halt, item, message);
        if (status != STATUS_OK || item.len == text.len)
            return status;
        text = span_skip(text, item.len + 1);
    }
}

static bool covers(const struct halt_rule *rule, const struct halt_fact *fact)
{
    if (rule->by_errno)
        return fact->has_errno && fact->platform_errno == rule->number;
    return fact->status == rule->status;
}

static void judge(struct halt *halt, const struct halt_rule *rule)
{
    uint64_t in_window = halt->ended < HALT_WINDOW ? halt->ended : HALT_WINDOW;
    bool run, window = false;

    if (rule->is_share) {
        bool enough = halt->ended >= halt->min;
        run = enough && rule->in_run * MILLIONTHS >= rule->most * halt->ended;
        window = enough && rule->in_window * MILLIONTHS >= rule->most * in_window;
    } else {
        run = rule->in_run >= rule->most;
    }
    if (!run && !window)
        return;
    halt->crossed = rule;
    halt->crossed_in_window = !run;
}

void halt_add(struct halt *halt, const struct halt_fact *fact)
{
    size_t slot = (size_t)(halt->ended % HALT_WINDOW);
    unsigned covered = 0;

    if (halt->crossed != NULL)
        return;
    for (size_t i = 0; i < halt->rule_count; i++) {
        struct halt_rule *rule = &halt->rules[i];
        bool leaves = (halt->window[slot] >> i & 1) != 0, comes = covers(rule, fact);
        rule->in_window = rule->in_window - leaves + comes;
        rule->in_run += comes;
        covered |= (unsigned)comes << i;
    }
    halt->window[slot] = (uint16_t)covered;
    halt->ended++;
    for (size_t i = 0; i < halt->rule_count && halt->crossed == NULL; i++)
        judge(halt, &halt->rules[i]);
}

static void add_share(uint64_t millionths, struct buf *out)
{
    char decimals[8];
    size_t len =
        (size_t)snprintf(decimals, sizeof(decimals), "%04u", (unsigned)(millionths % PERCENT));

    while (len > 0 && decimals[len - 1] == '0')
        len--;
    buf_add_uint64(out, millionths / PERCENT);
    if (len > 0) {
        buf_add_char(out, '.');
        buf_add_bytes(out, decimals, len);
    }
    buf_add_char(out, '%');
}

static void add_rule(const struct halt_rule *rule, struct buf *out)
{
    if (rule->by_errno) {
        buf_add_string(out, "errno:");
        buf_add_int64(out, rule->number);
    } else {
        buf_add_string(out, row_status_name(rule->status));
    }
    buf_add_char(out, '=');
    if (rule->is_share)
        add_share(rule->most, out);
    else
        buf_add_uint64(out, rule->most);
}

bool halt_crossed(const struct halt *halt, struct buf *why)
{
    const struct halt_rule *rule = halt->crossed;

    if (rule == NULL)
        return false;
    bool window = halt->crossed_in_window; /* which is full, or the run would have crossed */
    uint64_t bad = window ? rule->in_window : rule->in_run;
    uint64_t rows = window ? HALT_WINDOW : halt->ended;
    buf_add_string(why, "the rule ");
    add_rule(rule, why);
    buf_add_format(why,
                   window ? " was reached: %llu of the last %llu rows ended "
                          : " was reached: %llu of %llu rows ended ",
                   (unsigned long long)bad, (unsigned long long)rows);
    if (rule->by_errno)
        buf_add_format(why, "with errno %lld", (long long)rule->number);
    else
        buf_add_format(why, "as %s", row_status_name(rule->status));
    return true;
}
