/*
 * Guards of the sources that can be switched off, each as if its function had been left out: for
 * the negative controls. The linker sends the calls here (--wrap).
 */
#include "input/seal.h"
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
