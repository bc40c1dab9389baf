#include "ledger/journal_impl.h"
#include "ledger/place.h"

#include <assert.h>
#include <errno.h>

enum {
    VERSION = 2,
    VERSION_1 = 1, /* no stamps, no mount; zeros are free slots and the end of the lines */
    SEED = 1,      /* of the checksums that both versions have */
    STAGE_FLUSH_LINES = 512,       /* as many as are written to the results at once … */
    STAGE_FLUSH_BYTES = 96 * 1024, /* … or so many bytes of them */
    STAGE_LINE_BYTES = 512,        /* of room for each row in flight, when the disk is full */
    STAGE_SPARE_BYTES = 16 * 1024,
    SLOTS_MIN = 2048,
    SLOTS_PER_PLACE = 8, /* rows that are read ahead (send/scheduler.h), or wait for a sync */
};

static const char magic[8] = {'N', 'B', 'J', 'R', 'N', 'L', '\r', '\n'};

/* All numbers are the machine's own: a journal is not carried to another kind of machine. */
struct header {
    char magic[8];
    uint32_t version;
    uint32_t check; /* of the header, with 0 in this place */
    uint64_t run_id;
    struct journal_shape shape;
    struct journal_about about;
};

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

static uint32_t check_of(const void *bytes, size_t len, uint64_t seed)
{
    return (uint32_t)XXH3_64bits_withSeed(bytes, len, seed);
}

struct journal_shape journal_shape_for(size_t concurrency)
{
    uint32_t places = (uint32_t)concurrency, slots = places * SLOTS_PER_PLACE;

    return (struct journal_shape){
        .slots = slots > SLOTS_MIN ? slots : SLOTS_MIN,
        .stage_lines = STAGE_FLUSH_LINES + places + 64,
        .stage_bytes = STAGE_FLUSH_BYTES + places * STAGE_LINE_BYTES + STAGE_SPARE_BYTES,
    };
}

static uint32_t slot_pages(const struct journal_shape *shape)
{
    return (shape->slots + SLOTS_PER_PAGE - 1) / SLOTS_PER_PAGE;
}

static size_t slots_bytes(const struct journal_shape *shape, uint32_t version)
{
    return version == VERSION_1 ? journal_round_up(shape->slots * sizeof(struct slot))
                                : (size_t)slot_pages(shape) * JOURNAL_PAGE;
}

static size_t half_bytes(const struct journal_shape *shape)
{
    return journal_round_up(sizeof(struct half) + (shape->stage_lines + 1) * sizeof(uint64_t) +
                            shape->stage_bytes);
}

size_t journal_live_bytes(const struct journal_shape *shape, uint32_t version)
{
    return 2 * JOURNAL_PAGE + slots_bytes(shape, version) + 2 * half_bytes(shape);
}

static uint64_t size_of(const struct journal_shape *shape, uint32_t version)
{
    return journal_live_bytes(shape, version) + journal_snapshots_bytes(shape);
}

uint64_t journal_size(const struct journal_shape *shape)
{
    return size_of(shape, VERSION);
}

void journal_about_init(struct disk *disk, struct journal_about *about)
{
    struct disk_host host;

    disk->host(disk, &host);
    *about = (struct journal_about){.pid = host.pid, .started_ms = disk->now_ms(disk)};
    memcpy(about->boot_id, host.boot_id, sizeof(about->boot_id));
    memcpy(about->host, host.name, sizeof(about->host));
}

enum status journal_say(struct buf *message, const char *path, const char *what, int error)
{
    buf_add_printable(message, span_string(path));
    buf_add_format(message, ": %s%s%s", what, error != 0 ? ": " : "",
                   error != 0 ? strerror(error) : "");
    return STATUS_IO;
}

enum status journal_say_damaged(const struct journal *journal, size_t offset, const char *what,
                                struct buf *message)
{
    buf_add_printable(message, span_string(journal->path));
    buf_add_format(message, ": damaged at byte %zu (%s)", offset, what);
    return STATUS_SYNTAX;
}

static void place_parts(struct journal *journal)
{
    unsigned char *at = journal->map + 2 * JOURNAL_PAGE;

    journal->active = (uint64_t *)(void *)(journal->map + JOURNAL_PAGE);
    journal->settled = journal->active + 8;
    journal->slots = at;
    at += slots_bytes(&journal->shape, journal->version);
    journal->halves[0] = (struct half *)(void *)at;
    at += half_bytes(&journal->shape);
    journal->halves[1] = (struct half *)(void *)at;
}

static struct journal *new_journal(struct disk *disk, const char *path)
{
    struct journal *journal = calloc(1, sizeof(*journal));

    if (journal == NULL)
        return NULL;
    journal->disk = disk;
    journal->fd = journal->sync_fd = -1;
    journal->path = strdup(path);
    if (journal->path != NULL)
        return journal;
    free(journal);
    return NULL;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL)
        return;
    struct disk *disk = journal->disk;
    if (journal->map != NULL)
        disk->unmap(disk, journal->map, journal->map_size);
    if (journal->fd >= 0)
        (void)disk->close(disk, journal->fd);
    if (journal->sync_fd >= 0)
        (void)disk->close(disk, journal->sync_fd);
    free(journal->path);
    free(journal);
}

/* Maps header and live record. */
static enum status map(struct journal *journal, struct buf *message)
{
    journal->map_size = journal_live_bytes(&journal->shape, journal->version);
    journal->map = journal->disk->map(journal->disk, journal->fd, journal->map_size, true);
    if (journal->map == NULL)
        return journal_say(
            message, journal->path,
            "cannot be mapped into memory; put the results on a local disk (--output)", errno);
    place_parts(journal);
    return STATUS_OK;
}

static size_t header_size(uint32_t version)
{
    return version == VERSION_1
               ? offsetof(struct header, about) + offsetof(struct journal_about, mount)
               : sizeof(struct header);
}

static uint32_t header_check(const struct header *header)
{
    struct header copy = *header;

    copy.check = 0;
    return check_of(&copy, header_size(header->version), header->version);
}

static uint64_t active_word(uint32_t generation)
{
    return (uint64_t)check_of(&generation, sizeof(generation), SEED) << 32 | generation;
}

static uint32_t half_check(const struct half *half)
{
    return check_of(half, offsetof(struct half, check), SEED);
}

static unsigned char *stage_bytes(const struct journal *journal, const struct half *half)
{
    return (unsigned char *)half + sizeof(struct half) +
           (journal->shape.stage_lines + 1) * sizeof(uint64_t);
}

/* What a word's checksum depends on beside the line. */
static uint64_t word_seed(const struct journal *journal, const struct half *half, uint32_t low)
{
    return journal->version == VERSION_1
               ? low
               : (journal->run_id ^ (uint64_t)half->generation << 32) + low;
}

/* The word behind the last line. */
static uint64_t end_word(const struct journal *journal, const struct half *half)
{
    const uint32_t end = 0;

    return journal->version == VERSION_1
               ? 0
               : (uint64_t)check_of(&end, sizeof(end), word_seed(journal, half, end)) << 32 | end;
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
             (uint64_t)check_of(line.ptr, line.len, word_seed(journal, half, low)) << 32 | low);
    journal->staged_bytes += (uint32_t)line.len;
    return true;
}

static const uint32_t announced_bit = UINT32_C(1) << 31; /* no line is so long */

void journal_announce(struct journal *journal, struct span line)
{
    struct half *half = journal->halves[journal->generation % 2];
    uint32_t low = announced_bit | (uint32_t)line.len;

    put_word(journal, half,
             (uint64_t)check_of(line.ptr, line.len, word_seed(journal, half, low)) << 32 | low);
}

bool journal_is_announced(const struct journal_live *live, struct span line)
{
    return line.len == live->announced &&
           check_of(line.ptr, line.len, live->announced_seed) == live->announced_check;
}

struct span journal_staged(const struct journal *journal)
{
    const struct half *half = journal->halves[journal->generation % 2];

    return span_of((const char *)stage_bytes(journal, half), journal->staged_bytes);
}

enum { SLOT_STARTED = 1, SLOT_SENT_SHIFT = 1, SLOT_AMBIGUOUS_SHIFT = 16, SLOT_COUNT_MAX = 0x7fff };

static const uint32_t slot_free_bit = UINT32_C(1) << 31;

static struct slot_page *slot_page(const struct journal *journal, uint32_t page)
{
    return (struct slot_page *)(void *)(journal->slots + (size_t)page * JOURNAL_PAGE);
}

static struct slot *slot_at(const struct journal *journal, uint32_t number)
{
    if (journal->version == VERSION_1)
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
    uint64_t seed = journal->version == VERSION_1 ? low : seed_of(journal, number) + low;

    return (uint64_t)check_of(&slot_at(journal, number)->id, SLOT_CHECKED, seed) << 32 | low;
}

static uint64_t free_state(const struct journal *journal, uint32_t number)
{
    if (journal->version == VERSION_1)
        return 0;
    return (uint64_t)check_of(&number, sizeof(number), journal->run_id) << 32 | slot_free_bit;
}

static uint64_t stamp_of(const struct journal *journal, uint32_t page, uint64_t sequence)
{
    uint32_t low = (uint32_t)sequence;

    return (uint64_t)check_of(&low, sizeof(low), seed_of(journal, page) + 1) << 32 | low;
}

void journal_stamp(struct journal *journal, uint64_t sequence)
{
    for (uint32_t i = 0; i < slot_pages(&journal->shape); i++)
        __atomic_store_n(&slot_page(journal, i)->stamp, stamp_of(journal, i, sequence),
                         __ATOMIC_RELEASE);
}

bool journal_is_fresh(const struct journal *journal, uint64_t sequence)
{
    if (journal->version == VERSION_1)
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

/* Fills the file: header, halves, slots. */
static void fill(struct journal *journal, const struct journal_about *about,
                 const struct journal_live *live, uint64_t sequence, const struct intent *started,
                 size_t count)
{
    struct header *header = (struct header *)(void *)journal->map;

    memset(header, 0, sizeof(*header));
    memcpy(header->magic, magic, sizeof(magic));
    header->version = VERSION;
    header->run_id = journal->run_id;
    header->shape = journal->shape;
    header->about = *about;
    journal->disk->mount(journal->disk, journal->fd, &header->about.mount);
    header->check = header_check(header);
    for (uint32_t i = 0; i < journal->shape.slots; i++)
        journal_unmark(journal, i);
    journal_stamp(journal, sequence);
    for (size_t i = 0; i < count; i++)
        journal_mark(journal, (uint32_t)i, &started[i]);
    journal_turn(journal, live->base, live->base_hash);
}

static enum status allocate(struct journal *journal, const char *path, struct buf *message)
{
    struct disk *disk = journal->disk;
    uint64_t size = journal_size(&journal->shape);

    /* A name that a death has left, or somebody has put there: it is never written through. */
    (void)disk->unlink(disk, path);
    journal->fd = disk->open(disk, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (journal->fd < 0)
        return journal_say(message, path, "the journal cannot be created", errno);
    if (disk->allocate(disk, journal->fd, size) == 0)
        return map(journal, message);
    int error = errno;
    buf_add_printable(message, span_string(path));
    buf_add_format(message,
                   ": the journal needs %llu kB there: %s; make room, or name another "
                   "place with --output",
                   (unsigned long long)((size + 1023) / 1024), strerror(error));
    return STATUS_IO;
}

/* Makes what was written durable, and gives it its name. */
static enum status settle(struct journal *journal, const char *from, const struct snapshot *first,
                          struct buf *message)
{
    struct disk *disk = journal->disk;

    journal->sync_fd = disk->open(disk, from, O_WRONLY | O_DSYNC | O_NOFOLLOW, 0);
    if (journal->sync_fd < 0)
        return journal_say(message, from, "the journal cannot be opened", errno);
    if (journal_write_snapshot(journal, first) != STATUS_OK || disk->sync(disk, journal->fd) != 0)
        return journal_say(message, from, "the journal cannot be written", errno);
    if (disk->rename(disk, from, journal->path) != 0 || disk->sync_folder(disk, journal->path) != 0)
        return journal_say(message, journal->path, "the journal cannot be put in its place", errno);
    return STATUS_OK;
}

enum status journal_create(struct disk *disk, const char *path, const struct journal_about *about,
                           const struct journal_shape *shape, const struct journal_live *live,
                           const struct snapshot *snapshot, const struct intent *started,
                           size_t started_count, struct buf *message, struct journal **ret_journal)
{
    struct journal *journal = new_journal(disk, path);
    struct buf name;

    if (journal == NULL) {
        buf_add_string(message, status_text(STATUS_NO_MEMORY));
        return STATUS_NO_MEMORY;
    }
    buf_init(&name, 64 * 1024);
    buf_add_format(&name, "%s.new", path);
    journal->shape = *shape;
    journal->version = VERSION;
    journal->run_id = disk->random(disk);
    enum status status = allocate(journal, buf_string(&name), message);
    if (status == STATUS_OK) {
        fill(journal, about, live, snapshot->sequence, started, started_count);
        status = settle(journal, buf_string(&name), snapshot, message);
    }
    if (status != STATUS_OK) {
        if (journal->fd >= 0)
            (void)disk->unlink(disk, buf_string(&name));
        journal_close(journal);
    } else {
        *ret_journal = journal;
    }
    buf_deinit(&name);
    return status;
}

static bool read_header(struct disk *disk, int fd, struct header *header)
{
    if (disk_read_all(disk, fd, header, sizeof(*header), 0) != STATUS_OK ||
        memcmp(header->magic, magic, sizeof(magic)) != 0 ||
        (header->version != VERSION && header->version != VERSION_1) ||
        header->check != header_check(header))
        return false;
    if (header->version == VERSION_1)
        header->about.mount = (struct mount_mark){.device = 0};
    return true;
}

bool journal_peek(struct disk *disk, const char *path, struct journal_about *ret_about)
{
    struct header header;
    int fd = disk->open(disk, path, O_RDONLY, 0);

    if (fd < 0)
        return false;
    bool readable = read_header(disk, fd, &header);
    (void)disk->close(disk, fd);
    if (readable)
        *ret_about = header.about;
    return readable;
}

/* The header, and that the file has the size that it promises. */
static enum status verify_header(struct journal *journal, struct buf *message)
{
    struct header header;
    struct stat about;

    if (!read_header(journal->disk, journal->fd, &header))
        return journal_say_damaged(journal, 0, "the header is not what nbatch wrote", message);
    journal->shape = header.shape;
    journal->version = header.version;
    journal->run_id = header.run_id;
    if (journal->disk->stat(journal->disk, journal->fd, &about) != 0)
        return journal_say(message, journal->path, "the journal cannot be read", errno);
    if ((uint64_t)about.st_size != size_of(&header.shape, header.version))
        return journal_say_damaged(journal, (size_t)about.st_size, "it has been cut off", message);
    return STATUS_OK;
}

enum status journal_open(struct disk *disk, const char *path, struct buf *message,
                         struct journal **ret_journal)
{
    struct journal *journal = new_journal(disk, path);

    if (journal == NULL) {
        buf_add_string(message, status_text(STATUS_NO_MEMORY));
        return STATUS_NO_MEMORY;
    }
    enum status status = STATUS_OK;
    journal->fd = disk->open(disk, path, O_RDWR | O_NOFOLLOW, 0);
    journal->sync_fd = journal->fd >= 0 ? disk->open(disk, path, O_WRONLY | O_DSYNC, 0) : -1;
    if (journal->sync_fd < 0)
        status = journal_say(message, path, "the journal cannot be opened", errno);
    if (status == STATUS_OK)
        status = verify_header(journal, message);
    if (status == STATUS_OK)
        status = map(journal, message);
    if (status != STATUS_OK) {
        journal_close(journal);
        return status;
    }
    *ret_journal = journal;
    return STATUS_OK;
}

enum status journal_remove(struct journal *journal, struct buf *message)
{
    struct disk *disk = journal->disk;
    enum status status = STATUS_OK;

    if (disk->unlink(disk, journal->path) != 0 || disk->sync_folder(disk, journal->path) != 0)
        status = journal_say(message, journal->path, "the journal cannot be removed", errno);
    journal_close(journal);
    return status;
}

bool journal_is_named(const struct journal *journal, const char *path)
{
    return place_is_name_of(journal->disk, path, journal->fd);
}

bool journal_is_in_place(const struct journal *journal)
{
    return journal_is_named(journal, journal->path);
}

/* Of version 1, `mount` is not to be looked at: something else is there, or nothing. */
const struct journal_about *journal_about(const struct journal *journal)
{
    return &((const struct header *)(const void *)journal->map)->about;
}

const struct journal_shape *journal_shape(const struct journal *journal)
{
    return &journal->shape;
}

enum status journal_settle(struct journal *journal)
{
    struct disk *disk = journal->disk;

    if (disk->sync(disk, journal->fd) != 0)
        return STATUS_IO;
    __atomic_store_n(journal->settled, journal->run_id, __ATOMIC_RELEASE);
    return disk->sync(disk, journal->fd) == 0 ? STATUS_OK : STATUS_IO;
}

bool journal_is_of_this_mount(const struct journal *journal)
{
    const struct journal_about *about = journal_about(journal);
    struct disk_host host;
    struct mount_mark mount;

    journal->disk->host(journal->disk, &host);
    if (strcmp(about->boot_id, host.boot_id) != 0)
        return false;
    if (journal->version ==
        VERSION_1) /* it knows no mount: as it was believed by its own version */
        return true;
    journal->disk->mount(journal->disk, journal->fd, &mount);
    return mount_mark_is_same(&about->mount, &mount);
}

bool journal_is_settled(const struct journal *journal)
{
    return *journal->settled == journal->run_id;
}

bool journal_is_live(const struct journal *journal)
{
    return journal_is_settled(journal) || journal_is_of_this_mount(journal);
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
            check_of(bytes + used, len, word_seed(journal, half, len)) != half->words[lines] >> 32)
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
