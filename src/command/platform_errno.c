#include "command/platform_errno.h"

static const struct platform_errno entries[] = {
    {0, "succ", "accepted", "nothing to do", false},
    {1, "auth failed", "the api-key does not match the imei",
     "use the MasterKey of the product that the device belongs to", false},
    {3, "parameter required", "the body is missing or malformed", "run nbatch check on the input",
     false},
    {7, "service internal error", "internal backlog of the platform", "send the row again later",
     true},
    {15, "api freq out of limit", "too many requests", "send more slowly, then send the row again",
     true},
    {2001, "device not online", "only immediate commands need the device online",
     "use cached commands, or wait for the device", false},
    {5006, "system logic limit",
     "a documented limit was crossed, such as ten commands waiting per device",
     "wait until the device has fetched its commands, or cancel some", false},
    {5106, "UNSUCESS", "the device refused the command", "look at the command's confirm_status",
     false},
    {5108, "invalid parameter", "the platform does not take one of the values",
     "compare the row with the device's object model", false},
    {5117, "rpc error", "internal fault of the platform", "send the row again", true},
};

const struct platform_errno *platform_errno_find(int64_t number)
{
    for (size_t i = 0; i < ARRAY_LENGTH(entries); i++)
        if (entries[i].number == number)
            return &entries[i];
    return NULL;
}

const struct platform_errno *platform_errno_all(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(entries);
    return entries;
}
