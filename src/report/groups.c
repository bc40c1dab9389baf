#include "report/groups.h"

#include "core/buf.h"

/* FNV-1a over the text with one 0 for each number in it. */
static uint64_t hash_of(struct span text)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < text.len; i++) {
        bool is_number = is_digit(text.ptr[i]);
        if (is_number && i > 0 && is_digit(text.ptr[i - 1]))
            continue;
        hash = (hash ^ (unsigned char)(is_number ? '0' : text.ptr[i])) * 0x100000001b3u;
    }
    return hash;
}

static bool is_alike(const struct group *group, const struct reason *reason, uint64_t text_hash)
{
    const struct reason *own = &group->reason;

    return own->status == reason->status && own->has_errno == reason->has_errno &&
           own->platform_errno == reason->platform_errno &&
           own->http_status == reason->http_status && group->text_hash == text_hash;
}

static struct group *find(struct groups *groups, const struct reason *reason)
{
    struct advice advice = advice_of(reason);
    bool by_code = reason->status == ROW_INVALID && advice.name != NULL;
    uint64_t hash = hash_of(by_code ? span_string(advice.name) : reason->text);

    for (size_t i = 0; i < groups->count; i++)
        if (is_alike(&groups->items[i], reason, hash))
            return &groups->items[i];
    if (groups->count == GROUPS_MAX)
        return NULL;
    struct group *group = &groups->items[groups->count++];
    group->reason = *reason;
    group->reason.text = span_of(NULL, 0);
    group->text_hash = hash;
    group->advice = advice;
    return group;
}

void groups_add(struct groups *groups, const struct reason *reason, uint64_t row, uint64_t line,
                struct span imei)
{
    struct group *group = find(groups, reason);

    if (group == NULL) {
        groups->others[reason->status]++;
        return;
    }
    group->count++;
    if (group->sample_count == GROUP_SAMPLES)
        return;
    struct group_sample *sample = &group->samples[group->sample_count++];
    sample->row = row;
    sample->line = line;
    buf_copy_printable(sample->imei, sizeof(sample->imei), imei);
    buf_copy_printable(sample->text, sizeof(sample->text), reason->text);
}

size_t groups_of(const struct groups *groups, enum row_status status,
                 const struct group *ret_items[GROUPS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < groups->count; i++) {
        const struct group *group = &groups->items[i];
        if (group->reason.status != status)
            continue;
        size_t at = count++;
        for (; at > 0 && ret_items[at - 1]->count < group->count; at--)
            ret_items[at] = ret_items[at - 1];
        ret_items[at] = group;
    }
    return count;
}
