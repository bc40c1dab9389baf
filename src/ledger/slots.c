/*
 * The live record's rows: a slot for each that is under way, marked before a request leaves.
 *
 * What identifies the row is stored first, and made valid by one store of `state`, which counts the
 * requests before and holds a checksum of all. The slot is freed by one store too. Free slots are
 * not zeros: zeros are what a disk has that lost a page.
 *
 * Each page begins with a stamp, the sequence of the snapshot that is about to be written. Where a
 * page is found that is older than the newest snapshot, the disk has lost what was stored in it
 * since, and the live record is not believed.
 */
#include <assert.h>

#include "ledger/journal_impl.h"

/* A row that is under way. state: free, or started and counts (low half) and a checksum (high
 * half). */
struct slot {
    uint64_t state;
    struct row_id id;
};

enum { SLOT_CHECKED = offsetof(struct row_id, occurrence) + sizeof(uint32_t) };

static_assert(offsetof(struct row_id, device) == 8 && offsetof(struct row_id, row) == 16 &&
                  offsetof(struct row_id, line) == 24 && SLOT_CHECKED == 36 &&
                  sizeof(struct slot) == 48,
              "journals of earlier versions are read");

/* A page of slots. */
struct slot_page {
    uint64_t stamp; /* sequence (low) and a checksum (high) */
    uint64_t unused;
    struct slot slots[];
};

enum { SLOTS_PER_PAGE = (JOURNAL_PAGE - sizeof(struct slot_page)) / sizeof(struct slot) };

enum { SLOT_STARTED = 1, SLOT_SENT_SHIFT = 1, SLOT_AMBIGUOUS_SHIFT = 16, SLOT_COUNT_MAX = 0x7fff };

static const uint32_t slot_free_bit = UINT32_C(1) << 31;

static uint32_t slot_pages(const struct journal_shape *shape)
{
    return (shape->slots + SLOTS_PER_PAGE - 1) / SLOTS_PER_PAGE;
}

size_t journal_slots_bytes(const struct journal_shape *shape, uint32_t version)
{
    return version == JOURNAL_VERSION_1 ? journal_round_up(shape->slots * sizeof(struct slot))
                                        : (size_t)slot_pages(shape) * JOURNAL_PAGE;
}

static struct slot_page *slot_page(const struct journal *journal, uint32_t page)
{
    return (struct slot_page *)(void *)(journal->slots + (size_t)page * JOURNAL_PAGE);
}

static struct slot *slot_at(const struct journal *journal, uint32_t number)
{
    if (journal->version == JOURNAL_VERSION_1)
        return (struct slot *)(void *)journal->slots + number;
    return &slot_page(journal, number / SLOTS_PER_PAGE)->slots[number % SLOTS_PER_PAGE];
}

/* A page of another journal, or of another place, is none of this one's. */
static uint64_t seed_of(const struct journal *journal, uint32_t number)
{
    return journal->run_id ^ (uint64_t)number << 32;
}

static uint64_t slot_state(const struct journal *journal, uint32_t number, uint32_t low)
{
    uint64_t seed = journal->version == JOURNAL_VERSION_1 ? low : seed_of(journal, number) + low;

    return (uint64_t)journal_check(&slot_at(journal, number)->id, SLOT_CHECKED, seed) << 32 | low;
}

static uint64_t free_state(const struct journal *journal, uint32_t number)
{
    if (journal->version == JOURNAL_VERSION_1)
        return 0;
    return (uint64_t)journal_check(&number, sizeof(number), journal->run_id) << 32 | slot_free_bit;
}

static uint64_t stamp_of(const struct journal *journal, uint32_t page, uint64_t sequence)
{
    uint32_t low = (uint32_t)sequence;

    return (uint64_t)journal_check(&low, sizeof(low), seed_of(journal, page) + 1) << 32 | low;
}

void journal_stamp(struct journal *journal, uint64_t sequence)
{
    for (uint32_t i = 0; i < slot_pages(&journal->shape); i++)
        __atomic_store_n(&slot_page(journal, i)->stamp, stamp_of(journal, i, sequence),
                         __ATOMIC_RELEASE);
}

bool journal_is_fresh(const struct journal *journal, uint64_t sequence)
{
    if (journal->version == JOURNAL_VERSION_1)
        return true;
    for (uint32_t i = 0; i < slot_pages(&journal->shape); i++) {
        uint64_t stamp = slot_page(journal, i)->stamp;
        /* The low halves are compared as counters that may have gone round. */
        if (stamp != stamp_of(journal, i, stamp) ||
            (int32_t)((uint32_t)stamp - (uint32_t)sequence) < 0)
            return false;
    }
    return true;
}

static uint32_t slot_count(uint16_t count)
{
    return count < SLOT_COUNT_MAX ? count : SLOT_COUNT_MAX;
}

void journal_mark(struct journal *journal, uint32_t slot_number, const struct intent *intent)
{
    struct slot *slot = slot_at(journal, slot_number);

    if (slot->state == free_state(journal, slot_number))
        slot->id = intent->id;
    uint32_t low = SLOT_STARTED | slot_count(intent->sent) << SLOT_SENT_SHIFT |
                   slot_count(intent->ambiguous) << SLOT_AMBIGUOUS_SHIFT;
    __atomic_store_n(&slot->state, slot_state(journal, slot_number, low), __ATOMIC_RELEASE);
}

void journal_unmark(struct journal *journal, uint32_t slot)
{
    __atomic_store_n(&slot_at(journal, slot)->state, free_state(journal, slot), __ATOMIC_RELEASE);
}

enum status journal_read_slot(const struct journal *journal, uint32_t slot_number, bool *ret_taken,
                              struct intent *ret_intent, struct buf *message)
{
    const struct slot *slot = slot_at(journal, slot_number);
    uint32_t low = (uint32_t)slot->state;

    *ret_taken = slot->state != free_state(journal, slot_number);
    if (!*ret_taken)
        return STATUS_OK;
    if ((low & SLOT_STARTED) == 0 || slot->state != slot_state(journal, slot_number, low))
        return journal_say_damaged(journal, (size_t)((const unsigned char *)slot - journal->map),
                                   "a row that was under way", message);
    *ret_intent = (struct intent){
        .id = slot->id,
        .sent = (uint16_t)(low >> SLOT_SENT_SHIFT & SLOT_COUNT_MAX),
        .ambiguous = (uint16_t)(low >> SLOT_AMBIGUOUS_SHIFT & SLOT_COUNT_MAX),
    };
    return STATUS_OK;
}
