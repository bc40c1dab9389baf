/*
 * The rows of an input as an engine's source.
 *
 *     intake_source_init(&source, intake);
 *     job_run(&source.base, …);
 */
#ifndef NB_ENGINE_INTAKE_SOURCE_H
#define NB_ENGINE_INTAKE_SOURCE_H

#include "engine/intake.h"
#include "engine/row_source.h"

struct intake_source {
    struct row_source base; /* first: the driver hands it back */
    struct intake *intake;
    bool started; /* the header has been read */
};

/* The intake is at its first byte, and stays the caller's. */
void intake_source_init(struct intake_source *source, struct intake *intake);

#endif
