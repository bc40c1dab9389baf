/*
 * The live record's lines: those that are kept, and not written to the results yet.
 *
 * There are two halves. One is in use: it says how long the results are (`base`), and holds the
 * lines behind that. When these have been written, the other half is filled in with the new base
 * and no lines, and one store (`active`) makes it the one in use. So the two are never mixed: a
 * process that dies before that store leaves lines that are in the results already (recovery finds
 * the beginning of them behind `base`), and after it none.
 *
 * A line is copied behind the others first; then a word says that there is no further line, and
 * then the one before it, with length and checksum, makes the line valid. A line that is larger
 * than the room goes straight into the results: its word is announced, with the checksum of what
 * is about to be there, so that recovery can tell the whole line from a part of it.
 */
#include "ledger/journal_impl.h"

/* A half of the stage; behind it words[stage_lines + 1], each length (low) and checksum (high) of a
 * line, up to one that says that there are no more; then the lines themselves. The first word may
 * announce a line that is not among them (announced_bit in its length). The checksums are of the
 * half's generation too, so that words of an earlier one are none. */
struct half {
    uint64_t base;
    uint64_t base_hash;
    uint32_t generation;
    uint32_t check; /* of the above */
    uint64_t words[];
};

static const uint32_t announced_bit = UINT32_C(1) << 31; /* no line is so long */

size_t journal_half_bytes(const struct journal_shape *shape)
{
    return journal_round_up(sizeof(struct half) + (shape->stage_lines + 1) * sizeof(uint64_t) +
                            shape->stage_bytes);
}

static uint64_t active_word(uint32_t generation)
{
    return (uint64_t)journal_check(&generation, sizeof(generation), JOURNAL_SEED) << 32 |
           generation;
}

static uint32_t half_check(const struct half *half)
{
    return journal_check(half, offsetof(struct half, check), JOURNAL_SEED);
}

static unsigned char *stage_bytes(const struct journal *journal, const struct half *half)
{
    return (unsigned char *)half + sizeof(struct half) +
           (journal->shape.stage_lines + 1) * sizeof(uint64_t);
}

/* What a word's checksum depends on beside the line. */
static uint64_t word_seed(const struct journal *journal, const struct half *half, uint32_t low)
{
    return journal->version == JOURNAL_VERSION_1
               ? low
               : (journal->run_id ^ (uint64_t)half->generation << 32) + low;
}

/* The word behind the last line. */
static uint64_t end_word(const struct journal *journal, const struct half *half)
{
    const uint32_t end = 0;

    return journal->version == JOURNAL_VERSION_1
               ? 0
               : (uint64_t)journal_check(&end, sizeof(end), word_seed(journal, half, end)) << 32 |
                     end;
}

void journal_turn(struct journal *journal, uint64_t base, uint64_t base_hash)
{
    uint32_t generation = journal->generation + 1;
    struct half *half = journal->halves[generation % 2];

    journal->lines = 0;
    half->base = base;
    half->base_hash = base_hash;
    half->generation = generation;
    half->check = half_check(half);
    half->words[0] = end_word(journal, half);
    __atomic_store_n(journal->active, active_word(generation), __ATOMIC_RELEASE);
    journal->generation = generation;
    journal->staged_bytes = 0;
}

/* Puts a word behind the others: that it is the last one is stored first. */
static void put_word(struct journal *journal, struct half *half, uint64_t word)
{
    uint32_t at = journal->lines++;

    __atomic_store_n(&half->words[at + 1], end_word(journal, half), __ATOMIC_RELEASE);
    __atomic_store_n(&half->words[at], word, __ATOMIC_RELEASE);
}

bool journal_stage(struct journal *journal, struct span line)
{
    struct half *half = journal->halves[journal->generation % 2];

    if (journal->lines >= journal->shape.stage_lines ||
        line.len > journal->shape.stage_bytes - journal->staged_bytes)
        return false;
    memcpy(stage_bytes(journal, half) + journal->staged_bytes, line.ptr, line.len);
    uint32_t low = (uint32_t)line.len;
    put_word(journal, half,
             (uint64_t)journal_check(line.ptr, line.len, word_seed(journal, half, low)) << 32 |
                 low);
    journal->staged_bytes += (uint32_t)line.len;
    return true;
}

void journal_announce(struct journal *journal, struct span line)
{
    struct half *half = journal->halves[journal->generation % 2];
    uint32_t low = announced_bit | (uint32_t)line.len;

    put_word(journal, half,
             (uint64_t)journal_check(line.ptr, line.len, word_seed(journal, half, low)) << 32 |
                 low);
}

bool journal_is_announced(const struct journal_live *live, struct span line)
{
    return line.len == live->announced &&
           journal_check(line.ptr, line.len, live->announced_seed) == live->announced_check;
}

struct span journal_staged(const struct journal *journal)
{
    const struct half *half = journal->halves[journal->generation % 2];

    return span_of((const char *)stage_bytes(journal, half), journal->staged_bytes);
}

/* Looks at the lines of a half, and sets how much of it is in use. */
static enum status verify_stage(const struct journal *journal, const struct half *half,
                                struct journal_live *live, struct buf *message)
{
    const char *bytes = (const char *)stage_bytes(journal, half);
    size_t offset = (size_t)((const unsigned char *)half - journal->map);
    uint32_t used = 0, lines = 0;
    uint64_t first = half->words[0], announcement = (first & announced_bit) != 0 ? first : 0;
    uint64_t end = end_word(journal, half);

    if (announcement != 0)
        lines = 1;
    for (; lines <= journal->shape.stage_lines && half->words[lines] != end; lines++) {
        uint32_t len = (uint32_t)half->words[lines];
        if (lines == journal->shape.stage_lines || len > journal->shape.stage_bytes - used ||
            journal_check(bytes + used, len, word_seed(journal, half, len)) !=
                half->words[lines] >> 32)
            return journal_say_damaged(journal, offset, "a line that waits for the results",
                                       message);
        used += len;
    }
    *live =
        (struct journal_live){.base = half->base,
                              .base_hash = half->base_hash,
                              .staged = span_of(bytes, used),
                              .lines = announcement != 0 ? lines - 1 : lines,
                              .announced = (uint32_t)announcement & ~announced_bit,
                              .announced_check = (uint32_t)(announcement >> 32),
                              .announced_seed = word_seed(journal, half, (uint32_t)announcement)};
    return STATUS_OK;
}

enum status journal_read_live(const struct journal *journal, struct journal_live *ret_live,
                              struct buf *message)
{
    uint32_t generation = (uint32_t)*journal->active;
    const struct half *half = journal->halves[generation % 2];

    if (*journal->active != active_word(generation))
        return journal_say_damaged(journal, JOURNAL_PAGE, "which half is in use", message);
    if (half->generation != generation || half->check != half_check(half))
        return journal_say_damaged(journal, (size_t)((const unsigned char *)half - journal->map),
                                   "where the results end", message);
    return verify_stage(journal, half, ret_live, message);
}
