#include "run/split.h"

static const struct outfile_kind valid_kind = {"file for the valid rows", "--split-valid"};
static const struct outfile_kind invalid_kind = {"file for the invalid rows", "--split-invalid"};

enum status split_probe(const char *valid_path, const char *invalid_path, struct buf *message)
{
    enum status status = STATUS_OK;

    if (valid_path != NULL)
        status = outfile_probe(&disk_real, valid_path, &valid_kind, message);
    if (status == STATUS_OK && invalid_path != NULL)
        status = outfile_probe(&disk_real, invalid_path, &invalid_kind, message);
    return status;
}

enum status split_open(struct split *split, const char *valid_path, const char *invalid_path,
                       struct buf *message)
{
    enum status status = STATUS_OK;

    if (valid_path != NULL) {
        status = outfile_create(&split->valid, &disk_real, valid_path, &valid_kind, message);
        split->has_valid = status == STATUS_OK;
    }
    if (status == STATUS_OK && invalid_path != NULL) {
        status = outfile_create(&split->invalid, &disk_real, invalid_path, &invalid_kind, message);
        split->has_invalid = status == STATUS_OK;
    }
    return status;
}

enum status split_add_header(struct split *split, struct span bytes)
{
    if (split->has_valid)
        buf_add(&split->valid.out, bytes);
    if (split->has_invalid)
        buf_add(&split->invalid.out, bytes);
    return STATUS_OK;
}

enum status split_add_row(struct split *split, struct span bytes, bool is_valid)
{
    struct outfile *file = is_valid ? &split->valid : &split->invalid;

    if (is_valid ? !split->has_valid : !split->has_invalid)
        return STATUS_OK;
    buf_add(&file->out, bytes);
    return outfile_settle(file);
}

static enum status close_half(struct outfile *file, struct buf *message)
{
    enum status status = outfile_close(file);

    if (status != STATUS_OK)
        buf_add_format(message, "%s", outfile_error(file));
    outfile_deinit(file);
    return status;
}

enum status split_close(struct split *split, struct buf *message)
{
    enum status valid = close_half(&split->valid, message);
    enum status invalid = close_half(&split->invalid, message);

    split->has_valid = split->has_invalid = false;
    return valid != STATUS_OK ? valid : invalid;
}
