/*
 * What a client gets to see of an answer: the platform's answer, bent by a fault. Pure.
 *
 *     verdict_make(&verdict, &answer, fault);
 */
#ifndef NB_SIM_VERDICT_H
#define NB_SIM_VERDICT_H

#include "sim/faults.h"
#include "sim/platform.h"

enum ending {
    ENDING_ANSWER,
    ENDING_CUT,    /* half of the body, then the connection is closed */
    ENDING_CLOSE,  /* FIN, without a byte */
    ENDING_RESET,  /* RST, without a byte */
    ENDING_SILENT, /* nothing, until the client goes */
};

struct verdict {
    enum ending ending;
    bool json;        /* the body's content type: JSON, otherwise HTML */
    bool retry_after; /* with Retry-After: 1 */
    int64_t extra_delay_ms;
};

/*
 * Bends `answer` as `fault` (or NULL) says: status, errno and body are changed in place. For a
 * fault that comes before processing, `answer` is an empty one.
 */
void verdict_make(struct verdict *ret_verdict, struct platform_answer *answer,
                  const struct fault *fault);

#endif
