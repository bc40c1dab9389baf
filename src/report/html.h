/* Text and numbers for an HTML page. Pure. */
#ifndef NB_REPORT_HTML_H
#define NB_REPORT_HTML_H

#include "core/buf.h"

/*
 * Appends text so that it is text and nothing else, between tags and within double quotes: the five
 * special characters as references, what is not printable as \n or \xNN.
 */
void html_add_text(struct span text, struct buf *out);
void html_add_string(const char *text, struct buf *out);

/* 12,345,678 */
void html_add_count(uint64_t count, struct buf *out);

/* 99.2 %; what is neither none nor all never looks like it: < 0.1 %, > 99.9 %. */
void html_add_share(uint64_t part, uint64_t whole, struct buf *out);

/* 850 µs, 12.5 ms, 1.25 s */
void html_add_latency(uint64_t us, struct buf *out);

/* 0.25 s, 12.5 s, 3 min 20 s, 2 h 5 min, 3 d 4 h */
void html_add_duration(double seconds, struct buf *out);

/* 0.12, 12.3, 1,234: a rate */
void html_add_rate(double rate, struct buf *out);

/* 1.5 KB, 230 MB, in steps of 1000 */
void html_add_bytes(uint64_t bytes, struct buf *out);

/* <time datetime="…">31 Jan 2026, 08:00:00 UTC</time> */
void html_add_time(int64_t epoch_ms, struct buf *out);

#endif
