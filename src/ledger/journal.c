/*
 * The journal as a file: a header, the live record (slots.c, stage.c), the snapshots (snapshot.c).
 * It is made under another name, with all its room, filled, synced and renamed, so that there is a
 * whole journal at the name or the one before.
 */
#include "ledger/journal_impl.h"
#include "ledger/place.h"

#include <errno.h>

enum {
    STAGE_LINE_BYTES = 512, /* of room for each row in flight, when the disk is full */
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

struct journal_shape journal_shape_for(size_t concurrency, uint64_t rows)
{
    uint32_t places = (uint32_t)concurrency, slots = places * SLOTS_PER_PLACE;

    if (slots < SLOTS_MIN)
        slots = SLOTS_MIN;
    return (struct journal_shape){
        .slots = rows > 0 && rows < slots ? (uint32_t)rows : slots,
        .stage_lines = JOURNAL_FLUSH_LINES + places + 64,
        .stage_bytes = JOURNAL_FLUSH_BYTES + places * STAGE_LINE_BYTES + STAGE_SPARE_BYTES,
    };
}

size_t journal_live_bytes(const struct journal_shape *shape, uint32_t version)
{
    return 2 * JOURNAL_PAGE + journal_slots_bytes(shape, version) + 2 * journal_half_bytes(shape);
}

static uint64_t size_of(const struct journal_shape *shape, uint32_t version)
{
    return journal_live_bytes(shape, version) + journal_snapshots_bytes(shape);
}

/* How many bytes a journal of that shape takes. */
static uint64_t journal_size(const struct journal_shape *shape)
{
    return size_of(shape, JOURNAL_VERSION);
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
    journal->settled = journal->active + SETTLED_AT;
    journal->moved = journal->active + MOVED_AT;
    journal->slots = at;
    at += journal_slots_bytes(&journal->shape, journal->version);
    journal->halves[0] = (struct half *)(void *)at;
    at += journal_half_bytes(&journal->shape);
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
    return version == JOURNAL_VERSION_1
               ? offsetof(struct header, about) + offsetof(struct journal_about, mount)
               : sizeof(struct header);
}

static uint32_t header_check(const struct header *header)
{
    struct header copy = *header;

    copy.check = 0;
    return journal_check(&copy, header_size(header->version), header->version);
}

/* Fills the file: header, halves, slots. */
static void fill(struct journal *journal, const struct journal_about *about,
                 const struct journal_live *live, uint64_t sequence, const struct intent *started,
                 size_t count)
{
    struct header *header = (struct header *)(void *)journal->map;

    memset(header, 0, sizeof(*header));
    memcpy(header->magic, magic, sizeof(magic));
    header->version = JOURNAL_VERSION;
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

    if (journal_put_snapshot(journal, journal->fd, first) != STATUS_OK ||
        disk->sync(disk, journal->fd) != 0)
        return journal_say(message, from, "the journal cannot be written", errno);
    journal->sync_fd = disk->open(disk, from, O_WRONLY | O_DSYNC | O_NOFOLLOW, 0);
    if (journal->sync_fd < 0)
        return journal_say(message, from, "the journal cannot be opened", errno);
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
    journal->version = JOURNAL_VERSION;
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
        (header->version != JOURNAL_VERSION && header->version != JOURNAL_VERSION_1) ||
        header->check != header_check(header))
        return false;
    if (header->version == JOURNAL_VERSION_1)
        header->about.mount = (struct mount_mark){.device = 0};
    return true;
}

bool journal_peek(struct disk *disk, const char *path, struct journal_about *ret_about)
{
    struct header header;
    int fd = disk->open(disk, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);

    if (fd < 0)
        return false;
    bool readable = read_header(disk, fd, &header);
    (void)disk->close(disk, fd);
    if (readable)
        *ret_about = header.about;
    return readable;
}

bool journal_peek_moved(struct disk *disk, const char *path)
{
    struct header header;
    uint64_t moved;
    int fd = disk->open(disk, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);

    if (fd < 0)
        return false;
    bool has_moved = read_header(disk, fd, &header) &&
                     disk_read_all(disk, fd, &moved, sizeof(moved),
                                   JOURNAL_PAGE + MOVED_AT * sizeof(moved)) == STATUS_OK &&
                     moved == header.run_id;
    (void)disk->close(disk, fd);
    return has_moved;
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
    journal->fd = disk->open(disk, path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
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

enum status journal_set_moved(struct journal *journal)
{
    __atomic_store_n(journal->moved, journal->run_id, __ATOMIC_RELEASE);
    return journal->disk->sync(journal->disk, journal->fd) == 0 ? STATUS_OK : STATUS_IO;
}

bool journal_has_moved(const struct journal *journal)
{
    return *journal->moved == journal->run_id;
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
        JOURNAL_VERSION_1) /* it knows no mount: as it was believed by its own version */
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

void journal_give_to_owner(struct journal *journal, const struct stat *of)
{
    disk_give_to_owner(journal->disk, journal->fd, of);
}
