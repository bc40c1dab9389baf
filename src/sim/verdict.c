#include "sim/verdict.h"

#include "platform/meaning.h"

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

static void make_errno(struct platform_answer *answer, unsigned number)
{
    const struct meaning *known = meaning_of_number(number);
    platform_refuse(answer, number, span_string(known != NULL ? known->name : "simulated error"));
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
            make_body(answer, "{\"errno\":0,\"error\":\"su\"c!}");
            answer->http = 200;
            break;
        case FAULT_NO_UUID:
            if (answer->processed)
                make_body(answer, "{\"errno\":0,\"error\":\"succ\"}");
            break;
        case FAULT_HTTP:
            verdict.json = false;
            make_http(answer, fault->number);
            break;
        case FAULT_ERRNO:
            make_errno(answer, fault->number);
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
