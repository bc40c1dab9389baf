/* The page's style sheet: report.css, which the build embeds (embed.cmake). */
#ifndef NB_REPORT_STYLE_H
#define NB_REPORT_STYLE_H

#include <stddef.h>

extern const char report_style[];
extern const size_t report_style_len;

#endif
