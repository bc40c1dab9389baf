/*
 * Guards of the sources that can be switched off, each as if its function had been left out: for
 * the negative controls. The linker sends the calls here (--wrap).
 */
#include "input/seal.h"
#include "ledger/doubt.h"
#include "platform/uuid_memory.h"
#include "send/budget.h"
#include "sim_world.h"

bool __real_seals_match(const struct seals *seals, size_t index, struct span block);
bool __wrap_seals_match(const struct seals *seals, size_t index, struct span block);
enum uuid_seen __real_uuid_memory_add(struct uuid_memory *memory, struct span uuid,
                                      uint64_t request);
enum uuid_seen __wrap_uuid_memory_add(struct uuid_memory *memory, struct span uuid,
                                      uint64_t request);
int64_t __real_budget_next_ms(const struct budget *budget, int64_t now_ms);
int64_t __wrap_budget_next_ms(const struct budget *budget, int64_t now_ms);
void __real_budget_take(struct budget *budget, int64_t now_ms);
void __wrap_budget_take(struct budget *budget, int64_t now_ms);

enum status __real_likeness_of_entry(struct span answer, const struct likeness_request *request,
                                     enum likeness *ret_likeness);
enum status __wrap_likeness_of_entry(struct span answer, const struct likeness_request *request,
                                     enum likeness *ret_likeness);
enum status __real_known_commands_add(struct known_commands *known, uint64_t device,
                                      struct span uuid);
enum status __wrap_known_commands_add(struct known_commands *known, uint64_t device,
                                      struct span uuid);
enum status __real_known_commands_own(struct known_commands *known, struct span uuid);
enum status __wrap_known_commands_own(struct known_commands *known, struct span uuid);
enum search_step __real_history_search_take(struct history_search *search, struct span body,
                                            const char *error);
enum search_step __wrap_history_search_take(struct history_search *search, struct span body,
                                            const char *error);

enum status __wrap_likeness_of_entry(struct span answer, const struct likeness_request *request,
                                     enum likeness *ret_likeness)
{
    if (!sim_is_broken(BREAK_STRICT) && !sim_is_broken(BREAK_LOOSE))
        return __real_likeness_of_entry(answer, request, ret_likeness);
    *ret_likeness = sim_is_broken(BREAK_STRICT) ? LIKENESS_DIFFERENT : LIKENESS_EQUAL;
    return STATUS_OK;
}

enum status __wrap_known_commands_add(struct known_commands *known, uint64_t device,
                                      struct span uuid)
{
    return sim_is_broken(BREAK_CLAIM) ? STATUS_OK : __real_known_commands_add(known, device, uuid);
}

enum status __wrap_known_commands_own(struct known_commands *known, struct span uuid)
{
    return sim_is_broken(BREAK_CLAIM) ? STATUS_OK : __real_known_commands_own(known, uuid);
}

enum search_step __wrap_history_search_take(struct history_search *search, struct span body,
                                            const char *error)
{
    enum search_step step = __real_history_search_take(search, body, error);

    return sim_is_broken(BREAK_LOOK) && step == SEARCH_LATER ? SEARCH_END : step;
}

void __real_doubt_file_append(struct doubt_file *file, const struct doubt *doubt);
void __wrap_doubt_file_append(struct doubt_file *file, const struct doubt *doubt);

void __wrap_doubt_file_append(struct doubt_file *file, const struct doubt *doubt)
{
    struct doubt kept = *doubt;

    if (sim_is_broken(BREAK_KEPT))
        kept.operation = ACTION_READ;
    if (!sim_is_broken(BREAK_DOUBT))
        __real_doubt_file_append(file, &kept);
}

bool __wrap_seals_match(const struct seals *seals, size_t index, struct span block)
{
    return sim_is_broken(BREAK_SEAL) || __real_seals_match(seals, index, block);
}

enum uuid_seen __wrap_uuid_memory_add(struct uuid_memory *memory, struct span uuid,
                                      uint64_t request)
{
    return sim_is_broken(BREAK_UUID) ? UUID_NEW : __real_uuid_memory_add(memory, uuid, request);
}

int64_t __wrap_budget_next_ms(const struct budget *budget, int64_t now_ms)
{
    return sim_is_broken(BREAK_BUDGET) ? 0 : __real_budget_next_ms(budget, now_ms);
}

void __wrap_budget_take(struct budget *budget, int64_t now_ms)
{
    if (!sim_is_broken(BREAK_BUDGET))
        __real_budget_take(budget, now_ms);
}
