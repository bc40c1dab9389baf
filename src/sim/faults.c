#include "sim/faults.h"

#include "core/text.h"

/* Exact names come before those with a number, since http-503-retry-after is both. */
const struct fault_kind fault_kinds[] = {
    {"close", FAULT_CLOSE, false, false, NULL, NULL, 0, 0,
     "the connection is closed without an answer"},
    {"close-after", FAULT_CLOSE, true, false, NULL, NULL, 0, 0, "the same, after processing"},
    {"reset", FAULT_RESET, false, false, NULL, NULL, 0, 0,
     "the connection is reset without an answer"},
    {"reset-after", FAULT_RESET, true, false, NULL, NULL, 0, 0, "the same, after processing"},
    {"silent", FAULT_SILENT, false, false, NULL, NULL, 0, 0, "no answer ever comes"},
    {"silent-after", FAULT_SILENT, true, false, NULL, NULL, 0, 0, "the same, after processing"},
    {"cut", FAULT_CUT, true, false, NULL, NULL, 0, 0,
     "processed; the connection is closed in the middle of the body"},
    {"garbage", FAULT_GARBAGE, true, false, NULL, NULL, 0, 0,
     "processed; the body is no JSON, with status 200"},
    {"envelope", FAULT_ENVELOPE, true, false, NULL, NULL, 0, 0,
     "processed; the body is JSON of a form that nobody knows, with status 200"},
    {"no-uuid", FAULT_NO_UUID, true, false, NULL, NULL, 0, 0,
     "processed; errno 0, but no uuid in it"},
    {"http-429-retry-after", FAULT_HTTP, false, true, NULL, NULL, 429, 429,
     "status 429 with Retry-After: 1"},
    {"http-503-retry-after", FAULT_HTTP, false, true, NULL, NULL, 503, 503,
     "status 503 with Retry-After: 1"},
    {"http-NNN", FAULT_HTTP, false, false, "http-", "", 400, 599, "that status (400-599)"},
    {"http-NNN-after", FAULT_HTTP, true, false, "http-", "-after", 400, 599,
     "the same, after processing"},
    {"errno-N", FAULT_ERRNO, false, false, "errno-", "", 1, 99999,
     "status 200 with that errno of the platform"},
    {"slow", FAULT_SLOW, true, false, NULL, NULL, 0, 0, "processed; the answer comes 1 s later"},
};
const size_t fault_kinds_count = ARRAY_LENGTH(fault_kinds);

static bool matches(const struct fault_kind *kind, struct span name, unsigned *ret_number)
{
    uint64_t number = 0;

    if (kind->prefix == NULL) {
        *ret_number = kind->min;
        return span_is(name, kind->name);
    }
    size_t before = strlen(kind->prefix), behind = strlen(kind->suffix);
    if (name.len <= before + behind || !span_starts_with(name, kind->prefix) ||
        !span_is(span_skip(name, name.len - behind), kind->suffix))
        return false;
    if (span_to_uint64(span_of(name.ptr + before, name.len - before - behind), &number) !=
            STATUS_OK ||
        number < kind->min || number > kind->max)
        return false;
    *ret_number = (unsigned)number;
    return true;
}

static const struct fault_kind *find_kind(struct span name, unsigned *ret_number)
{
    for (size_t i = 0; i < fault_kinds_count; i++)
        if (matches(&fault_kinds[i], name, ret_number))
            return &fault_kinds[i];
    return NULL;
}

static enum status refuse_kind(struct span name, struct buf *message)
{
    const char *names[ARRAY_LENGTH(fault_kinds)];

    for (size_t i = 0; i < fault_kinds_count; i++)
        names[i] = fault_kinds[i].name;
    const char *nearest = text_nearest(name, names, fault_kinds_count);
    buf_add_string(message, "there is no fault ");
    buf_add_quoted(message, name);
    if (nearest != NULL)
        buf_add_format(message, "; did you mean %s?", nearest);
    buf_add_string(message, nearest != NULL ? " The kinds are " : "; the kinds are ");
    for (size_t i = 0; i < fault_kinds_count; i++)
        buf_add_format(message, "%s%s", i > 0 ? ", " : "", names[i]);
    buf_add_string(message, " (NNN: 400 to 599)");
    return STATUS_USAGE;
}

bool faults_find(struct span name, struct fault *ret_fault)
{
    struct fault fault = {.kind = NULL};

    fault.kind = find_kind(name, &fault.number);
    if (fault.kind == NULL)
        return false;
    (void)snprintf(fault.name, sizeof(fault.name), "%.*s", SPAN_ARG(name));
    *ret_fault = fault;
    return true;
}

static double sum_of(const struct faults *faults)
{
    double sum = 0;
    for (size_t i = 0; i < faults->count; i++)
        sum += faults->items[i].probability;
    return sum;
}

enum status faults_add(struct faults *faults, struct span text, struct buf *message)
{
    struct fault fault = {.number = 0};
    size_t len = 0;

    while (len < text.len && text.ptr[len] != ':')
        len++;
    fault.kind = find_kind(span_of(text.ptr, len), &fault.number);
    if (fault.kind == NULL)
        return refuse_kind(span_of(text.ptr, len), message);
    if (len == text.len ||
        !chance_parse_probability(span_skip(text, len + 1), &fault.probability)) {
        buf_add_string(message, "give it a probability of 0 to 1 or in percent, such as ");
        buf_add(message, span_of(text.ptr, len));
        buf_add_string(message, ":0.01 or :1%");
        return STATUS_USAGE;
    }
    if (faults->count == FAULTS_MAX) {
        buf_add_format(message, "there are more than %d faults", FAULTS_MAX);
        return STATUS_USAGE;
    }
    if (sum_of(faults) + fault.probability > 1 + 1e-9) { /* ten times 0.1 is a little above 1 */
        buf_add_format(message, "the probabilities of all faults add up to %g; 1 is the most",
                       sum_of(faults) + fault.probability);
        return STATUS_USAGE;
    }
    (void)snprintf(fault.name, sizeof(fault.name), "%.*s", (int)len, text.ptr);
    faults->items[faults->count++] = fault;
    return STATUS_OK;
}

const struct fault *faults_draw(const struct faults *faults, struct prng *chance)
{
    if (faults->count == 0)
        return NULL;
    double left = chance_unit(chance);
    for (size_t i = 0; i < faults->count; i++) {
        if (left < faults->items[i].probability)
            return &faults->items[i];
        left -= faults->items[i].probability;
    }
    return NULL;
}

bool faults_hold_back(const struct faults *faults)
{
    for (size_t i = 0; i < faults->count; i++)
        if (faults->items[i].kind->effect == FAULT_SILENT ||
            faults->items[i].kind->effect == FAULT_SLOW)
            return true;
    return false;
}
