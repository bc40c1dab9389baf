/* What becomes of a row of the input: each ends in one of these. */
#ifndef NB_CORE_ROW_STATUS_H
#define NB_CORE_ROW_STATUS_H

/* X(name, text in the results) */
#define ROW_STATUS_MAP(X)   \
    X(ACCEPTED, "accepted") \
    X(REJECTED, "rejected") \
    X(FAILED, "failed")     \
    X(IN_DOUBT, "in_doubt") \
    X(INVALID, "invalid")

enum row_status {
#define X(name, text) ROW_##name,
    ROW_STATUS_MAP(X)
#undef X
        ROW_STATUS_COUNT
};

/* As the results have it. */
const char *row_status_name(enum row_status status);

#endif
