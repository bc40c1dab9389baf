#include <sys/random.h>

#include "sim/uuid.h"

enum { MARK_BYTES = 4 }; /* 00000000 */

static enum status refill(struct uuid_source *source)
{
    char *bytes = (char *)source->bytes;
    size_t got = 0;

    while (got < sizeof(source->bytes)) {
        ssize_t len = getrandom(bytes + got, sizeof(source->bytes) - got, 0);
        if (len <= 0)
            return STATUS_IO;
        got += (size_t)len;
    }
    source->left = UUIDS_PER_BATCH;
    return STATUS_OK;
}

enum status uuid_next(struct uuid_source *source, uint8_t ret_uuid[UUID_BYTES])
{
    if (source->left == 0) {
        enum status status = refill(source);
        if (status != STATUS_OK)
            return status;
    }
    memcpy(ret_uuid, source->bytes[--source->left], UUID_BYTES);
    memset(ret_uuid, 0, MARK_BYTES);
    ret_uuid[6] = (uint8_t)((ret_uuid[6] & 0x0f) | 0x40);
    ret_uuid[8] = (uint8_t)((ret_uuid[8] & 0x3f) | 0x80);
    return STATUS_OK;
}

bool uuid_is_simulated(struct span text)
{
    return span_starts_with(text, "00000000-");
}

void uuid_format(const uint8_t uuid[UUID_BYTES], char out[UUID_LENGTH + 1])
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = hex[uuid[i] >> 4];
        *out++ = hex[uuid[i] & 15];
    }
    *out = '\0';
}

static int digit_of(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool uuid_parse(struct span text, uint8_t ret_uuid[UUID_BYTES])
{
    uint8_t uuid[UUID_BYTES];
    char again[UUID_LENGTH + 1];
    struct span whole = text;
    size_t at = 0;

    if (text.len != UUID_LENGTH)
        return false;
    while (at < UUID_BYTES && text.len >= 2) {
        if (text.ptr[0] == '-') {
            text = span_skip(text, 1);
            continue;
        }
        int high = digit_of(text.ptr[0]), low = digit_of(text.ptr[1]);
        if (high < 0 || low < 0)
            return false;
        uuid[at++] = (uint8_t)(high << 4 | low);
        text = span_skip(text, 2);
    }
    if (at < UUID_BYTES)
        return false;
    uuid_format(uuid, again); /* with the hyphens in their places */
    if (!span_is(whole, again))
        return false;
    memcpy(ret_uuid, uuid, UUID_BYTES);
    return true;
}
