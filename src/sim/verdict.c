#include "sim/verdict.h"

/* What a proxy in front of the platform would say. */
static void make_http(struct platform_answer *answer, unsigned http)
{
    answer->http = http;
    buf_clear(&answer->body);
    buf_add_format(&answer->body,
                   "<html>\r\n<head><title>%u</title></head>\r\n<body>\r\n<center><h1>%u</h1>"
                   "</center>\r\n<hr><center>simulated</center>\r\n</body>\r\n</html>\r\n",
                   http, http);
}

static void make_body(struct platform_answer *answer, const char *text)
{
    buf_clear(&answer->body);
    buf_add_string(&answer->body, text);
}

void verdict_make(struct verdict *ret_verdict, struct platform_answer *answer,
                  const struct fault *fault)
{
    struct verdict verdict = {.ending = ENDING_ANSWER, .json = true};

    if (fault != NULL) {
        verdict.retry_after = fault->kind->retry_after;
        switch (fault->kind->effect) {
        case FAULT_CLOSE:
            verdict.ending = ENDING_CLOSE;
            break;
        case FAULT_RESET:
            verdict.ending = ENDING_RESET;
            break;
        case FAULT_SILENT:
            verdict.ending = ENDING_SILENT;
            break;
        case FAULT_CUT:
            verdict.ending = ENDING_CUT;
            break;
        case FAULT_GARBAGE:
            make_body(answer, answer->dialect == DIALECT_V1 ? "{\"errno\":0,\"error\":\"su\"c!}"
                                                            : "{\"code\":0,\"msg\":\"su\"c!}");
            answer->http = 200;
            break;
        case FAULT_ENVELOPE:
            make_body(answer, "{\"result\":\"success\",\"id\":\"1\"}");
            answer->http = 200;
            break;
        case FAULT_NO_UUID:
            if (answer->processed) /* what platform_refuse makes of 0 */
                platform_refuse(answer, 0, SPAN_LITERAL("succ"));
            break;
        case FAULT_HTTP:
            verdict.json = false;
            make_http(answer, fault->number);
            break;
        case FAULT_ERRNO:
            platform_refuse_by_number(answer, fault->number);
            break;
        case FAULT_SLOW:
            verdict.extra_delay_ms = FAULT_SLOW_MS;
            break;
        }
    }
    if (verdict.ending != ENDING_ANSWER && verdict.ending != ENDING_CUT)
        answer->http = 0;
    *ret_verdict = verdict;
}
