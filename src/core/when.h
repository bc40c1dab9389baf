/*
 * Points in time and durations as people write them. Epoch seconds throughout; no clock is read
 * here.
 *
 * The platform's own form has no zone: its clock is China Standard Time, UTC+8, without daylight
 * saving (platform/README.md, "Times").
 */
#ifndef NB_CORE_WHEN_H
#define NB_CORE_WHEN_H

#include "core/buf.h"

enum { WHEN_PLATFORM_OFFSET_S = 8 * 3600, WHEN_PLATFORM_LENGTH = 19 };

/*
 * Reads a time in one of three forms:
 *     2030-01-31T08:00:00            the platform's: UTC+8
 *     2030-01-31T08:00:00+02:00, …Z  RFC 3339 with an offset (a fraction of a second is dropped)
 *     +24h                           relative to `now_s`
 *
 * A space may stand for the T (as spreadsheets write it). STATUS_SYNTAX when it is none of them,
 * STATUS_RANGE for a day or hour that does not exist, STATUS_TOO_BIG for a time that the platform's
 * form cannot hold: outside the years 1970–9999 in UTC+8, or relative by more than a hundred years.
 */
enum status when_parse(struct span text, int64_t now_s, int64_t *ret_s) MUST_USE;

/* Whether when_parse drops a fraction of a second, other than 0, from such a time. */
bool when_drops_fraction(struct span text);
/* Whether a text that is a time is one of the last form. */
static inline bool when_is_relative(struct span text)
{
    return text.len > 0 && text.ptr[0] == '+';
}

/* Whether a time lies in the years that can be written. */
bool when_is_writable(int64_t epoch_s);

/* Writes the platform's form, WHEN_PLATFORM_LENGTH characters and a NUL. `epoch_s` lies in the
 * years 1970–9999. */
void when_format_platform(int64_t epoch_s, char out[WHEN_PLATFORM_LENGTH + 1]);

/* Writes RFC 3339 UTC with milliseconds: 2030-01-31T00:00:00.000Z, 24 characters and a NUL. */
enum { WHEN_UTC_LENGTH = 24 };
void when_format_utc(int64_t epoch_ms, char out[WHEN_UTC_LENGTH + 1]);

/* Reads what when_format_utc has written, in milliseconds, without a look at its form: the digits
 * must be where that puts them. Days and hours that do not exist are counted on. */
int64_t when_read_utc(const char text[WHEN_UTC_LENGTH]);

/*
 * Reads a duration: digits and a unit, one of ms, s, m, h, d ("500ms", "30s", "5m", "24h", "7d"). A
 * plain 0 is a duration too. Result in milliseconds. STATUS_SYNTAX, or STATUS_RANGE above a hundred
 * years.
 */
enum status when_parse_duration(struct span text, int64_t *ret_ms) MUST_USE;

/* Appends a time that people can grasp: "2h 47m", "12s". */
void when_add_duration(double seconds, struct buf *out);

#endif
