#include "input/cell_text.h"

#include <math.h>
#include <strings.h>

enum {
    SECONDS_PER_DAY = 86400,
    DAYS_MAX = 2958465,      /* 9999-12-31 */
    DAYS_1904 = 1462,        /* of 1904-01-01 */
    DAY_THAT_NEVER_WAS = 60, /* 1900-02-29 */
    DAYS_TO_1970 = 25569,
    PLACES_MAX = 21,    /* of a fraction whose exponent is carried out, */
    WHOLE_MAX = 18,     /* of a number whose exponent is carried out */
    DOUBLE_DIGITS = 17, /* that name any double */
};

static bool parse_column(struct span *name, uint32_t *ret_column)
{
    uint32_t column = 0;
    size_t len = 0;

    for (; len < name->len && len < 3; len++) {
        char c = name->ptr[len];
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (c < 'A' || c > 'Z')
            break;
        column = column * 26 + (uint32_t)(c - 'A') + 1;
    }
    if (len == 0 || column > CELL_COLUMNS_MAX)
        return false;
    *name = span_skip(*name, len);
    *ret_column = column - 1;
    return true;
}

bool cell_name_parse(struct span name, uint32_t *ret_column, uint32_t *ret_row)
{
    uint32_t column = 0, row = 0;

    if (!parse_column(&name, &column) || name.len == 0 || name.len > 7)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (!is_digit(name.ptr[i]))
            return false;
        row = row * 10 + (uint32_t)(name.ptr[i] - '0');
    }
    if (row < 1 || row > CELL_ROWS_MAX)
        return false;
    *ret_column = column;
    *ret_row = row;
    return true;
}

bool cell_range_parse(struct span text, struct cell_range *ret_range)
{
    const char *colon = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;
    size_t len = colon != NULL ? (size_t)(colon - text.ptr) : text.len;
    struct cell_range range;

    if (!cell_name_parse(span_of(text.ptr, len), &range.first_column, &range.first_row))
        return false;
    range.last_column = range.first_column;
    range.last_row = range.first_row;
    if (colon != NULL &&
        !cell_name_parse(span_skip(text, len + 1), &range.last_column, &range.last_row))
        return false;
    if (range.last_column < range.first_column || range.last_row < range.first_row)
        return false;
    *ret_range = range;
    return true;
}

void cell_name_write(uint32_t column, uint32_t row, char out[CELL_NAME_MAX])
{
    char letters[4];
    size_t at = sizeof(letters) - 1;

    letters[at] = '\0';
    for (uint32_t left = column + 1; left > 0 && at > 0; left = (left - 1) / 26)
        letters[--at] = (char)('A' + (left - 1) % 26);
    (void)snprintf(out, CELL_NAME_MAX, "%s%lu", letters + at, (unsigned long)row % 100000000);
}

void cell_range_write(const struct cell_range *range, char out[2 * CELL_NAME_MAX])
{
    char first[CELL_NAME_MAX], last[CELL_NAME_MAX];

    cell_name_write(range->first_column, range->first_row, first);
    cell_name_write(range->last_column, range->last_row, last);
    (void)snprintf(out, 2 * (size_t)CELL_NAME_MAX, "%s:%s", first, last);
}

/* A decimal number, taken apart: 0.digits × 10^point. */
struct decimal {
    bool is_negative, has_point, has_exponent;
    char digits[CELL_NUMBER_MAX]; /* without zeros in front */
    size_t count;
    int point;
};

static bool take_exponent(struct span text, struct decimal *number)
{
    int sign = 1, exponent = 0;

    if (text.len > 0 && (text.ptr[0] == '+' || text.ptr[0] == '-')) {
        sign = text.ptr[0] == '-' ? -1 : 1;
        text = span_skip(text, 1);
    }
    if (text.len == 0 || text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]))
            return false;
        exponent = exponent * 10 + (text.ptr[i] - '0');
    }
    number->has_exponent = true;
    number->point += sign * exponent;
    return true;
}

static bool take_apart(struct span text, struct decimal *number)
{
    bool has_digit = false;

    *number = (struct decimal){.count = 0};
    if (text.len > 0 && (text.ptr[0] == '+' || text.ptr[0] == '-')) {
        number->is_negative = text.ptr[0] == '-';
        text = span_skip(text, 1);
    }
    for (; text.len > 0; text = span_skip(text, 1)) {
        char c = text.ptr[0];
        if (c == '.' && !number->has_point) {
            number->has_point = true;
            continue;
        }
        if (!is_digit(c))
            break;
        has_digit = true;
        if (number->count == 0 && c == '0') {
            number->point -= number->has_point;
            continue;
        }
        if (number->count == sizeof(number->digits) - 1)
            return false;
        number->digits[number->count++] = c;
        number->point += !number->has_point;
    }
    if (!has_digit)
        return false;
    return text.len == 0 || ((text.ptr[0] == 'e' || text.ptr[0] == 'E') &&
                             take_exponent(span_skip(text, 1), number));
}

/* Digits and point in their places. */
static void write_plain(const struct decimal *number, struct buf *out)
{
    int count = (int)number->count, point = number->point;

    if (point <= 0)
        buf_add_string(out, "0.");
    for (int i = point; i < 0; i++)
        buf_add_char(out, '0');
    for (int i = 0; i < count; i++) {
        if (i == point && i > 0)
            buf_add_char(out, '.');
        buf_add_char(out, number->digits[i]);
    }
    for (int i = count; i < point; i++)
        buf_add_char(out, '0');
}

static void write_exponent(const struct decimal *number, struct buf *out)
{
    buf_add_char(out, number->digits[0]);
    if (number->count > 1)
        buf_add_char(out, '.');
    buf_add(out, span_of(number->digits + 1, number->count - 1));
    buf_add_format(out, "E%+d", number->point - 1);
}

/* The shortest digits that name the same double. */
static void shorten(struct span stored, struct decimal *number)
{
    char text[CELL_NUMBER_MAX], shorter[64];

    (void)snprintf(text, sizeof(text), "%.*s", SPAN_ARG(stored));
    double value = strtod(text, NULL); /* the program's locale has its point where JSON has it */
    for (int digits = 15; digits <= DOUBLE_DIGITS && isfinite(value); digits++) {
        (void)snprintf(shorter, sizeof(shorter), "%.*e", digits - 1, value);
        if (strtod(shorter, NULL) == value) {
            (void)take_apart(span_string(shorter), number);
            break;
        }
    }
    while (number->count > 1 && number->digits[number->count - 1] == '0')
        number->count--;
}

bool cell_number_text(struct span stored, char out[CELL_NUMBER_MAX])
{
    struct decimal number;
    struct buf text;

    if (stored.len == 0 || stored.len >= CELL_NUMBER_MAX / 2)
        return false;
    size_t digits = 0;
    while (digits < stored.len && is_digit(stored.ptr[digits]))
        digits++;
    if (digits == stored.len) { /* most are */
        memcpy(out, stored.ptr, digits);
        out[digits] = '\0';
        return true;
    }
    if (!take_apart(stored, &number))
        return false;
    bool is_double = number.count == DOUBLE_DIGITS && (number.has_point || number.has_exponent);
    bool is_json = is_digit(stored.ptr[stored.ptr[0] == '-' && stored.len > 1]) &&
                   stored.ptr[stored.len - 1] != '.';
    if (!is_double && !number.has_exponent && is_json) {
        (void)snprintf(out, CELL_NUMBER_MAX, "%.*s", SPAN_ARG(stored));
        return true;
    }
    if (is_double)
        shorten(stored, &number);
    buf_init(&text, CELL_NUMBER_MAX - 1);
    if (number.is_negative)
        buf_add_char(&text, '-');
    int count = (int)number.count, point = number.point;
    bool is_short =
        point >= count ? point <= WHOLE_MAX : count - (point < 0 ? point : 0) <= PLACES_MAX;
    if (number.count == 0)
        buf_add_char(&text, '0');
    else if (!number.has_exponent || is_short)
        write_plain(&number, &text);
    else
        write_exponent(&number, &text);
    bool fits = text.status == STATUS_OK;
    (void)snprintf(out, CELL_NUMBER_MAX, "%s", buf_string(&text));
    buf_deinit(&text);
    return fits;
}

/* The day that is so many days behind 1970-01-01: Howard Hinnant's civil_from_days. */
static void write_day(int64_t days, int64_t seconds, char out[CELL_DATE_MAX])
{
    int64_t z = days + 719468, era = z / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153; /* the month, from March on */
    int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2);

    (void)snprintf(out, CELL_DATE_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year % 10000,
                   (int)month % 100, (int)(day_of_year - (153 * shifted + 2) / 5 + 1) % 100,
                   (int)(seconds / 3600) % 100, (int)(seconds / 60 % 60), (int)(seconds % 60));
}

bool cell_date_text(double days, bool is_1904, char out[CELL_DATE_MAX])
{
    if (!(days >= 0) || days > DAYS_MAX + 1)
        return false;
    int64_t all = (int64_t)floor(days * SECONDS_PER_DAY + 0.5);
    int64_t day = all / SECONDS_PER_DAY, seconds = all % SECONDS_PER_DAY;

    if (days < 1) {
        (void)snprintf(out, CELL_DATE_MAX, "%02d:%02d:%02d", (int)(all / 3600),
                       (int)(all / 60 % 60), (int)(all % 60));
        return true;
    }
    if (is_1904)
        day += DAYS_1904;
    if (day > DAYS_MAX)
        return false;
    write_day(day - DAYS_TO_1970 + (day < DAY_THAT_NEVER_WAS), seconds, out);
    if (day == DAY_THAT_NEVER_WAS)
        (void)snprintf(out, CELL_DATE_MAX, "1900-02-29T%02d:%02d:%02d", (int)(seconds / 3600),
                       (int)(seconds / 60 % 60), (int)(seconds % 60));
    return true;
}

/* So many digits as a number; -1 for others. */
static int digits_at(struct span text, size_t at, size_t count)
{
    int value = 0;

    for (size_t i = at; i < at + count; i++) {
        if (i >= text.len || !is_digit(text.ptr[i]))
            return -1;
        value = value * 10 + (text.ptr[i] - '0');
    }
    return value;
}

/* Days behind 1970-01-01 of a day that there is; the inverse of write_day. */
static int64_t day_number(int year, int month, int day)
{
    int64_t y = year - (month <= 2), era = y / 400, year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

bool cell_iso_date_text(struct span stored, char out[CELL_DATE_MAX])
{
    int year = digits_at(stored, 0, 4), month = digits_at(stored, 5, 2),
        day = digits_at(stored, 8, 2);
    int64_t seconds = 0;

    if (stored.len > 0 && stored.ptr[stored.len - 1] == 'Z')
        stored.len--;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > 31 || stored.ptr[4] != '-' ||
        stored.ptr[7] != '-')
        return false;
    if (stored.len > 10) {
        int hour = digits_at(stored, 11, 2), minute = digits_at(stored, 14, 2),
            second = digits_at(stored, 17, 2);
        if ((stored.ptr[10] != 'T' && stored.ptr[10] != ' ') || hour < 0 || hour > 24 ||
            minute < 0 || minute > 59 || second < 0 || second > 59 || stored.ptr[13] != ':' ||
            stored.ptr[16] != ':')
            return false;
        seconds = hour * 3600 + minute * 60 + second;
        if (stored.len > 19 &&
            (stored.ptr[19] != '.' ||
             digits_at(stored, 20, stored.len - 20 < 9 ? stored.len - 20 : 9) < 0))
            return false;
        seconds += stored.len > 20 && stored.ptr[20] >= '5';
    }
    int64_t days = day_number(year, month, day) + seconds / SECONDS_PER_DAY;
    write_day(days, seconds % SECONDS_PER_DAY, out);
    return true;
}

bool cell_format_id_is_date(uint32_t id)
{
    return (id >= 14 && id <= 22) || (id >= 27 && id <= 36) || (id >= 45 && id <= 47) ||
           (id >= 50 && id <= 58);
}

/* Whether brackets count time that has passed, [h] or [mm]; others are colours, conditions and
 * languages. */
static bool is_elapsed(const char *inside, size_t len)
{
    if (len == 0 || strchr("hHmMsS", inside[0]) == NULL)
        return false;
    for (size_t i = 1; i < len; i++)
        if ((inside[i] | 0x20) != (inside[0] | 0x20))
            return false;
    return true;
}

bool cell_format_is_date(const char *code)
{
    size_t len;

    if (strncasecmp(code, "general", 7) == 0)
        return false;
    for (const char *c = code; *c != '\0' && *c != ';'; c++) {
        switch (*c) {
        case '"':
            len = strcspn(c + 1, "\"");
            c += len + (c[len + 1] != '\0');
            break;
        case '\\': /* the character itself, */
        case '_':  /* a gap of its width, */
        case '*':  /* so many of it that the cell is full */
            c += c[1] != '\0';
            break;
        case '[':
            len = strcspn(c + 1, "]");
            if (is_elapsed(c + 1, len))
                return true;
            c += len + (c[len + 1] != '\0');
            break;
        default:
            if (strchr("dDmMyYhHsS", *c) != NULL)
                return true;
        }
    }
    return false;
}

static size_t write_utf8(unsigned code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* The code unit of an _xHHHH_ that is there; false for none. */
static bool escape_at(const struct buf *text, size_t at, unsigned *ret_unit)
{
    unsigned unit = 0;

    if (at + 7 > text->len || text->ptr[at] != '_' || text->ptr[at + 1] != 'x' ||
        text->ptr[at + 6] != '_')
        return false;
    for (size_t i = at + 2; i < at + 6; i++) {
        char c = text->ptr[i];
        if (!is_hex_digit(c))
            return false;
        unit = unit << 4 | (unsigned)(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    *ret_unit = unit;
    return true;
}

void cell_unescape(struct buf *text)
{
    size_t to = 0, from = 0;

    if (text->len < 7 || memmem(text->ptr, text->len, "_x", 2) == NULL)
        return;
    while (from < text->len) {
        unsigned unit = 0, low = 0;
        bool is_escape = escape_at(text, from, &unit);
        bool is_pair = is_escape && (unit & 0xfc00) == 0xd800 && escape_at(text, from + 7, &low) &&
                       (low & 0xfc00) == 0xdc00;
        if (!is_escape || ((unit & 0xf800) == 0xd800 && !is_pair)) {
            text->ptr[to++] = text->ptr[from++]; /* half a pair stays as it is written */
            continue;
        }
        if (is_pair)
            unit = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
        to += write_utf8(unit, text->ptr + to); /* shorter than what it stands for */
        from += is_pair ? 14 : 7;
    }
    text->len = to;
}

static bool is_layout(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void cell_trim_from(struct buf *text, size_t start)
{
    size_t from = start;

    while (text->len > start && is_layout(text->ptr[text->len - 1]))
        text->len--;
    while (from < text->len && is_layout(text->ptr[from]))
        from++;
    if (from == start)
        return;
    memmove(text->ptr + start, text->ptr + from, text->len - from);
    text->len -= from - start;
}
