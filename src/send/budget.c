#include "send/budget.h"

void budget_init(struct budget *budget, int64_t now_ms)
{
    *budget = (struct budget){.tokens = BUDGET_TOKENS_MAX, .trickle_ms = now_ms};
}

int64_t budget_next_ms(const struct budget *budget, int64_t now_ms)
{
    if (budget->tokens >= BUDGET_RETRY_COST || now_ms >= budget->trickle_ms)
        return 0;
    return budget->trickle_ms;
}

void budget_take(struct budget *budget, int64_t now_ms)
{
    if (budget->tokens >= BUDGET_RETRY_COST)
        budget->tokens -= BUDGET_RETRY_COST;
    else
        budget->unpaid++;
    budget->trickle_ms = now_ms + BUDGET_TRICKLE_MS;
}

static void add_tokens(struct budget *budget, int count)
{
    budget->tokens += count;
    if (budget->tokens > BUDGET_TOKENS_MAX)
        budget->tokens = BUDGET_TOKENS_MAX;
}

void budget_refund(struct budget *budget)
{
    add_tokens(budget, BUDGET_RETRY_COST);
}

void budget_return(struct budget *budget)
{
    add_tokens(budget, BUDGET_SUCCESS_RETURN);
}
