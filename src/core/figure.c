#include "core/figure.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/language.h"

enum { GROUPED_FROM = 10000 };

struct figure figure(uint64_t count)
{
    struct figure figure = {""};
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, count);
    size_t at = 0;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0 && count >= GROUPED_FROM)
            figure.text[at++] = ',';
        figure.text[at++] = digits[i];
    }
    return figure;
}

struct figure figure_rate(double per_s, const char *what)
{
    static const struct {
        double per_s;
        char unit;
    } units[] = {{1, 's'}, {60, 'm'}, {3600, 'h'}};
    size_t i = 0;

    while (i + 1 < ARRAY_LENGTH(units) && per_s > 0 && per_s * units[i].per_s < 0.995)
        i++;
    double rate = per_s * units[i].per_s;
    bool is_whole = rate >= 9.95 || rate - (double)(uint64_t)rate < 0.05;
    struct figure number = figure((uint64_t)(rate + 0.5)), shown;
    if (!is_whole)
        (void)snprintf(number.text, sizeof(number.text), "%.1f", rate);
    (void)snprintf(shown.text, sizeof(shown.text), "%.20s%.20s/%c", number.text, language_of(what),
                   units[i].unit);
    return shown;
}
