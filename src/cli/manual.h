/* The prose of the manual pages, nbatch*.text in English and nbatch*.zh.text in Chinese, which the
 * build embeds (report/embed.cmake). Private to cli/. */
#ifndef NB_CLI_MANUAL_H
#define NB_CLI_MANUAL_H

#include <stddef.h>

extern const char nbatch_text[];
extern const size_t nbatch_text_len;
extern const char nbatch_zh_text[];
extern const size_t nbatch_zh_text_len;
extern const char nbatch_input_text[];
extern const size_t nbatch_input_text_len;
extern const char nbatch_input_zh_text[];
extern const size_t nbatch_input_zh_text_len;
extern const char nbatch_results_text[];
extern const size_t nbatch_results_text_len;
extern const char nbatch_results_zh_text[];
extern const size_t nbatch_results_zh_text_len;

#endif
