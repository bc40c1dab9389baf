/* The texts of the HTML pages (page.html, load.html, delivery.html, report.css), which the build
 * embeds (embed.cmake). */
#ifndef NB_REPORT_EMBEDDED_H
#define NB_REPORT_EMBEDDED_H

#include <stddef.h>

extern const char page_html[];
extern const size_t page_html_len;
extern const char load_html[];
extern const size_t load_html_len;
extern const char delivery_html[];
extern const size_t delivery_html_len;
extern const char report_css[];
extern const size_t report_css_len;

#endif
